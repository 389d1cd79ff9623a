"""The checkout: its charge, its refusals, and the effect of a retry."""
import uuid

import utils as tu
from base import Case

__all__ = ["TestCheckout", "TestRefusedCheckout", "TestAfterCheckout"]


class TestCheckout(Case):

    def test_takes_credit_and_stock(self):
        user_id = self.new_user(credit=100)
        first, second = self.new_item(price=5, stock=10), self.new_item(price=7, stock=10)
        order_id = self.new_order(user_id, (first, 2), (second, 3))
        self.assertOK(tu.checkout_order(order_id))
        self.assertCredit(user_id, 100 - 2 * 5 - 3 * 7)
        self.assertStock(first, 8)
        self.assertStock(second, 7)
        self.assertOrder(order_id, "PAID", 31)
        self.assertEqual(tu.payment_status(user_id, order_id), {"paid": True})

    def test_takes_the_last_of_both(self):
        user_id, item_id = self.new_user(credit=15), self.new_item(price=5, stock=3)
        self.paid_order(user_id, (item_id, 3))
        self.assertCredit(user_id, 0)
        self.assertStock(item_id, 0)

    def test_many_items(self):
        """Checks a checkout with items on every shard."""
        user_id = self.new_user(credit=60)
        items = [self.new_item(price=2, stock=3) for _ in range(30)]
        order_id = self.paid_order(user_id, *((item_id, 1) for item_id in items))
        self.assertCredit(user_id, 0)
        self.assertEqual([tu.find_item(item_id)["stock"] for item_id in items], [2] * 30)
        self.assertOrder(order_id, "PAID", 60)

    def test_free_items_need_no_credit(self):
        user_id, item_id = self.new_user(), self.new_item(price=0, stock=3)
        order_id = self.paid_order(user_id, (item_id, 2))
        self.assertStock(item_id, 1)
        self.assertCredit(user_id, 0)
        self.assertOrder(order_id, "PAID", 0)

    def test_an_empty_cart_costs_nothing(self):
        user_id = self.new_user(credit=5)
        order_id = self.paid_order(user_id)
        self.assertCredit(user_id, 5)
        self.assertOrder(order_id, "PAID", 0)

    def test_a_repeat_is_charged_once(self):
        user_id, item_id = self.new_user(credit=100), self.new_item(price=5, stock=10)
        order_id = self.paid_order(user_id, (item_id, 2))
        with self.unchanged(users=[user_id], items=[item_id], orders=[order_id]):
            for _ in range(3):
                self.assertOK(tu.checkout_order(order_id))
        self.assertCredit(user_id, 90)


class TestRefusedCheckout(Case):

    def refuse(self, order_id: str, status: int, name: str, mentions: str = None, users=(), items=()):
        """Checks that every checkout is refused, changes nothing and leaves the order open."""
        with self.unchanged(users=users, items=items, orders=[order_id]):
            for _ in range(3):
                self.assertProblem(tu.checkout_order(order_id), status, name, mentions)
            self.assertEqual(tu.find_order(order_id)["status"], "OPEN")

    def test_not_enough_credit(self):
        user_id, item_id = self.new_user(credit=9), self.new_item(price=5, stock=10)
        order_id = self.new_order(user_id, (item_id, 2))
        self.refuse(order_id, 402, "insufficient-credit", users=[user_id], items=[item_id])
        self.assertEqual(tu.add_credit_to_user(user_id, 1), 200)
        self.assertOK(tu.checkout_order(order_id))
        self.assertCredit(user_id, 0)
        self.assertStock(item_id, 8)

    def test_not_enough_stock(self):
        user_id, item_id = self.new_user(credit=100), self.new_item(price=5, stock=1)
        order_id = self.new_order(user_id, (item_id, 2))
        self.refuse(order_id, 409, "insufficient-stock", users=[user_id], items=[item_id])
        self.assertEqual(tu.add_stock(item_id, 1), 200)
        self.assertOK(tu.checkout_order(order_id))
        self.assertCredit(user_id, 90)
        self.assertStock(item_id, 0)

    def test_one_of_many_items_is_missing(self):
        user_id = self.new_user(credit=100)
        items = [self.new_item(price=1, stock=1) for _ in range(20)]
        missing = self.new_item(price=1)
        order_id = self.new_order(user_id, *((item_id, 1) for item_id in [*items[:10], missing, *items[10:]]))
        self.refuse(order_id, 409, "insufficient-stock", users=[user_id], items=[*items, missing])

    def test_lack_of_credit_is_reported_before_lack_of_stock(self):
        """Credit is reserved before stock, so the problem is insufficient credit even if there is too little stock."""
        user_id, item_id = self.new_user(), self.new_item(price=5)
        order_id = self.new_order(user_id, (item_id, 1))
        self.refuse(order_id, 402, "insufficient-credit", users=[user_id], items=[item_id])

    def test_unknown_user(self):
        for price in (5, 0):
            item_id = self.new_item(price=price, stock=10)
            for user_id in (str(uuid.uuid4()), "nobody", "4711000000", item_id):
                with self.subTest(price=price, user_id=user_id):
                    order_id = self.new_order(user_id, (item_id, 1))
                    self.refuse(order_id, 404, "user-not-found", mentions=user_id, items=[item_id])

    def test_a_refused_cart_can_be_edited(self):
        user_id = self.new_user(credit=5)
        item_id, missing = self.new_item(price=5, stock=1), self.new_item(price=0)
        order_id = self.new_order(user_id, (item_id, 1), (missing, 1))
        self.refuse(order_id, 409, "insufficient-stock", users=[user_id], items=[item_id, missing])
        self.assertEqual(tu.remove_item_from_order(order_id, missing), 200)
        self.assertOK(tu.checkout_order(order_id))
        self.assertCredit(user_id, 0)
        self.assertStock(item_id, 0)

    def test_a_refused_order_can_be_removed(self):
        user_id, item_id = self.new_user(), self.new_item(price=5, stock=1)
        order_id = self.new_order(user_id, (item_id, 1))
        self.assertProblem(tu.checkout_order(order_id), 402, "insufficient-credit")
        self.assertEqual(tu.remove_order(order_id), 200)
        self.assertProblem(tu.get(f"/orders/find/{order_id}"), 404, "order-not-found")


class TestAfterCheckout(Case):

    def assertClosed(self, order_id: str, item_id: str):
        """Checks that every edit of the order is refused and changes nothing."""
        with self.unchanged(items=[item_id], orders=[order_id]):
            for method, path in (("POST", f"/orders/addItem/{order_id}/{item_id}"),
                                 ("POST", f"/orders/addItem/{order_id}/{item_id}/2"),
                                 ("DELETE", f"/orders/removeItem/{order_id}/{item_id}"),
                                 ("DELETE", f"/orders/removeItem/{order_id}/{item_id}/1"),
                                 ("DELETE", f"/orders/remove/{order_id}")):
                self.assertProblem(tu.call(method, path), 409, "order-not-open", mentions=order_id)

    def test_a_paid_order_is_closed(self):
        item_id = self.new_item(price=5, stock=10)
        self.assertClosed(self.paid_order(self.new_user(credit=100), (item_id, 2)), item_id)

    def test_a_cancelled_order_is_closed(self):
        user_id, item_id = self.new_user(credit=100), self.new_item(price=5, stock=10)
        order_id = self.paid_order(user_id, (item_id, 2))
        self.assertEqual(tu.payment_cancel(user_id, order_id), 200)
        self.assertClosed(order_id, item_id)
        with self.unchanged(users=[user_id], items=[item_id], orders=[order_id]):
            self.assertProblem(tu.checkout_order(order_id), 409, "order-cancelled", mentions=order_id)
