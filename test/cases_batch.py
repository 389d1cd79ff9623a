"""batch_init of the three services, which resets objects with decimal IDs for benchmarks."""
import uuid

import utils as tu
from base import MAX_AMOUNT, Case

__all__ = ["TestBatchInit"]


class TestBatchInit(Case):

    def test_items(self):
        self.batch_init("/stock/batch_init/10/50/7")
        for item_id in map(str, range(10)):
            self.assertEqual(tu.find_item(item_id), {"item_id": item_id, "price": 7, "stock": 50})
        self.assertEqual(tu.add_stock("0", 5), 200)
        self.assertEqual(tu.subtract_stock("9", 5), 200)
        self.assertStock("0", 55)
        self.assertStock("9", 45)

    def test_users(self):
        self.batch_init("/payment/batch_init/10/50")
        for user_id in map(str, range(10)):
            self.assertCredit(user_id, 50)
        self.assertEqual(tu.add_credit_to_user("0", 5), 200)
        self.assertEqual(tu.payment_pay("9", 5), 200)
        self.assertCredit("0", 55)
        self.assertCredit("9", 45)

    def test_orders(self):
        self.batch_init("/orders/batch_init/50/7/3/4")
        users, items = set(), set()
        for order_id in map(str, range(50)):
            order = self.assertOrder(order_id, "OPEN", 2 * 4)
            self.assertEqual(len(order["items"]), 2)
            users.add(order["user_id"])
            items.update(order["items"])
        self.assertLessEqual(users, set(map(str, range(3))))
        self.assertLessEqual(items, set(map(str, range(7))))
        self.assertGreater(len(users), 1)
        self.assertGreater(len(items), 1)

    def test_orders_of_one_item_and_one_user(self):
        self.batch_init("/orders/batch_init/3/1/1/4")
        for order_id in map(str, range(3)):
            order = self.assertOrder(order_id, "OPEN", 8)
            self.assertEqual((order["user_id"], order["items"]), ("0", ["0", "0"]))

    def test_orders_can_be_checked_out_and_cancelled(self):
        orders = [str(i) for i in range(20)]
        self.batch_init("/payment/batch_init/5/1000")
        self.batch_init("/stock/batch_init/10/1000/4")
        self.batch_init("/orders/batch_init/20/10/5/4")
        for response in tu.simultaneously([lambda order_id=order_id: tu.checkout_order(order_id) for order_id in orders]):
            self.assertOK(response)
        self.assertSums(users=5, credit=5 * 1000 - 20 * 8, items=10, stock=10 * 1000 - 20 * 2)
        for order_id in orders:
            order = self.assertOrder(order_id, "PAID", 8)
            self.assertEqual(tu.payment_cancel(order["user_id"], order_id), 200)
            self.assertOrder(order_id, "CANCELLED", 8)
        self.assertSums(users=5, credit=5 * 1000, items=10, stock=10 * 1000)

    def test_repeat_resets_everything(self):
        for _ in range(3):
            self.batch_init("/payment/batch_init/1/8")
            self.batch_init("/stock/batch_init/1/2/4")
            self.batch_init("/orders/batch_init/1/1/1/4")
            self.assertOrder("0", "OPEN", 8)
            self.assertEqual(tu.payment_status("0", "0"), {"paid": False})
            self.assertOK(tu.checkout_order("0"))
            self.assertOrder("0", "PAID", 8)
            self.assertCredit("0", 0)
            self.assertStock("0", 0)

    def test_a_line_keeps_the_price_at_which_it_was_added(self):
        user_id = self.new_user(credit=100)
        order_id = self.new_order(user_id)
        self.batch_init("/stock/batch_init/1/10/5")
        self.assertEqual(tu.add_item_to_order(order_id, "0", 2), 200)
        self.batch_init("/stock/batch_init/1/10/7")
        self.assertOrder(order_id, "OPEN", 2 * 5)
        self.assertEqual(tu.add_item_to_order(order_id, "0"), 200)
        order = self.assertOrder(order_id, "OPEN", 2 * 5 + 7)
        self.assertCountEqual(order["lines"], [{"item_id": "0", "quantity": 2, "price": 5},
                                               {"item_id": "0", "quantity": 1, "price": 7}])
        self.assertOK(tu.checkout_order(order_id))
        self.assertCredit(user_id, 100 - 17)
        self.assertStock("0", 7)

    def test_objects_with_uuids_are_unchanged(self):
        user_id, item_id = self.new_user(credit=5), self.new_item(price=5, stock=1)
        order_id = self.new_order(user_id, (item_id, 1))
        with self.unchanged(users=[user_id], items=[item_id], orders=[order_id]):
            self.batch_init("/payment/batch_init/3/8")
            self.batch_init("/stock/batch_init/3/2/4")
            self.batch_init("/orders/batch_init/3/3/3/4")

    def test_many_objects(self):
        """Writes several batches on every shard."""
        self.batch_init("/payment/batch_init/10000/8")
        self.batch_init("/stock/batch_init/10000/2/4")
        self.batch_init("/orders/batch_init/10000/10000/10000/4")
        for last in ("4999", "9998", "9999"):
            self.assertCredit(last, 8)
            self.assertEqual(tu.find_item(last), {"item_id": last, "price": 4, "stock": 2})
            self.assertOrder(last, "OPEN", 8)
        for path in ("/payment/find_user/", "/stock/find/", "/orders/find/"):
            self.assertProblem(tu.get(path + "4711000000"), 404)

    def test_a_decimal_id_has_one_spelling(self):
        self.batch_init("/stock/batch_init/3/50/7")
        self.batch_init("/payment/batch_init/3/50")
        self.batch_init("/orders/batch_init/3/3/3/7")
        for spelling in ("01", "+1", "-1", "1.0", "1e0", "%201", "0x1", str(uuid.UUID(int=1))):
            for path in ("/payment/find_user/", "/stock/find/", "/orders/find/"):
                self.assertProblem(tu.get(path + spelling), 404)

    def test_smallest_and_largest_numbers(self):
        self.batch_init("/stock/batch_init/1/0/0")
        self.assertEqual(tu.find_item("0"), {"item_id": "0", "price": 0, "stock": 0})
        self.batch_init("/payment/batch_init/1/0")
        self.assertCredit("0", 0)
        self.batch_init(f"/stock/batch_init/1/{MAX_AMOUNT}/{MAX_AMOUNT}")
        self.assertEqual(tu.find_item("0"), {"item_id": "0", "price": MAX_AMOUNT, "stock": MAX_AMOUNT})
        self.batch_init(f"/payment/batch_init/1/{MAX_AMOUNT}")
        self.assertCredit("0", MAX_AMOUNT)
        self.batch_init(f"/orders/batch_init/1/1/1/{MAX_AMOUNT}")
        self.assertOrder("0", "OPEN", 2 * MAX_AMOUNT)

    def assertSums(self, users: int, credit: int, items: int, stock: int):
        self.assertEqual(sum(tu.find_user(str(i))["credit"] for i in range(users)), credit)
        self.assertEqual(sum(tu.find_item(str(i))["stock"] for i in range(items)), stock)
