"""The API as Python functions. The course's utils.py has functions of the same names.

create_*, find_* and payment_status return the decoded JSON body, checkout_order the response, and the other functions
for single routes the HTTP status.
`call` returns the response of any route. `raw` sends a request line unchanged; an HTTP library would change some request lines.

The environment variable GATEWAY_URL is the URL of the gateway. The default is http://localhost:8000.
"""
import atexit
import http.client
import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import requests

GATEWAY_URL = os.environ.get("GATEWAY_URL", "http://localhost:8000").rstrip("/")
ORDER_URL = STOCK_URL = PAYMENT_URL = GATEWAY_URL

# Longer than 31 s: a retry may begin up to 16 s after the request, and take 15 s. A checkout that the gateway holds may
# take longer.
TIMEOUT = 35

_local = threading.local()


def _session() -> requests.Session:
    """Returns the session of this thread. The session ignores proxy settings in the environment."""
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
        _local.session.trust_env = False
    return _local.session


@atexit.register
def _close_session():
    if hasattr(_local, "session"):
        _local.session.close()


def call(method: str, path: str, **kwargs) -> requests.Response:
    return _session().request(method, GATEWAY_URL + path, timeout=TIMEOUT, allow_redirects=False, **kwargs)


def post(path: str, **kwargs) -> requests.Response:
    return call("POST", path, **kwargs)


def get(path: str) -> requests.Response:
    return call("GET", path)


def delete(path: str) -> requests.Response:
    return call("DELETE", path)


#
# Stock
#

def create_item(price: int) -> dict:
    return post(f"/stock/item/create/{price}").json()


def find_item(item_id: str) -> dict:
    return get(f"/stock/find/{item_id}").json()


def add_stock(item_id: str, amount: int) -> int:
    return post(f"/stock/add/{item_id}/{amount}").status_code


def subtract_stock(item_id: str, amount: int) -> int:
    return post(f"/stock/subtract/{item_id}/{amount}").status_code


#
# Payment
#

def create_user() -> dict:
    return post("/payment/create_user").json()


def find_user(user_id: str) -> dict:
    return get(f"/payment/find_user/{user_id}").json()


def add_credit_to_user(user_id: str, amount: int) -> int:
    return post(f"/payment/add_funds/{user_id}/{amount}").status_code


def payment_pay(user_id: str, *order_id_and_amount) -> int:
    """Pays: (user, amount) in the newer API, (user, order, amount) in the older one."""
    return post("/".join(["/payment/pay", user_id, *map(str, order_id_and_amount)])).status_code


def payment_cancel(user_id: str, order_id: str) -> int:
    return post(f"/payment/cancel/{user_id}/{order_id}").status_code


def payment_status(user_id: str, order_id: str) -> dict:
    return get(f"/payment/status/{user_id}/{order_id}").json()


#
# Orders
#

def create_order(user_id: str) -> dict:
    return post(f"/orders/create/{user_id}").json()


def add_item_to_order(order_id: str, item_id: str, quantity=None) -> int:
    """Adds an item; only the newer API has the quantity."""
    suffix = "" if quantity is None else f"/{quantity}"
    return post(f"/orders/addItem/{order_id}/{item_id}{suffix}").status_code


def remove_item_from_order(order_id: str, item_id: str, quantity=None) -> int:
    suffix = "" if quantity is None else f"/{quantity}"
    return delete(f"/orders/removeItem/{order_id}/{item_id}{suffix}").status_code


def remove_order(order_id: str) -> int:
    return delete(f"/orders/remove/{order_id}").status_code


def find_order(order_id: str) -> dict:
    return get(f"/orders/find/{order_id}").json()


def checkout_order(order_id: str) -> requests.Response:
    return post(f"/orders/checkout/{order_id}")


#
# Status checks
#

def status_code_is_success(status_code: int) -> bool:
    return 200 <= status_code < 300


def status_code_is_failure(status_code: int) -> bool:
    return 400 <= status_code < 500


#
# Beyond the course's suite
#

class RawResponse:
    """A response from a raw socket, with the attributes of requests.Response that the tests read."""

    def __init__(self, response: http.client.HTTPResponse, target: str):
        self.status_code = response.status
        self.headers = response.headers
        self.text = response.read().decode("utf-8", "replace")
        self.url = target

    def json(self):
        return json.loads(self.text)


def _connect() -> socket.socket:
    address = urlsplit(GATEWAY_URL)
    return socket.create_connection((address.hostname, address.port or 80), timeout=TIMEOUT)


def raw(target: str, method: str = "GET", headers=(), body: bytes = b"", host: str = None) -> RawResponse:
    """Sends one request on a new connection. The target and the headers are sent unchanged."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host or urlsplit(GATEWAY_URL).netloc}",
             "Connection: close", *(f"{name}: {value}" for name, value in headers)]
    return raw_bytes("\r\n".join(lines).encode() + b"\r\n\r\n" + body, target, method)


def raw_bytes(data: bytes, target: str = "", method: str = "GET") -> RawResponse:
    with _connect() as connection:
        try:
            connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the gateway may reject the request before it has read the whole body
        response = http.client.HTTPResponse(connection, method=method)
        response.begin()
        return RawResponse(response, target)


def simultaneously(functions: list) -> list:
    """Calls all functions concurrently, each in its own thread. Returns their results in order."""
    start = threading.Barrier(len(functions))

    def run(function):
        start.wait()
        try:
            return function()
        finally:
            _close_session()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def post_all(paths: list, connections: int = 8) -> list:
    """Sends POST requests over a few connections, in no particular order. Returns all statuses."""
    address = urlsplit(GATEWAY_URL)

    def run(share: list) -> list:
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=TIMEOUT)
        statuses = []
        for path in share:
            connection.request("POST", path)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()
        return statuses

    with ThreadPoolExecutor(connections) as pool:
        shares = pool.map(run, (paths[i::connections] for i in range(connections)))
        return [status for share in shares for status in share]
