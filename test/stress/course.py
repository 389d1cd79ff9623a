"""The course's stress test: creates 100,000 users, items and orders with batch_init, then checks out random orders without pause.

    GATEWAY_URL=http://localhost:8000 locust -f course.py --headless -u 100 -r 100 -t 1m

COUNT is the number of users, of items and of orders. batch_init overwrites existing objects that have decimal IDs.
"""

import os
import random
import sys

import requests
from locust import constant, events, task

from common import GATEWAY_URL, GatewayUser

COUNT = int(os.environ.get("COUNT", "100000"))
PRICE, STOCK, CREDIT = 1, 1_000_000, 1_000_000


@events.init.add_listener
def create_orders(**_):
    """Creates users, items and orders before the test starts."""
    for path in (
        f"/stock/batch_init/{COUNT}/{STOCK}/{PRICE}",
        f"/payment/batch_init/{COUNT}/{CREDIT}",
        f"/orders/batch_init/{COUNT}/{COUNT}/{COUNT}/{PRICE}",
    ):
        try:
            response = requests.post(GATEWAY_URL + path, timeout=120)
        except requests.RequestException as error:
            sys.exit(f"create users, items and orders: {error}")
        print(f"{path}: {response.status_code} in {response.elapsed.total_seconds():.1f} s")
        if response.status_code != 200:
            sys.exit(response.text)


class CheckoutUser(GatewayUser):
    """Checks out random orders. A paid order returns 200 again, without a second charge."""

    wait_time = constant(0)

    @task
    def checkout(self):
        self.call("POST", f"/orders/checkout/{random.randrange(COUNT)}", "POST /orders/checkout")
