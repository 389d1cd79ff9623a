"""The stock service."""
from collections import Counter

import utils as tu
from base import MAX_AMOUNT, MAX_SUM, Case

__all__ = ["TestStock"]


class TestStock(Case):

    def test_item_starts_empty(self):
        for price in (0, 1, 5, MAX_AMOUNT):
            with self.subTest(price=price):
                item_id = self.new_item(price)
                self.assertEqual(self.assertOK(tu.get(f"/stock/find/{item_id}")), {"item_id": item_id, "price": price, "stock": 0})

    def test_add_and_subtract(self):
        item_id = self.new_item(price=3)
        self.assertOK(tu.post(f"/stock/add/{item_id}/{MAX_AMOUNT}"))
        self.assertStock(item_id, MAX_AMOUNT)
        self.assertOK(tu.post(f"/stock/subtract/{item_id}/{MAX_AMOUNT - 1}"))
        self.assertStock(item_id, 1)
        self.assertOK(tu.post(f"/stock/subtract/{item_id}/1"))
        self.assertEqual(tu.find_item(item_id), {"item_id": item_id, "price": 3, "stock": 0})

    def test_subtract_more_than_there_is(self):
        item_id = self.new_item(stock=10)
        with self.unchanged(items=[item_id]):
            for amount in (11, MAX_AMOUNT):
                self.assertProblem(tu.post(f"/stock/subtract/{item_id}/{amount}"), 409, "insufficient-stock",
                                   mentions=item_id)

    def test_stock_is_limited_to_exact_integers(self):
        """2^53-1 is the largest integer that Lua, JavaScript and JSON parsers store exactly."""
        item_id = self.new_item()
        full, rest = divmod(MAX_SUM, MAX_AMOUNT)
        statuses = Counter(tu.post_all([f"/stock/add/{item_id}/{MAX_AMOUNT}"] * full))
        self.assertEqual(statuses, {200: full})
        self.assertStock(item_id, full * MAX_AMOUNT)
        with self.unchanged(items=[item_id]):
            for amount in (rest + 1, MAX_AMOUNT):
                self.assertProblem(tu.post(f"/stock/add/{item_id}/{amount}"), 409, "balance-limit")
        self.assertEqual(tu.add_stock(item_id, rest), 200)
        self.assertStock(item_id, MAX_SUM)
        with self.unchanged(items=[item_id]):
            self.assertProblem(tu.post(f"/stock/add/{item_id}/1"), 409, "balance-limit")
        self.assertEqual(tu.subtract_stock(item_id, 1), 200)
        self.assertStock(item_id, MAX_SUM - 1)

    def test_ids_never_collide(self):
        self.assertNoCollision(lambda: tu.create_item(1)["item_id"])
