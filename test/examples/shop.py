"""An example client: creates a user, an item and an order, checks the order out, and prints the result.

It retries each request safely.

    GATEWAY_URL=http://localhost:8000 python shop.py
"""

import os
import time
import uuid

import requests

SHOP = os.environ.get("GATEWAY_URL", "http://localhost:8000").rstrip("/")


class Rejected(Exception):
    """A response with status 4xx: the request changed nothing. `kind` is the type of the problem, such as "insufficient-stock"."""

    def __init__(self, problem):
        super().__init__(problem.get("detail") or problem["title"])
        self.kind = problem["type"].rsplit("/", 1)[-1]


def call(method, path):
    """Sends a request, and retries it until the outcome is known. The idempotency key makes retries of writes safe."""
    headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" and not path.startswith("/orders/checkout/") else {}
    for backoff in (1, 2, 4, 8, None):
        try:
            response = requests.request(method, SHOP + path, headers=headers, timeout=30)
            if response.status_code == 200:
                return response.json()
            if response.status_code not in (429, 503):
                raise Rejected(response.json())
        except requests.ConnectionError:
            pass
        if backoff is None:
            raise TimeoutError(f"{method} {path}: no final response")
        time.sleep(backoff)


user = call("POST", "/payment/create_user")["user_id"]
call("POST", f"/payment/add_funds/{user}/100")
item = call("POST", "/stock/item/create/5")["item_id"]
call("POST", f"/stock/add/{item}/10")
order = call("POST", f"/orders/create/{user}")["order_id"]
call("POST", f"/orders/addItem/{order}/{item}/2")
call("POST", f"/orders/checkout/{order}")
print("paid:", str(call("GET", f"/orders/find/{order}")["paid"]).lower())
print("credit:", call("GET", f"/payment/find_user/{user}")["credit"])
print("stock:", call("GET", f"/stock/find/{item}")["stock"])
