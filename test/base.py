"""Fixtures and assertions of all test cases."""
import contextlib
import unittest
import uuid

import utils as tu

MAX_AMOUNT = 10 ** 12  # the largest single amount, price or quantity
MAX_SUM = 2 ** 53 - 1  # the largest balance or total

# Words about the implementation. An error response may contain such a word only if the URL of the request contains it.
INTERNALS = ("redis", "lua", "goroutine", "panic", "dial tcp", "127.0.0.1", ".go:", "wrongtype", "noscript",
             "evalsha", "nginx", "strconv", "upstream", "context deadline", "runtime error")


class Case(unittest.TestCase):
    def new_user(self, credit: int = 0) -> str:
        user_id = self.created(tu.post("/payment/create_user"), "user_id")
        if credit:
            self.assertEqual(tu.add_credit_to_user(user_id, credit), 200)
        return user_id

    def new_item(self, price: int = 1, stock: int = 0) -> str:
        item_id = self.created(tu.post(f"/stock/item/create/{price}"), "item_id")
        if stock:
            self.assertEqual(tu.add_stock(item_id, stock), 200)
        return item_id

    def new_order(self, user_id: str, *lines) -> str:
        """Creates an open order. Each line is an item ID and a quantity."""
        order_id = self.created(tu.post(f"/orders/create/{user_id}"), "order_id")
        for item_id, quantity in lines:
            self.assertEqual(tu.add_item_to_order(order_id, item_id, quantity), 200)
        return order_id

    def paid_order(self, user_id: str, *lines) -> str:
        order_id = self.new_order(user_id, *lines)
        self.assertOK(tu.checkout_order(order_id))
        return order_id

    def batch_init(self, path: str):
        """Runs batch_init. Skips the test if the deployment disables batch_init."""
        response = tu.post(path)
        if response.status_code == 403:
            self.assertProblem(response, 403, "batch-init-disabled")
            self.skipTest("batch_init is disabled")
        self.assertIsInstance(self.assertOK(response)["msg"], str)

    def created(self, response, field: str) -> str:
        """Returns the ID of a created object, which must be a UUID of version 7."""
        value = self.assertOK(response)[field]
        self.assertEqual(str(uuid.UUID(value)), value)
        self.assertEqual(uuid.UUID(value).version, 7)
        return value

    def assertOK(self, response):
        self.assertEqual(response.status_code, 200, f"{response.url}: {response.text[:300]}")
        self.assertEqual(media_type(response), "application/json", response.url)
        return response.json()

    def assertProblem(self, response, status: int, name: str = None, mentions: str = None) -> dict:
        """Checks that the response is a problem (RFC 9457) with these properties and without the words in INTERNALS."""
        where = f"{response.url[:200]}: {response.status_code} {response.text[:300]}"
        self.assertEqual(response.status_code, status, where)
        self.assertEqual(media_type(response), "application/problem+json", where)
        problem = response.json()
        self.assertLessEqual(set(problem), {"type", "title", "status", "detail", "request_id"}, where)
        self.assertEqual(problem["status"], status, where)
        if name:
            self.assertEqual(problem["type"], f"/problems/{name}", where)
        self.assertRegex(problem["type"], "^/problems/[a-z-]+$", where)
        for field in ("title", "detail"):
            self.assertIsInstance(problem[field], str, where)
            self.assertNotEqual(problem[field].strip(), "", where)
        if mentions:
            self.assertIn(mentions, problem["detail"], where)
        sent = response.url.removeprefix(tu.GATEWAY_URL).lower()
        for word in INTERNALS:
            if word not in sent:
                self.assertNotIn(word, response.text.lower(), where)
        return problem

    @contextlib.contextmanager
    def unchanged(self, users=(), items=(), orders=()):
        """Checks that these objects are the same before and after the block."""
        paths = [f"/payment/find_user/{user}" for user in users]
        paths += [f"/stock/find/{item}" for item in items]
        paths += [f"/orders/find/{order}" for order in orders]
        before = [self.assertOK(tu.get(path)) for path in paths]
        yield
        for path, was in zip(paths, before):
            now = self.assertOK(tu.get(path))
            if now != was:  # assertEqual takes minutes to compare large carts
                self.fail(f"{path}: {str(was)[:300]} became {str(now)[:300]}")

    def assertCredit(self, user_id: str, credit: int):
        self.assertEqual(tu.find_user(user_id), {"user_id": user_id, "credit": credit})

    def assertStock(self, item_id: str, stock: int):
        self.assertEqual(tu.find_item(item_id)["stock"], stock)

    def assertNoCollision(self, create):
        """Calls create() from many threads. Each call must return a different ID."""
        def ten():
            return [create() for _ in range(10)]

        ids = [value for share in tu.simultaneously([ten] * 16) for value in share]
        self.assertEqual(len(set(ids)), 160)

    def assertOrder(self, order_id: str, status: str, total: int) -> dict:
        """Checks the order's state and total, and that items, lines and total agree."""
        order = self.assertOK(tu.get(f"/orders/find/{order_id}"))
        self.assertEqual(order["order_id"], order_id)
        self.assertEqual((order["status"], order["total_cost"]), (status, total), order)
        self.assertIs(order["paid"], status == "PAID")
        self.assertEqual(order["total_cost"], sum(line["quantity"] * line["price"] for line in order["lines"]))
        pieces = [line["item_id"] for line in order["lines"] for _ in range(line["quantity"])]
        self.assertCountEqual(order["items"], pieces)
        return order


def media_type(response) -> str:
    return (response.headers.get("Content-Type") or "").split(";")[0].strip().lower()
