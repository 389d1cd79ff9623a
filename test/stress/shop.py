"""Users of a shop: they browse, fill a cart, remove items, check out, read their orders, and sometimes cancel a payment.

    GATEWAY_URL=http://localhost:8000 locust -f shop.py --headless -u 100 -r 20 -t 1m

Without --headless, http://localhost:8089 shows the progress. ITEMS is the number of items in the shop. Some items sell out.
"""

import os
import random
import sys

import requests
from locust import between, events, task

from common import GATEWAY_URL, GatewayUser

ITEMS = int(os.environ.get("ITEMS", "200"))
THINK = float(os.environ.get("THINK", "1"))  # average seconds between two requests
CREDIT = int(os.environ.get("CREDIT", "500"))  # amount of one deposit; some carts cost more
items = []


@events.init.add_listener
def create_items(**_):
    """Creates the items before the test starts. One item in ten has little stock."""
    session = requests.Session()

    def post(path):
        response = session.post(GATEWAY_URL + path, timeout=30)
        response.raise_for_status()
        return response.json()

    try:
        for i in range(ITEMS):
            item = post(f"/stock/item/create/{random.randint(1, 50)}")["item_id"]
            post(f"/stock/add/{item}/{20 if i % 10 == 0 else 100_000}")
            items.append(item)
    except requests.RequestException as error:
        sys.exit(f"create items: {error}")
    print(f"created {ITEMS} items")


class ShopUser(GatewayUser):
    """A user with an account."""

    wait_time = between(0.5 * THINK, 1.5 * THINK)

    def on_start(self):
        account = self.call("POST", "/payment/create_user", "POST /payment/create_user")
        self.user = account["user_id"] if account else "unknown"
        self.deposit()

    def deposit(self):
        self.call("POST", f"/payment/add_funds/{self.user}/{CREDIT}", "POST /payment/add_funds")

    def browse(self):
        """Reads some items and returns the last one."""
        item = None
        for item in random.sample(items, min(random.randint(1, 4), len(items))):
            self.call("GET", f"/stock/find/{item}", "GET /stock/find")
            self.wait()
        return item

    @task(3)
    def look_around(self):
        self.browse()

    @task(5)
    def buy(self):
        order = self.call("POST", f"/orders/create/{self.user}", "POST /orders/create")
        if not order:
            return
        order = order["order_id"]
        for _ in range(random.randint(1, 4)):
            item = self.browse()
            self.call("POST", f"/orders/addItem/{order}/{item}/{random.randint(1, 3)}", "POST /orders/addItem")
        if random.random() < 0.2:
            self.call("DELETE", f"/orders/removeItem/{order}/{item}", "DELETE /orders/removeItem")
        self.call("GET", f"/orders/find/{order}", "GET /orders/find")
        self.wait()
        if random.random() < 0.1:
            self.call("DELETE", f"/orders/remove/{order}", "DELETE /orders/remove")
            return
        if self.call("POST", f"/orders/checkout/{order}", "POST /orders/checkout") is None:
            self.deposit()
            return
        self.call("GET", f"/payment/find_user/{self.user}", "GET /payment/find_user")
        if random.random() < 0.1:
            self.wait()
            self.call("POST", f"/payment/cancel/{self.user}/{order}", "POST /payment/cancel")
