"""A client in Python: makes a user and an item, checks an order out, safely however often it is sent, and looks at the result.

    GATEWAY_URL=http://localhost:8000 python shop.py
"""

import os
import time
import uuid

import requests

SHOP = os.environ.get("GATEWAY_URL", "http://localhost:8000").rstrip("/")


class Refused(Exception):
    """The shop said no (4xx): nothing was done. `kind` is stable, as in "insufficient-stock"."""

    def __init__(self, problem):
        super().__init__(problem.get("detail") or problem["title"])
        self.kind = problem["type"].rsplit("/", 1)[-1]


def call(method, path):
    """Sends a request until its outcome is known. The key makes that safe: with it, a write is done once."""
    headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" and not path.startswith("/orders/checkout/") else {}
    for pause in (1, 2, 4, 8, None):
        try:
            answer = requests.request(method, SHOP + path, headers=headers, timeout=30)
            if answer.status_code == 200:
                return answer.json()
            if answer.status_code not in (429, 503):
                raise Refused(answer.json())
        except requests.ConnectionError:
            pass
        if pause is None:
            raise TimeoutError(f"{method} {path}: the outcome is not known")
        time.sleep(pause)


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
