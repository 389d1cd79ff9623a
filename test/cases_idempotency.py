"""The header Idempotency-Key: a retried write runs once and gets the same response."""
import uuid

import utils as tu
from base import Case

__all__ = ["TestIdempotencyKey"]

REPLAYED = "Idempotent-Replayed"


def send(path: str, key: str, method: str = "POST"):
    return tu.call(method, path, headers={"Idempotency-Key": key})


class TestIdempotencyKey(Case):

    def assertRunsOnce(self, path: str, method: str = "POST") -> dict:
        """Sends a request three times with one key. Returns the body, which is the same each time."""
        key = str(uuid.uuid4())
        first = send(path, key, method)
        body = self.assertOK(first)
        self.assertNotIn(REPLAYED, first.headers)
        for again in (key, f'"{key}"'):  # a quoted key is the same key
            replay = send(path, again, method)
            self.assertEqual(self.assertOK(replay), body)
            self.assertEqual(replay.headers[REPLAYED], "true")
        return body

    def assertReused(self, path: str, key: str, method: str = "POST"):
        self.assertProblem(send(path, key, method), 422, "idempotency-key-reused", mentions=key)

    def test_creates(self):
        for path, field in (("/payment/create_user", "user_id"), ("/stock/item/create/5", "item_id"),
                            ("/orders/create/anybody", "order_id")):
            with self.subTest(path=path):
                ids = {self.assertRunsOnce(path)[field] for _ in range(8)}  # enough to reach every shard
                self.assertEqual(len(ids), 8)
        item_id = self.assertRunsOnce("/stock/item/create/7")["item_id"]
        self.assertEqual(tu.find_item(item_id), {"item_id": item_id, "price": 7, "stock": 0})

    def test_stock(self):
        item_id = self.new_item(price=3)
        self.assertRunsOnce(f"/stock/add/{item_id}/10")
        self.assertStock(item_id, 10)
        self.assertRunsOnce(f"/stock/subtract/{item_id}/4")
        self.assertStock(item_id, 6)

    def test_payment(self):
        user_id = self.new_user()
        self.assertEqual(self.assertRunsOnce(f"/payment/add_funds/{user_id}/100"), {"done": True})
        self.assertRunsOnce(f"/payment/pay/{user_id}/10")
        self.assertRunsOnce(f"/payment/pay/{user_id}/some-order/20")
        self.assertCredit(user_id, 70)

    def test_cart(self):
        user_id, item_id = self.new_user(), self.new_item(price=3)
        order_id = self.new_order(user_id)
        self.assertRunsOnce(f"/orders/addItem/{order_id}/{item_id}/4")
        self.assertRunsOnce(f"/orders/addItem/{order_id}/{item_id}")
        self.assertOrder(order_id, "OPEN", 15)
        self.assertRunsOnce(f"/orders/removeItem/{order_id}/{item_id}/2", "DELETE")
        self.assertRunsOnce(f"/orders/removeItem/{order_id}/{item_id}", "DELETE")
        self.assertOrder(order_id, "OPEN", 6)
        self.assertRunsOnce(f"/orders/remove/{order_id}", "DELETE")
        self.assertProblem(tu.get(f"/orders/find/{order_id}"), 404, "order-not-found")

    def test_a_refusal_is_replayed(self):
        """The service also replays a refusal, even if the request would succeed now."""
        user_id, item_id, key = self.new_user(credit=5), self.new_item(stock=5), str(uuid.uuid4())
        first = send(f"/payment/pay/{user_id}/10", key)
        self.assertProblem(first, 402, "insufficient-credit")
        self.assertNotIn(REPLAYED, first.headers)
        self.assertProblem(send(f"/stock/subtract/{item_id}/10", key), 409, "insufficient-stock")
        tu.add_credit_to_user(user_id, 100)
        tu.add_stock(item_id, 100)
        for path, status, name in ((f"/payment/pay/{user_id}/10", 402, "insufficient-credit"),
                                   (f"/stock/subtract/{item_id}/10", 409, "insufficient-stock")):
            with self.unchanged(users=[user_id], items=[item_id]):
                again = send(path, key)
                self.assertProblem(again, status, name)
                self.assertEqual(again.headers[REPLAYED], "true")
        self.assertRunsOnce(f"/payment/pay/{user_id}/10")  # a new key is a new request
        self.assertCredit(user_id, 95)

    def test_another_request_with_the_key(self):
        """Checks that any other request with a used key is refused, on every shard."""
        user_id, item_id = self.new_user(credit=100), self.new_item(price=3, stock=100)
        others = [self.new_item(stock=100) for _ in range(4)]
        order_id, key = self.new_order(user_id), str(uuid.uuid4())
        self.assertOK(send(f"/stock/add/{item_id}/1", key))
        self.assertOK(send(f"/payment/pay/{user_id}/1", key))  # each service has its own keys
        self.assertOK(send(f"/orders/addItem/{order_id}/{item_id}", key))
        with self.unchanged(users=[user_id], items=[item_id, *others], orders=[order_id]):
            for path in (f"/stock/add/{item_id}/2", f"/stock/subtract/{item_id}/1", "/stock/item/create/1",
                         f"/payment/pay/{user_id}/2", f"/payment/add_funds/{user_id}/1", "/payment/create_user",
                         f"/payment/pay/{user_id}/{order_id}/1", f"/orders/addItem/{order_id}/{item_id}/1",
                         "/orders/create/anybody", *(f"/stock/add/{other}/1" for other in others)):
                with self.subTest(path=path):
                    self.assertReused(path, key)
            self.assertReused(f"/orders/remove/{order_id}", key, "DELETE")
            self.assertReused(f"/orders/removeItem/{order_id}/{item_id}", key, "DELETE")

    def test_simultaneous_requests(self):
        """Sends simultaneous requests with one key to all instances. Only one of these requests runs."""
        item_id, key = self.new_item(), str(uuid.uuid4())
        responses = tu.simultaneously([lambda: send(f"/stock/add/{item_id}/5", key)] * 32)
        for response in responses:
            self.assertOK(response)
        self.assertEqual(sum(REPLAYED not in response.headers for response in responses), 1)
        self.assertStock(item_id, 5)
        ids = [self.assertOK(response)["user_id"] for response in
               tu.simultaneously([lambda: send("/payment/create_user", key)] * 32)]
        self.assertEqual(len(set(ids)), 1)

    def test_malformed_key(self):
        item_id = self.new_item()
        order_id = self.new_order(self.new_user(), (item_id, 1))
        with self.unchanged(items=[item_id], orders=[order_id]):
            for key in ("", '""', '"', '"open', 'a"b', "two words", '"a";b=1', "x" * 256, f'"{"x" * 256}"'):
                with self.subTest(key=key):
                    self.assertProblem(send(f"/stock/add/{item_id}/1", key), 400, "idempotency-key-malformed")
                    for path in (f"/orders/removeItem/{order_id}/{item_id}", f"/orders/remove/{order_id}"):
                        self.assertProblem(send(path, key, "DELETE"), 400, "idempotency-key-malformed")
            self.assertProblem(tu.raw(f"/stock/add/{item_id}/1", "POST",
                                      [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]), 400)
        self.assertRunsOnce(f"/stock/add/{item_id}/1")
        self.assertOK(send(f"/stock/add/{item_id}/1", uuid.uuid4().hex + "x" * 223))

    def test_bad_input_is_not_remembered(self):
        item_id, key = self.new_item(), str(uuid.uuid4())
        self.assertProblem(send(f"/stock/add/{item_id}/0", key), 400, "invalid-number")
        self.assertOK(send(f"/stock/add/{item_id}/1", key))

    def test_a_key_is_ignored_by_idempotent_routes(self):
        user_id, item_id, key = self.new_user(credit=100), self.new_item(price=3, stock=100), "ignored"
        first, second = (self.new_order(user_id, (item_id, 1)) for _ in range(2))
        for path in (f"/orders/checkout/{first}", f"/orders/checkout/{second}", f"/payment/cancel/{user_id}/{first}",
                     f"/payment/status/{user_id}/{second}"):
            self.assertNotIn(REPLAYED, send(path, key).headers)
        self.assertStock(item_id, 99)
        self.assertCredit(user_id, 97)
