"""The correctness suite: `python test_microservices.py`, against the gateway at GATEWAY_URL.

The class below is the course's suite, for both versions of its API. The case modules test every route and every
type of error response.
"""
import unittest

import utils as tu
from base import Case
from cases_batch import *  # noqa: F401,F403
from cases_cancel import *  # noqa: F401,F403
from cases_cart import *  # noqa: F401,F403
from cases_checkout import *  # noqa: F401,F403
from cases_gateway import *  # noqa: F401,F403
from cases_input import *  # noqa: F401,F403
from cases_idempotency import *  # noqa: F401,F403
from cases_payment import *  # noqa: F401,F403
from cases_races import *  # noqa: F401,F403
from cases_stock import *  # noqa: F401,F403


class TestMicroservices(Case):

    def test_stock(self):
        item_id = tu.create_item(5)["item_id"]
        self.assertEqual(tu.find_item(item_id), {"item_id": item_id, "price": 5, "stock": 0})

        self.assertTrue(tu.status_code_is_success(tu.add_stock(item_id, 50)))
        self.assertStock(item_id, 50)

        self.assertTrue(tu.status_code_is_failure(tu.subtract_stock(item_id, 200)))
        self.assertStock(item_id, 50)

        self.assertTrue(tu.status_code_is_success(tu.subtract_stock(item_id, 15)))
        self.assertStock(item_id, 35)

    def test_payment(self):
        for newer in (False, True):
            with self.subTest(newer=newer):
                user_id = tu.create_user()["user_id"]
                self.assertTrue(tu.status_code_is_success(tu.add_credit_to_user(user_id, 15)))
                item_id = tu.create_item(5)["item_id"]
                self.assertTrue(tu.status_code_is_success(tu.add_stock(item_id, 50)))
                order_id = tu.create_order(user_id)["order_id"]
                for _ in range(3):
                    status = tu.add_item_to_order(order_id, item_id, 1 if newer else None)
                    self.assertTrue(tu.status_code_is_success(status))

                status = tu.payment_pay(user_id, 10) if newer else tu.payment_pay(user_id, order_id, 10)
                self.assertTrue(tu.status_code_is_success(status))
                self.assertEqual(tu.find_user(user_id)["credit"], 5)

    def test_order(self):
        for newer in (False, True):
            with self.subTest(newer=newer):
                quantity = 1 if newer else None
                user_id = tu.create_user()["user_id"]
                order_id = tu.create_order(user_id)["order_id"]
                first, second = (tu.create_item(5)["item_id"] for _ in range(2))
                self.assertTrue(tu.status_code_is_success(tu.add_stock(first, 15)))
                self.assertTrue(tu.status_code_is_success(tu.add_stock(second, 1)))
                self.assertTrue(tu.status_code_is_success(tu.add_item_to_order(order_id, first, quantity)))
                self.assertTrue(tu.status_code_is_success(tu.add_item_to_order(order_id, second, quantity)))
                self.assertTrue(tu.status_code_is_success(tu.subtract_stock(second, 1)))

                # Stock and credit are missing.
                self.assertTrue(tu.status_code_is_failure(tu.checkout_order(order_id).status_code))
                self.assertBalances(user_id, 0, {first: 15, second: 0}, paid=order_id, expected=False)

                # Credit is still missing.
                self.assertTrue(tu.status_code_is_success(tu.add_stock(second, 15)))
                self.assertTrue(tu.status_code_is_failure(tu.checkout_order(order_id).status_code))
                self.assertBalances(user_id, 0, {first: 15, second: 15}, paid=order_id, expected=False)

                # Only stock is missing.
                self.assertTrue(tu.status_code_is_success(tu.add_credit_to_user(user_id, 15)))
                self.assertTrue(tu.status_code_is_success(tu.subtract_stock(second, 15)))
                self.assertTrue(tu.status_code_is_failure(tu.checkout_order(order_id).status_code))
                self.assertBalances(user_id, 15, {first: 15, second: 0}, paid=order_id, expected=False)

                # Nothing is missing.
                self.assertTrue(tu.status_code_is_success(tu.add_stock(second, 15)))
                self.assertTrue(tu.status_code_is_success(tu.checkout_order(order_id).status_code))
                self.assertBalances(user_id, 5, {first: 14, second: 14}, paid=order_id, expected=True)

    def assertBalances(self, user_id: str, credit: int, stocks: dict, paid: str, expected: bool):
        self.assertEqual(tu.find_user(user_id)["credit"], credit)
        self.assertEqual({item_id: tu.find_item(item_id)["stock"] for item_id in stocks}, stocks)
        self.assertIs(tu.find_order(paid)["paid"], expected)


if __name__ == "__main__":
    unittest.main()
