"""The gateway hides internal routes, however a client spells them, and rejects oversized and malformed requests."""
import json
import uuid

import utils as tu
from base import Case, media_type

__all__ = ["TestInternalPort", "TestSpellings", "TestOversize", "TestMalformed"]

# Spellings that a careless gateway might route to the internal port. {} is an internal path, such as
# internal/reserve. [] is a service, such as orders.
SPELLINGS = (
    "/{}", "//{}", "///{}", "/./{}", "/%2f{}", "/{}/", "/{}?", "/{}?x=/orders/", "/{}#", "/{};x", "/%20{}", "{}",
    "/[]/{}", "/[]/{}/", "/[]//{}", "//[]//{}", "///[]///{}", "/[]/./{}", "/./[]/{}", "/[]/%2e/{}", "/[]/{}/.", "/[]/{}?a=b",
    "/[]/x/../{}", "/[]/x/%2e%2e/{}", "/[]/../{}", "/[]/%2e%2e/{}", "/[]/.%2E/{}", "/[]/..%2f{}", "/[]%2f..%2f{}",
    "/[]/../[]/{}", "/[]/..;/{}", "/[]/..%5c{}", "/[]/..\\{}", "/[]\\{}", "/[]%5c{}", "/[]%2f{}", "/[]%2F%2F{}", "/[]/%2f{}",
    "/[]/%252f{}", "/[]/%252e%252e/{}", "/[]/%2e%2e%2f{}", "/[]/%2e%2e%2f%2e%2e%2f{}", "/[]/../../{}", "/../{}", "/%2e%2e/{}",
    "/[];/{}", "/[]/;/{}", "/[]/{};", "/[]/{}%00", "/[]/%00/{}", "/[]/{}%20", "/[]/%20/{}", "/[]/{}%0a", "/[]/%09{}",
    "/[]/{}%23", "/[]/{}%3f", "/[]/find/../{}", "/[]/find/%2e%2e/{}", "/[]/find/..%2f{}", "/[]/ping/../{}",
    "/[]/find/x/../../{}", "/[]/checkout/../{}", "/[]/checkout/..%2f{}", "/[]/checkout/%2e%2e%2f{}", "/[]/remove/../{}",
    "/[]/create/..%2f..%2f{}", "http://127.0.0.1:5001/{}", "http://order:5001/{}", "http://localhost:5001/[]/{}",
    "http://[]:5001/{}", "http://[]/{}", "https://localhost/{}", "HTTP://LOCALHOST/[]/{}",
)


class TestInternalPort(Case):

    def test_no_spelling_reaches_it(self):
        user_id, item_id = self.new_user(credit=10), self.new_item(price=1, stock=10)
        order_id = self.new_order(user_id, (item_id, 2))
        attack = json.dumps([
            {"id": str(uuid.uuid4()), "until": 2 ** 52, "lines": [{"id": target, "n": 1}]}
            for target in (item_id, user_id)]).encode()
        with self.unchanged([user_id], [item_id], [order_id]):
            for service in ("orders", "stock", "payment"):
                for path in ("internal/reserve", "internal/refund", "readyz"):
                    for name in self.names(path):
                        for spelling in SPELLINGS:
                            self.refused(spelling.replace("[]", service).replace("{}", name), attack)

    def names(self, path: str):
        """Yields the path. For internal/reserve, also yields other letter cases, encodings and slashes."""
        yield path
        if path == "internal/reserve":
            yield path.upper()
            yield path.title()
            yield "%69" + path[1:]
            yield "".join(f"%{ord(letter):02x}" for letter in path)
            yield path.replace("/", "//")
            yield path.replace("/", "%2f")

    def refused(self, target: str, attack: bytes):
        method = "GET" if "readyz" in target else "POST"
        with self.subTest(method=method, target=target):
            headers = [("Content-Type", "application/json"), ("Content-Length", len(attack))]
            response = tu.raw(target, method, headers, attack)
            self.assertIn(response.status_code, (400, 404), response.text[:300])
            self.assertEqual(media_type(response), "application/problem+json")

    def test_no_header_reaches_it(self):
        """Sends requests with other hosts, and with headers from which some gateways read the path."""
        for host in ("localhost:5001", "order:5001", "stock", "127.0.0.1:5001", "payment-1.payment:5001"):
            for path in ("/internal/reserve", "/readyz", "/orders/readyz", "/debug/pprof/"):
                with self.subTest(host=host, path=path):
                    self.assertProblem(tu.raw(path, host=host), 404, "route-not-found")
        for header in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Path", "X-Forwarded-Prefix", "X-Forwarded-Uri",
                       "X-HTTP-Method-Override", "X-Forwarded-Host", "Upgrade"):
            with self.subTest(header=header):
                response = tu.raw("/stock/nothing", headers=[(header, "/readyz")])
                self.assertProblem(response, 404, "route-not-found")


class TestSpellings(Case):

    def test_harmless_spellings_of_a_public_route(self):
        """Similar spellings of a public route must work. Otherwise TestInternalPort could pass only because its requests are malformed."""
        user_id = self.new_user(credit=10)
        for spelling in ("/payment/find_user/{}", "//payment/find_user/{}", "/payment//find_user/{}", "/payment//find_user//{}",
                         "/./payment/./find_user/{}", "/orders/../payment/find_user/{}", "/orders/%2e%2e/payment/find_user/{}",
                         "/payment/%66ind_user/{}", "/payment/x/../find_user/{}", "/payment/find_user/{}?x=y",
                         "http://elsewhere:1/payment/find_user/{}"):
            with self.subTest(spelling=spelling):
                response = self.assertOK(tu.raw(spelling.replace("{}", user_id)))
                self.assertEqual(response, {"user_id": user_id, "credit": 10})

    def test_nothing_is_redirected(self):
        """Checks that no service redirects. A redirect would lack the prefix that the gateway removes."""
        for service in ("orders", "stock", "payment"):
            for path in (f"/{service}", f"/{service}/", f"/{service}//", f"//{service}", f"/{service}/ping/", f"/{service}/find",
                         f"/{service}/find/", f"/{service}/PING", f"/{service}/./ping"):
                for method in ("GET", "POST"):
                    with self.subTest(method=method, path=path):
                        response = tu.raw(path, method)
                        self.assertIn(response.status_code, (200, 404, 405))
                        self.assertIsNone(response.headers.get("Location"))


class TestOversize(Case):

    def test_bodies(self):
        user_id, item_id = self.new_user(credit=10), self.new_item(price=1, stock=10)
        order_id = self.new_order(user_id, (item_id, 2))
        with self.unchanged([user_id], [item_id], [order_id]):
            for path in (f"/orders/checkout/{order_id}", f"/orders/addItem/{order_id}/{item_id}", f"/stock/add/{item_id}/1",
                         f"/stock/subtract/{item_id}/1", f"/payment/pay/{user_id}/1", f"/payment/add_funds/{user_id}/1",
                         "/payment/create_user"):
                for size in (2 ** 20, 2 ** 24, 2 ** 62):
                    with self.subTest(path=path, announced=size):
                        response = tu.raw(path, "POST", [("Content-Length", size)])
                        self.assertProblem(response, 413, "payload-too-large")
                with self.subTest(path=path, chunked=True):
                    size = 2 ** 21
                    response = tu.raw(path, "POST", [("Transfer-Encoding", "chunked")],
                                      f"{size:x}\r\n".encode() + b"x" * size + b"\r\n0\r\n\r\n")
                    self.assertProblem(response, 413, "payload-too-large")

    def test_a_small_body_is_ignored(self):
        item_id = self.new_item()
        for headers, body in (([("Content-Length", 2)], b"{}"), ([("Content-Length", 4096)], b"x" * 4096),
                              ([("Transfer-Encoding", "chunked")], b"5\r\nhello\r\n0\r\n\r\n")):
            self.assertOK(tu.raw(f"/stock/add/{item_id}/1", "POST", headers, body))
        self.assertStock(item_id, 3)

    def test_request_lines(self):
        for length in (9_000, 20_000, 100_000):
            for path in ("/orders/find/", "/stock/find/", "/payment/find_user/", "/", "/stock/find/x?"):
                with self.subTest(path=path, length=length):
                    self.assertProblem(tu.raw(path + "x" * length), 414, "uri-too-long")

    def test_headers(self):
        for headers in ([("X-Large", "x" * 9_000)], [(f"X-Many-{i}", "x" * 4_000) for i in range(30)]):
            self.assertProblem(tu.raw("/stock/ping", headers=headers), 431, "headers-too-large")


class TestMalformed(Case):

    def test_malformed_requests(self):
        item_id = self.new_item(stock=1)
        add = f"POST /stock/add/{item_id}/1 HTTP/1.1\r\n"
        with self.unchanged(items=[item_id]):
            for text in (
                    add + "\r\n",  # no Host
                    add + "Host: a\r\nHost: b\r\n\r\n",
                    add + "Host: a b\r\n\r\n",
                    add + "Host: a\r\nContent-Length: -1\r\n\r\n",
                    add + "Host: a\r\nContent-Length: abc\r\n\r\n",
                    add + "Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
                    add + "Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    add + "Host: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                    add + "Host: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
                    add.replace("/1 HTTP", "/1 2 HTTP") + "Host: a\r\n\r\n",
                    add.replace("/1 HTTP", "/%zz HTTP") + "Host: a\r\n\r\n",
                    add.replace("/1 HTTP", "/1% HTTP") + "Host: a\r\n\r\n",
                    add.replace("/1 HTTP", "/1%00 HTTP") + "Host: a\r\n\r\n",
                    add.replace("HTTP/1.1", "HTTP/3.0") + "Host: a\r\n\r\n",
                    add.replace("POST", "post") + "Host: a\r\n\r\n",
                    "GET\r\n\r\n", "\0\r\n\r\n", "{}\r\n\r\n"):
                with self.subTest(text=text):
                    self.assertProblem(tu.raw_bytes(text.encode()), 400, "bad-request")

    def test_a_request_id_cannot_break_the_response(self):
        for request_id in ('"', '","status":200,"x":"', "x" * 3_000, "\t", "<b>"):
            for path in ("/stock/nothing", "/nothing"):
                with self.subTest(path=path, request_id=request_id[:20]):
                    problem = self.assertProblem(tu.raw(path, headers=[("X-Request-Id", request_id)]), 404, "route-not-found")
                    self.assertNotEqual(problem["request_id"], request_id)

    def test_a_request_id_is_returned(self):
        for path in ("/stock/nothing", "/nothing"):
            response = tu.raw(path, headers=[("X-Request-Id", "my-request.1")])
            self.assertEqual(self.assertProblem(response, 404)["request_id"], "my-request.1")
            self.assertEqual(response.headers.get_all("X-Request-Id"), ["my-request.1"])
