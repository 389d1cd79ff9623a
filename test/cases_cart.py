"""Orders before checkout: create, find, addItem, removeItem, remove."""
import uuid
from collections import Counter

import utils as tu
from base import MAX_AMOUNT, Case

__all__ = ["TestCart", "TestCartLimits"]

MAX_PIECES = 10_000
MAX_LINES = 1_000


class TestCart(Case):

    def test_order_starts_empty(self):
        user_id = self.new_user()
        order_id = self.new_order(user_id)
        self.assertEqual(tu.find_order(order_id), {
            "order_id": order_id, "paid": False, "items": [], "user_id": user_id, "total_cost": 0,
            "status": "OPEN", "lines": []})

    def test_any_user_id_is_accepted(self):
        for user_id in (str(uuid.uuid4()), "4711", "nobody"):
            with self.subTest(user_id=user_id):
                order_id = self.new_order(user_id)
                self.assertEqual(tu.find_order(order_id)["user_id"], user_id)

    def test_find_shows_one_id_per_piece(self):
        first, second = self.new_item(price=5, stock=1), self.new_item(price=7)
        order_id = self.new_order(self.new_user())
        self.assertOK(tu.post(f"/orders/addItem/{order_id}/{first}"))
        self.assertOK(tu.post(f"/orders/addItem/{order_id}/{second}/3"))
        self.assertOK(tu.post(f"/orders/addItem/{order_id}/{first}/1"))
        order = self.assertOrder(order_id, "OPEN", 2 * 5 + 3 * 7)
        self.assertCountEqual(order["items"], [first, first, second, second, second])
        self.assertCountEqual(order["lines"], [{"item_id": first, "quantity": 2, "price": 5},
                                               {"item_id": second, "quantity": 3, "price": 7}])

    def test_adding_takes_no_stock(self):
        item_id = self.new_item(price=5, stock=2)
        with self.unchanged(items=[item_id]):
            self.new_order(self.new_user(), (item_id, None), (item_id, 100))

    def test_remove_item(self):
        first, second = self.new_item(price=5), self.new_item(price=7)
        order_id = self.new_order(self.new_user(), (first, 3), (second, 4))
        self.assertOK(tu.delete(f"/orders/removeItem/{order_id}/{first}"))
        self.assertOrder(order_id, "OPEN", 2 * 5 + 4 * 7)
        self.assertOK(tu.delete(f"/orders/removeItem/{order_id}/{second}/3"))
        self.assertOrder(order_id, "OPEN", 2 * 5 + 7)
        self.assertOK(tu.delete(f"/orders/removeItem/{order_id}/{first}/2"))
        order = self.assertOrder(order_id, "OPEN", 7)
        self.assertEqual(order["items"], [second])

    def test_an_item_is_removed_and_added_again(self):
        user_id, item_id = self.new_user(credit=5), self.new_item(price=5, stock=1)
        order_id = self.new_order(user_id, (item_id, None))
        self.assertEqual(tu.remove_item_from_order(order_id, item_id), 200)
        self.assertOrder(order_id, "OPEN", 0)
        self.assertEqual(tu.add_item_to_order(order_id, item_id), 200)
        self.assertOK(tu.checkout_order(order_id))
        self.assertCredit(user_id, 0)
        self.assertStock(item_id, 0)

    def test_remove_an_item_that_is_not_in_the_cart(self):
        item_id, other = self.new_item(price=5), self.new_item(price=7)
        order_id = self.new_order(self.new_user(), (item_id, 2))
        with self.unchanged(orders=[order_id]):
            for suffix in ("", "/1"):
                self.assertProblem(tu.delete(f"/orders/removeItem/{order_id}/{other}{suffix}"), 404,
                                   "item-not-in-order", mentions=other)
            for quantity in (3, MAX_AMOUNT):
                self.assertProblem(tu.delete(f"/orders/removeItem/{order_id}/{item_id}/{quantity}"), 409,
                                   "too-few-in-order", mentions=item_id)

    def test_remove_an_order(self):
        order_id = self.new_order(self.new_user(), (self.new_item(), 1))
        self.assertOK(tu.delete(f"/orders/remove/{order_id}"))
        for response in (tu.get(f"/orders/find/{order_id}"), tu.delete(f"/orders/remove/{order_id}"),
                         tu.checkout_order(order_id)):
            self.assertProblem(response, 404, "order-not-found", mentions=order_id)

    def test_ids_never_collide(self):
        self.assertNoCollision(lambda: tu.create_order("anybody")["order_id"])


class TestCartLimits(Case):

    def test_pieces(self):
        item_id = self.new_item()
        order_id = self.new_order(self.new_user(), (item_id, MAX_PIECES))
        self.assertOrder(order_id, "OPEN", MAX_PIECES)
        with self.unchanged(orders=[order_id]):
            for suffix in ("", "/1", f"/{MAX_PIECES}", f"/{MAX_AMOUNT}"):
                self.assertProblem(tu.post(f"/orders/addItem/{order_id}/{item_id}{suffix}"), 409, "cart-full")
        self.assertEqual(tu.remove_item_from_order(order_id, item_id, 1), 200)
        self.assertEqual(tu.add_item_to_order(order_id, item_id), 200)

    def test_lines(self):
        """Checks out a full cart of 1,000 items on all shards."""
        self.batch_init(f"/stock/batch_init/{MAX_LINES + 1}/5/2")
        user_id = self.new_user(credit=2 * MAX_LINES)
        order_id = self.new_order(user_id)
        statuses = tu.post_all([f"/orders/addItem/{order_id}/{i}" for i in range(MAX_LINES)])
        self.assertEqual(Counter(statuses), {200: MAX_LINES})
        with self.unchanged(orders=[order_id]):
            self.assertProblem(tu.post(f"/orders/addItem/{order_id}/{MAX_LINES}"), 409, "cart-full")
        self.assertOrder(order_id, "OPEN", 2 * MAX_LINES)
        self.assertOK(tu.checkout_order(order_id))
        self.assertOrder(order_id, "PAID", 2 * MAX_LINES)
        self.assertCredit(user_id, 0)
        self.assertEqual({tu.find_item(str(i))["stock"] for i in range(MAX_LINES)}, {4})
        self.assertStock(str(MAX_LINES), 5)

    def test_total(self):
        """Checks that a total is refused if it is too large to be an exact integer."""
        item_id = self.new_item(price=MAX_AMOUNT)
        order_id = self.new_order(self.new_user(), (item_id, 9_007))
        self.assertOrder(order_id, "OPEN", 9_007 * MAX_AMOUNT)
        with self.unchanged(orders=[order_id]):
            for suffix in ("", "/1", "/993"):
                self.assertProblem(tu.post(f"/orders/addItem/{order_id}/{item_id}{suffix}"), 409, "balance-limit")
