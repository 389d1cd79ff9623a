"""Bad numbers, IDs, methods and paths on every route. Each bad request is rejected and changes nothing."""
import uuid

import utils as tu
from base import MAX_AMOUNT, Case

__all__ = ["TestBadNumbers", "TestUnknownIDs", "TestMethods", "TestUnknownRoutes", "TestIndex"]

# Invalid numbers, many of which a lenient parser accepts or truncates ("1e3", "0x10", "5abc", "+5").
NOT_A_NUMBER = ("abc", "1.5", "1.0", ".5", "1e3", "0x10", "+5", "1_000", "1,5", "NaN", "Infinity", "null", "true", "--1",
                "5abc", "%20", "%205", "5%20", "%0a", "5%0a", "%09", "%22", "%27", "%7b%7d", "%ff", "5%ff", "%c2%b2",
                "%d9%a5", "%ef%bc%95", "%2550", "$1", "*", "5;", "5%3fx", "-")
NEGATIVE = ("-1", "-5", "-1.5", "-9223372036854775808", str(-10 ** 30))
TOO_LARGE = tuple(map(str, (MAX_AMOUNT + 1, 2 ** 53, 2 ** 63 - 1, 2 ** 63, 2 ** 64 + 5, 10 ** 30))) + ("9" * 300,)
BAD_PRICES = NOT_A_NUMBER + NEGATIVE + TOO_LARGE
BAD_NUMBERS = BAD_PRICES + ("0", "00", "-0")

# IDs that no service creates.
NO_IDS = ("4711000000", "-1", "1.5", "0x1", "junk", "null", "undefined", "%20", "%c3%a9", "%f0%9f%9b%92", "%22", "{x}", "*",
          "a:b", "o:1", "{s0}i:0", "%0d%0aSET", "x" * 300, "9" * 300, "y" * 3000,
          "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff")


class TestBadNumbers(Case):

    @classmethod
    def setUpClass(cls):
        case = cls()
        cls.user_id = case.new_user(credit=100)
        cls.item_id = case.new_item(price=5, stock=100)
        cls.order_id = case.new_order(cls.user_id, (cls.item_id, 10))

    def refuse(self, method: str, prefix: str, numbers, suffix: str = ""):
        """Checks that each number is rejected as invalid-number and changes nothing."""
        with self.unchanged([self.user_id], [self.item_id], [self.order_id]):
            for number in numbers:
                with self.subTest(method=method, path=f"{prefix}/{number[:40]}{suffix}"):
                    self.assertProblem(tu.raw(f"{prefix}/{number}{suffix}", method), 400, "invalid-number")

    def test_item_create(self):
        self.refuse("POST", "/stock/item/create", BAD_PRICES)

    def test_stock_add(self):
        self.refuse("POST", f"/stock/add/{self.item_id}", BAD_NUMBERS)

    def test_stock_subtract(self):
        self.refuse("POST", f"/stock/subtract/{self.item_id}", BAD_NUMBERS)

    def test_add_funds(self):
        self.refuse("POST", f"/payment/add_funds/{self.user_id}", BAD_NUMBERS)

    def test_pay(self):
        self.refuse("POST", f"/payment/pay/{self.user_id}", BAD_NUMBERS)

    def test_pay_for_an_order(self):
        self.refuse("POST", f"/payment/pay/{self.user_id}/{self.order_id}", BAD_NUMBERS)
        self.assertEqual(tu.payment_status(self.user_id, self.order_id), {"paid": False})

    def test_add_item(self):
        self.refuse("POST", f"/orders/addItem/{self.order_id}/{self.item_id}", BAD_NUMBERS)

    def test_remove_item(self):
        self.refuse("DELETE", f"/orders/removeItem/{self.order_id}/{self.item_id}", BAD_NUMBERS)

    def test_batch_init(self):
        self.batch_init("/payment/batch_init/2/8")
        self.batch_init("/stock/batch_init/2/9/4")
        self.batch_init("/orders/batch_init/2/2/2/4")
        few = ("-1", "1.5", "abc", "%20", str(MAX_AMOUNT + 1), str(10 ** 30))
        with self.unchanged(["0", "1"], ["0", "1"], ["0", "1"]):
            self.refuse("POST", "/payment/batch_init", ("0", *few), "/5")
            self.refuse("POST", "/payment/batch_init/3", few)
            self.refuse("POST", "/stock/batch_init", ("0", *few), "/5/5")
            self.refuse("POST", "/stock/batch_init/3", few, "/5")
            self.refuse("POST", "/stock/batch_init/3/5", few)
            self.refuse("POST", "/orders/batch_init", ("0", *few), "/3/3/5")
            self.refuse("POST", "/orders/batch_init/3", ("0", *few), "/3/5")
            self.refuse("POST", "/orders/batch_init/3/3", ("0", *few), "/5")
            self.refuse("POST", "/orders/batch_init/3/3/3", few)

    def test_batch_init_of_too_many_objects(self):
        """The maximum number of objects is smaller than the maximum amount, so that no request fills the memory."""
        self.batch_init("/payment/batch_init/2/8")
        with self.unchanged(users=["0", "1"]):
            for path in (f"/payment/batch_init/{MAX_AMOUNT}/5", f"/stock/batch_init/{MAX_AMOUNT}/5/5",
                         f"/orders/batch_init/{MAX_AMOUNT}/3/3/5"):
                self.assertProblem(tu.post(path), 400, "invalid-number")

    def test_no_number(self):
        """A path without its number is rejected. Only the quantity in addItem and removeItem is optional."""
        with self.unchanged([self.user_id], [self.item_id], [self.order_id]):
            for method, path in (("POST", "/stock/item/create"),
                                 ("POST", f"/stock/add/{self.item_id}"),
                                 ("POST", f"/stock/subtract/{self.item_id}"),
                                 ("POST", f"/payment/add_funds/{self.user_id}"),
                                 ("POST", f"/payment/pay/{self.user_id}"),
                                 ("POST", "/payment/batch_init/3"),
                                 ("POST", "/stock/batch_init/3/3"),
                                 ("POST", "/orders/batch_init/3/3/3")):
                for slashes in ("", "/", "//"):
                    with self.subTest(path=path + slashes):
                        self.assertProblem(tu.raw(path + slashes, method), 404, "route-not-found")
            for method, path in (("POST", f"/orders/addItem/{self.order_id}/{self.item_id}/"),
                                 ("DELETE", f"/orders/removeItem/{self.order_id}/{self.item_id}/"),
                                 ("POST", f"/payment/pay/{self.user_id}/{self.order_id}/")):
                with self.subTest(path=path):
                    response = tu.raw(path, method)
                    self.assertIn(response.status_code, (400, 404))
                    self.assertProblem(response, response.status_code)


class TestUnknownIDs(Case):

    def test_items(self):
        order_id = self.new_order(self.new_user(), (self.new_item(), 1))
        with self.unchanged(orders=[order_id]):
            for item_id in (*NO_IDS, str(uuid.uuid4()), self.new_user(), self.new_order("x")):
                for method, path in (("GET", f"/stock/find/{item_id}"),
                                     ("POST", f"/stock/add/{item_id}/1"),
                                     ("POST", f"/stock/subtract/{item_id}/1"),
                                     ("POST", f"/orders/addItem/{order_id}/{item_id}"),
                                     ("POST", f"/orders/addItem/{order_id}/{item_id}/1")):
                    self.unknown(method, path, "item-not-found", item_id)

    def test_items_not_in_the_cart(self):
        order_id = self.new_order(self.new_user(), (self.new_item(), 1))
        with self.unchanged(orders=[order_id]):
            for item_id in (*NO_IDS, str(uuid.uuid4())):
                for path in (f"/orders/removeItem/{order_id}/{item_id}", f"/orders/removeItem/{order_id}/{item_id}/1"):
                    self.unknown("DELETE", path, "item-not-in-order", item_id)

    def test_users(self):
        order_id = self.new_order(self.new_user())
        for user_id in (*NO_IDS, str(uuid.uuid4()), self.new_item(), order_id):
            for method, path in (("GET", f"/payment/find_user/{user_id}"),
                                 ("POST", f"/payment/add_funds/{user_id}/1"),
                                 ("POST", f"/payment/pay/{user_id}/1"),
                                 ("POST", f"/payment/pay/{user_id}/{order_id}/1"),
                                 ("POST", f"/payment/cancel/{user_id}/{order_id}"),
                                 ("GET", f"/payment/status/{user_id}/{order_id}"),
                                 ("POST", f"/payment/status/{user_id}/{order_id}")):
                self.unknown(method, path, "user-not-found", user_id)

    def test_orders(self):
        item_id = self.new_item(price=1, stock=5)
        with self.unchanged(items=[item_id]):
            for order_id in (*NO_IDS, str(uuid.uuid4()), item_id, self.new_user()):
                for method, path in (("GET", f"/orders/find/{order_id}"),
                                     ("POST", f"/orders/checkout/{order_id}"),
                                     ("POST", f"/orders/addItem/{order_id}/{item_id}"),
                                     ("POST", f"/orders/addItem/{order_id}/{item_id}/1"),
                                     ("DELETE", f"/orders/removeItem/{order_id}/{item_id}"),
                                     ("DELETE", f"/orders/removeItem/{order_id}/{item_id}/1"),
                                     ("DELETE", f"/orders/remove/{order_id}")):
                    self.unknown(method, path, "order-not-found", order_id)

    def test_ids_of_another_spelling(self):
        """IDs are compared as strings, so other spellings of a UUID are unknown."""
        item_id = self.new_item(price=1, stock=5)
        with self.unchanged(items=[item_id]):
            for other in (item_id.upper(), item_id.replace("-", ""), "urn:uuid:" + item_id, "{" + item_id + "}",
                          item_id + "%20", item_id + "%0a", item_id[:-1], item_id + "0"):
                self.unknown("POST", f"/stock/add/{other}/1", "item-not-found", other)

    def test_ids_too_long_to_be_stored(self):
        """IDs that are stored without a lookup, such as the user of an order, have a maximum length."""
        user_id = self.new_user(credit=5)
        longest, too_long = "x" * 256, "x" * 257
        self.assertEqual(tu.find_order(self.new_order(longest))["user_id"], longest)
        self.assertProblem(tu.post(f"/orders/create/{too_long}"), 400, "bad-request")
        self.assertEqual(tu.payment_pay(user_id, longest, 1), 200)
        with self.unchanged(users=[user_id]):
            self.assertProblem(tu.post(f"/payment/pay/{user_id}/{too_long}/1"), 400, "bad-request")

    def unknown(self, method: str, path: str, name: str, value: str):
        with self.subTest(method=method, path=path[:120]):
            plain = value.isalnum() and len(value) < 40
            self.assertProblem(tu.raw(path, method), 404, name, mentions=value if plain else None)


class TestMethods(Case):
    METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND")

    def test_wrong_methods(self):
        user_id, item_id = self.new_user(credit=10), self.new_item(price=1, stock=5)
        order_id = self.new_order(user_id, (item_id, 2))
        routes = {
            f"/orders/create/{user_id}": "POST", f"/orders/remove/{order_id}": "DELETE",
            f"/orders/addItem/{order_id}/{item_id}": "POST", f"/orders/addItem/{order_id}/{item_id}/1": "POST",
            f"/orders/removeItem/{order_id}/{item_id}": "DELETE", f"/orders/removeItem/{order_id}/{item_id}/1": "DELETE",
            f"/orders/find/{order_id}": "GET", f"/orders/checkout/{order_id}": "POST",
            "/orders/batch_init/1/1/1/1": "POST",
            "/stock/item/create/5": "POST", f"/stock/find/{item_id}": "GET", f"/stock/add/{item_id}/1": "POST",
            f"/stock/subtract/{item_id}/1": "POST", "/stock/batch_init/1/1/1": "POST",
            "/payment/create_user": "POST", f"/payment/find_user/{user_id}": "GET",
            f"/payment/add_funds/{user_id}/1": "POST", f"/payment/pay/{user_id}/1": "POST",
            f"/payment/pay/{user_id}/{order_id}/1": "POST", f"/payment/cancel/{user_id}/{order_id}": "POST",
            f"/payment/status/{user_id}/{order_id}": "GET POST", "/payment/batch_init/1/1": "POST",
            "/orders/": "GET", "/stock/": "GET", "/payment/": "GET",
            "/orders/ping": "GET", "/stock/ping": "GET", "/payment/ping": "GET",
        }
        with self.unchanged([user_id], [item_id], [order_id]):
            for path, allowed in routes.items():
                for method in self.METHODS:
                    if method in allowed.split():
                        continue
                    with self.subTest(method=method, path=path):
                        response = tu.raw(path, method)
                        self.assertProblem(response, 405, "method-not-allowed")
                        listed = {word.strip() for word in response.headers.get("Allow", "").split(",")}
                        self.assertEqual(listed - {"HEAD", "OPTIONS"}, set(allowed.split()))

    def test_options_lists_the_methods(self):
        for path, allowed in {"/orders/find/1": "GET HEAD OPTIONS", "/orders/checkout/1": "OPTIONS POST",
                              "/orders/remove/1": "DELETE OPTIONS", "/payment/status/1/1": "GET HEAD OPTIONS POST",
                              "/stock/": "GET HEAD OPTIONS", "/docs": "GET HEAD OPTIONS"}.items():
            with self.subTest(path=path):
                response = tu.raw(path, "OPTIONS")
                self.assertEqual(response.status_code, 204)
                self.assertEqual(sorted(response.headers["Allow"].split(", ")), allowed.split())

    def test_head_has_the_headers_of_get(self):
        for path in ("/orders/ping", "/stock/find/none", "/docs", "/", "/openapi.json", "/nothing"):
            with self.subTest(path=path):
                response, same = tu.raw(path), tu.raw(path, "HEAD")
                self.assertEqual((same.status_code, same.text), (response.status_code, ""))
                for name in ("Content-Type", "Content-Length", "Cache-Control"):
                    self.assertEqual(same.headers[name], response.headers[name])

    def test_methods_that_the_gateway_refuses(self):
        for method in ("TRACE", "CONNECT"):
            with self.subTest(method=method):
                response = tu.raw("/orders/ping", method)
                self.assertIn(response.status_code, (400, 405))
                self.assertEqual(response.headers.get_content_type(), "application/problem+json")


class TestUnknownRoutes(Case):

    def test_the_predecessors_administrative_routes(self):
        user_id, item_id = self.new_user(credit=10), self.new_item(price=1, stock=5)
        order_id = self.new_order(user_id, (item_id, 2))
        with self.unchanged([user_id], [item_id], [order_id]):
            for service in ("orders", "stock", "payment"):
                for path in ("drop-database", "redis-exec", "restart", "tx/checkout/prepare/1", "tx/checkout/commit/1",
                             "tx/checkout/abort/1", "prepare/1", "commit/1", "abort/1", "prepare-checkout-tx/1",
                             "commit-checkout-tx/1", "abort-checkout-tx/1", "rollback/1", "reserve", "release", "confirm",
                             "refund", "flush", "debug", "admin", "metrics", "healthz", "readyz", "debug/pprof/",
                             "debug/vars", "internal", "internal/", "internal/reserve"):
                    for method in ("GET", "POST", "DELETE"):
                        with self.subTest(method=method, path=f"/{service}/{path}"):
                            response = tu.raw(f"/{service}/{path}", method, [("Content-Length", "9")], b"FLUSHALL\n")
                            self.assertProblem(response, 404, "route-not-found")

    def test_paths_outside_the_services(self):
        for path in ("/nothing", "/order/find/1", "/orderss/find/1", "/stocks/", "/payments/", "/users/create",
                     "/healthz", "/readyz", "/metrics", "/debug/pprof/", "/internal/reserve", "/nginx_status",
                     "/problems/none", "/favicon.ico", "/.env", "/index.html"):
            for method in ("GET", "POST"):
                with self.subTest(method=method, path=path):
                    self.assertProblem(tu.raw(path, method), 404, "route-not-found")

    def test_routes_that_are_too_short_or_too_long(self):
        user_id, item_id = self.new_user(credit=10), self.new_item(price=1, stock=5)
        order_id = self.new_order(user_id, (item_id, 2))
        with self.unchanged([user_id], [item_id], [order_id]):
            for method, path in (
                    ("POST", "/orders/create"), ("POST", f"/orders/create/{user_id}/1"), ("GET", "/orders/find"),
                    ("GET", f"/orders/find/{order_id}/1"), ("POST", "/orders/checkout"),
                    ("POST", f"/orders/checkout/{order_id}/1"), ("DELETE", "/orders/remove"),
                    ("DELETE", f"/orders/remove/{order_id}/1"), ("POST", f"/orders/addItem/{order_id}"),
                    ("POST", f"/orders/addItem/{order_id}/{item_id}/1/1"), ("DELETE", f"/orders/removeItem/{order_id}"),
                    ("DELETE", f"/orders/removeItem/{order_id}/{item_id}/1/1"), ("POST", "/stock/item/create/5/5"),
                    ("GET", "/stock/find"), ("GET", f"/stock/find/{item_id}/1"), ("POST", f"/stock/add/{item_id}/1/1"),
                    ("POST", "/payment/create_user/1"), ("GET", "/payment/find_user"),
                    ("POST", f"/payment/pay/{user_id}/{order_id}/1/1"), ("POST", f"/payment/cancel/{user_id}"),
                    ("GET", f"/payment/status/{user_id}"), ("GET", "/orders/ping/1")):
                for slash in ("", "/"):
                    with self.subTest(method=method, path=path + slash):
                        self.assertProblem(tu.raw(path + slash, method), 404, "route-not-found")


class TestIndex(Case):

    def test_index(self):
        for service in ("orders", "stock", "payment"):
            self.assertOK(tu.get(f"/{service}/"))

    def test_ping_lists_the_instance_and_every_shard(self):
        for service in ("orders", "stock", "payment"):
            with self.subTest(service=service):
                response = self.assertOK(tu.get(f"/{service}/ping"))
                self.assertRegex(response["machine"], r"^\d+/\d+$")
                self.assertGreaterEqual(len(response["shards"]), 1)
