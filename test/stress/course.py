"""The course's stress test: 100,000 users, items and orders by batch_init, then checkouts of random orders, as fast as they go.

    GATEWAY_URL=http://localhost:8000 locust -f course.py --headless -u 100 -r 100 -t 1m

COUNT is how many of each there are. batch_init overwrites what has decimal ids.
"""

import os
import random
import sys

import requests
from locust import constant, events, task

from common import GATEWAY_URL, Customer

COUNT = int(os.environ.get("COUNT", "100000"))
PRICE, STOCK, CREDIT = 1, 1_000_000, 1_000_000


@events.init.add_listener
def fill(**_):
    """Makes the users, items and orders, before the time of the run begins."""
    for path in (
        f"/stock/batch_init/{COUNT}/{STOCK}/{PRICE}",
        f"/payment/batch_init/{COUNT}/{CREDIT}",
        f"/orders/batch_init/{COUNT}/{COUNT}/{COUNT}/{PRICE}",
    ):
        try:
            answer = requests.post(GATEWAY_URL + path, timeout=120)
        except requests.RequestException as error:
            sys.exit(f"nothing can be made: {error}")
        print(f"{path}: {answer.status_code} in {answer.elapsed.total_seconds():.1f} s")
        if answer.status_code != 200:
            sys.exit(answer.text)


class Checkout(Customer):
    """Checks random orders out. One that is paid already is paid: the answer is 200, and nothing is charged again."""

    wait_time = constant(0)

    @task
    def checkout(self):
        self.call("POST", f"/orders/checkout/{random.randrange(COUNT)}", "POST /orders/checkout")
