"""payment/cancel refunds the payment for an order, once."""
import uuid

import utils as tu
from base import Case

__all__ = ["TestCancel"]


class TestCancel(Case):

    def test_a_paid_order(self):
        user_id = self.new_user(credit=100)
        first, second = self.new_item(price=5, stock=10), self.new_item(price=7, stock=10)
        order_id = self.paid_order(user_id, (first, 2), (second, 3))
        self.assertOK(tu.post(f"/payment/cancel/{user_id}/{order_id}"))
        self.assertCredit(user_id, 100)
        self.assertStock(first, 10)
        self.assertStock(second, 10)
        self.assertOrder(order_id, "CANCELLED", 31)
        self.assertEqual(tu.payment_status(user_id, order_id), {"paid": False})

    def test_a_paid_order_again(self):
        user_id, item_id = self.new_user(credit=100), self.new_item(price=5, stock=10)
        order_id = self.paid_order(user_id, (item_id, 2))
        self.assertEqual(tu.payment_cancel(user_id, order_id), 200)
        with self.unchanged(users=[user_id], items=[item_id], orders=[order_id]):
            for _ in range(3):
                self.assertOK(tu.post(f"/payment/cancel/{user_id}/{order_id}"))
        self.assertCredit(user_id, 100)

    def test_an_empty_and_a_free_order(self):
        user_id, item_id = self.new_user(credit=5), self.new_item(price=0, stock=3)
        for lines in ((), ((item_id, 2),)):
            order_id = self.paid_order(user_id, *lines)
            self.assertEqual(tu.payment_status(user_id, order_id), {"paid": True})
            for _ in range(2):
                self.assertOK(tu.post(f"/payment/cancel/{user_id}/{order_id}"))
            self.assertOrder(order_id, "CANCELLED", 0)
            self.assertEqual(tu.payment_status(user_id, order_id), {"paid": False})
        self.assertCredit(user_id, 5)
        self.assertStock(item_id, 3)

    def test_refunded_credit_and_stock_can_be_used_again(self):
        user_id, item_id = self.new_user(credit=5), self.new_item(price=5, stock=1)
        for _ in range(3):
            order_id = self.paid_order(user_id, (item_id, 1))
            self.assertCredit(user_id, 0)
            self.assertStock(item_id, 0)
            self.assertEqual(tu.payment_cancel(user_id, order_id), 200)
            self.assertCredit(user_id, 5)
            self.assertStock(item_id, 1)

    def test_a_direct_payment(self):
        user_id = self.new_user(credit=15)
        for order_id in (self.new_order(user_id), str(uuid.uuid4()), "any-order"):
            with self.subTest(order_id=order_id):
                self.assertEqual(tu.payment_pay(user_id, order_id, 10), 200)
                self.assertCredit(user_id, 5)
                for _ in range(3):
                    self.assertOK(tu.post(f"/payment/cancel/{user_id}/{order_id}"))
                    self.assertCredit(user_id, 15)
                self.assertEqual(tu.payment_status(user_id, order_id), {"paid": False})

    def test_a_cancelled_payment_is_not_made_again(self):
        user_id = self.new_user(credit=15)
        order_id = self.new_order(user_id)
        self.assertEqual(tu.payment_pay(user_id, order_id, 10), 200)
        self.assertEqual(tu.payment_cancel(user_id, order_id), 200)
        with self.unchanged(users=[user_id], orders=[order_id]):
            for amount in (10, 1):
                self.assertProblem(tu.post(f"/payment/pay/{user_id}/{order_id}/{amount}"), 409, "payment-cancelled")
        self.assertEqual(tu.payment_status(user_id, order_id), {"paid": False})

    def test_a_direct_payment_leaves_an_open_order_open(self):
        user_id, item_id = self.new_user(credit=15), self.new_item(price=5, stock=1)
        order_id = self.new_order(user_id, (item_id, 1))
        self.assertEqual(tu.payment_pay(user_id, order_id, 10), 200)
        self.assertEqual(tu.payment_cancel(user_id, order_id), 200)
        self.assertOrder(order_id, "OPEN", 5)
        self.assertOK(tu.checkout_order(order_id))
        self.assertCredit(user_id, 10)
        self.assertStock(item_id, 0)

    def test_nothing_paid(self):
        user_id, item_id = self.new_user(credit=15), self.new_item(price=5, stock=1)
        order_id = self.new_order(user_id, (item_id, 1))
        with self.unchanged(users=[user_id], items=[item_id], orders=[order_id]):
            for _ in range(2):
                self.assertProblem(tu.post(f"/payment/cancel/{user_id}/{order_id}"), 409, "nothing-paid")
        self.assertOK(tu.checkout_order(order_id))

    def test_an_order_paid_by_another_user(self):
        buyer, other = self.new_user(credit=15), self.new_user(credit=15)
        item_id = self.new_item(price=5, stock=1)
        order_id = self.paid_order(buyer, (item_id, 1))
        with self.unchanged(users=[buyer, other], items=[item_id], orders=[order_id]):
            self.assertProblem(tu.post(f"/payment/cancel/{other}/{order_id}"), 409, "nothing-paid")

    def test_unknown_order(self):
        user_id = self.new_user(credit=15)
        with self.unchanged(users=[user_id]):
            for order_id in (str(uuid.uuid4()), "4711000000", "junk", user_id):
                for method, path in (("POST", f"/payment/cancel/{user_id}/{order_id}"),
                                     ("GET", f"/payment/status/{user_id}/{order_id}"),
                                     ("POST", f"/payment/status/{user_id}/{order_id}")):
                    self.assertProblem(tu.call(method, path), 404, "order-not-found", mentions=order_id)
