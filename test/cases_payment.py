"""The payment service: users, funds, direct payments and their status."""
import uuid
from collections import Counter

import utils as tu
from base import MAX_AMOUNT, MAX_SUM, Case

__all__ = ["TestUsers", "TestDirectPayment"]


class TestUsers(Case):

    def test_user_starts_without_credit(self):
        user_id = self.new_user()
        self.assertEqual(self.assertOK(tu.get(f"/payment/find_user/{user_id}")), {"user_id": user_id, "credit": 0})

    def test_add_funds(self):
        user_id = self.new_user()
        self.assertEqual(self.assertOK(tu.post(f"/payment/add_funds/{user_id}/15")), {"done": True})
        self.assertEqual(self.assertOK(tu.post(f"/payment/add_funds/{user_id}/{MAX_AMOUNT}")), {"done": True})
        self.assertCredit(user_id, MAX_AMOUNT + 15)

    def test_credit_is_limited_to_exact_integers(self):
        user_id = self.new_user()
        full, rest = divmod(MAX_SUM, MAX_AMOUNT)
        statuses = Counter(tu.post_all([f"/payment/add_funds/{user_id}/{MAX_AMOUNT}"] * full))
        self.assertEqual(statuses, {200: full})
        with self.unchanged(users=[user_id]):
            self.assertProblem(tu.post(f"/payment/add_funds/{user_id}/{rest + 1}"), 409, "balance-limit")
        self.assertEqual(tu.add_credit_to_user(user_id, rest), 200)
        self.assertCredit(user_id, MAX_SUM)
        with self.unchanged(users=[user_id]):
            self.assertProblem(tu.post(f"/payment/add_funds/{user_id}/1"), 409, "balance-limit")
        self.assertEqual(tu.payment_pay(user_id, MAX_AMOUNT), 200)
        self.assertCredit(user_id, MAX_SUM - MAX_AMOUNT)

    def test_ids_never_collide(self):
        self.assertNoCollision(lambda: tu.create_user()["user_id"])


class TestDirectPayment(Case):

    def test_pay_without_an_order(self):
        user_id = self.new_user(credit=15)
        self.assertOK(tu.post(f"/payment/pay/{user_id}/10"))
        self.assertCredit(user_id, 5)
        self.assertOK(tu.post(f"/payment/pay/{user_id}/5"))
        self.assertCredit(user_id, 0)
        with self.unchanged(users=[user_id]):
            self.assertProblem(tu.post(f"/payment/pay/{user_id}/1"), 402, "insufficient-credit", mentions=user_id)

    def test_pay_for_an_order(self):
        user_id = self.new_user(credit=15)
        order_id = self.new_order(user_id)
        self.assertEqual(tu.payment_status(user_id, order_id), {"paid": False})
        with self.unchanged(users=[user_id], orders=[order_id]):
            self.assertProblem(tu.post(f"/payment/pay/{user_id}/{order_id}/16"), 402, "insufficient-credit",
                               mentions=user_id)
            self.assertEqual(tu.payment_status(user_id, order_id), {"paid": False})
        self.assertOK(tu.post(f"/payment/pay/{user_id}/{order_id}/10"))
        self.assertCredit(user_id, 5)
        self.assertEqual(tu.payment_status(user_id, order_id), {"paid": True})

    def test_the_order_is_not_looked_up(self):
        user_id = self.new_user(credit=10)
        for order_id in (str(uuid.uuid4()), "4711", "any-order", "n"):
            with self.subTest(order_id=order_id):
                self.assertOK(tu.post(f"/payment/pay/{user_id}/{order_id}/2"))
                self.assertEqual(tu.payment_status(user_id, order_id), {"paid": True})
        self.assertCredit(user_id, 2)

    def test_a_repeat_is_charged_once(self):
        user_id = self.new_user(credit=15)
        order_id = self.new_order(user_id)
        for _ in range(3):
            self.assertOK(tu.post(f"/payment/pay/{user_id}/{order_id}/10"))
            self.assertCredit(user_id, 5)

    def test_a_repeat_with_another_amount(self):
        user_id = self.new_user(credit=15)
        order_id = self.new_order(user_id)
        self.assertOK(tu.post(f"/payment/pay/{user_id}/{order_id}/10"))
        with self.unchanged(users=[user_id]):
            for amount in (1, 5, 11, MAX_AMOUNT):
                self.assertProblem(tu.post(f"/payment/pay/{user_id}/{order_id}/{amount}"), 409, "payment-differs")

    def test_an_order_that_is_paid_directly_is_not_checked_out(self):
        user_id, item_id = self.new_user(credit=50), self.new_item(price=4, stock=5)
        order_id = self.new_order(user_id, (item_id, 2))
        self.assertOK(tu.post(f"/payment/pay/{user_id}/{order_id}/8"))
        with self.unchanged([user_id], [item_id], [order_id]):
            for _ in range(2):
                self.assertProblem(tu.post(f"/orders/checkout/{order_id}"), 409, "paid-directly", mentions=user_id)
        self.assertEqual(tu.payment_cancel(user_id, order_id), 200)
        self.assertOK(tu.checkout_order(order_id))
        self.assertCredit(user_id, 42)

    def test_an_order_that_is_checked_out_is_not_paid_directly(self):
        user_id, item_id = self.new_user(credit=50), self.new_item(price=4, stock=5)
        order_id = self.new_order(user_id, (item_id, 2))
        self.assertOK(tu.checkout_order(order_id))
        other_id = self.new_user(credit=50)
        with self.unchanged([user_id, other_id], [item_id], [order_id]):
            for payer in (user_id, other_id):
                for amount in (8, 1):
                    self.assertProblem(tu.post(f"/payment/pay/{payer}/{order_id}/{amount}"), 409, "paid-by-checkout")
        self.assertEqual(tu.payment_cancel(user_id, order_id), 200)
        self.assertProblem(tu.post(f"/payment/pay/{user_id}/{order_id}/8"), 409, "order-cancelled")
        self.assertCredit(user_id, 50)

    def test_simultaneous_payment_and_checkout_charge_once(self):
        item_id = self.new_item(price=4, stock=100)
        for _ in range(20):
            user_id = self.new_user(credit=50)
            order_id = self.new_order(user_id, (item_id, 2))
            pay, checkout = f"/payment/pay/{user_id}/{order_id}/8", f"/orders/checkout/{order_id}"
            tu.post_all([pay, checkout, pay, checkout])
            paid = tu.find_order(order_id)["paid"]
            self.assertEqual(tu.post(pay).status_code, 409 if paid else 200)
            self.assertCredit(user_id, 42)

    def test_two_users_pay_for_one_order(self):
        payer, helper = self.new_user(credit=10), self.new_user(credit=10)
        order_id = self.new_order(payer)
        self.assertOK(tu.post(f"/payment/pay/{payer}/{order_id}/6"))
        self.assertOK(tu.post(f"/payment/pay/{helper}/{order_id}/4"))
        self.assertCredit(payer, 4)
        self.assertCredit(helper, 6)
        self.assertEqual(tu.payment_cancel(helper, order_id), 200)
        self.assertCredit(payer, 4)
        self.assertCredit(helper, 10)
        self.assertEqual(tu.payment_status(payer, order_id), {"paid": True})

    def test_status_by_get_and_post(self):
        user_id = self.new_user(credit=10)
        item_id = self.new_item(price=4, stock=2)
        order_id = self.new_order(user_id, (item_id, 1))
        for method in ("GET", "POST"):
            response = self.assertOK(tu.call(method, f"/payment/status/{user_id}/{order_id}"))
            self.assertEqual(response, {"paid": False})
        self.assertOK(tu.checkout_order(order_id))
        for method in ("GET", "POST"):
            response = self.assertOK(tu.call(method, f"/payment/status/{user_id}/{order_id}"))
            self.assertEqual(response, {"paid": True})
        self.assertCredit(user_id, 6)
