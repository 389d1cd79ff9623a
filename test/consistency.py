"""The consistency run: many users check out at the same time, with less stock than orders.

The run creates one item with --stock pieces, --users users with --credit each, and --orders orders of one piece, each
of a random user. It checks all orders out at once, each over its own connection. Then:

- every response is 200, 402 (no credit) or 409 (no stock);
- the number of paid orders is the smaller of two numbers: the pieces in stock, and the orders that the users can
  afford. A checkout reserves credit before stock. So a checkout gets 409 only if no piece is left, and a reserved
  piece is never released;
- an order is PAID if its response was 200, and OPEN otherwise;
- the remaining stock and the remaining credit of each user agree with the paid orders;
- repeated checkouts of paid orders get 200 and change nothing.

The exit code is 0 if all of these conditions hold, else 1. The script needs aiohttp.
"""
import argparse
import asyncio
import os
import random
import resource
import sys
import time
from collections import Counter

import aiohttp

# Longer than the longest response time of the gateway, 31 s: a retry may begin up to 16 s after the request, and take 15 s.
TIMEOUT = aiohttp.ClientTimeout(total=35)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gateway", default=os.environ.get("GATEWAY_URL", "http://localhost:8000"))
    parser.add_argument("--stock", type=positive, default=100, help="pieces of the item")
    parser.add_argument("--price", type=positive, default=1)
    parser.add_argument("--users", type=positive, default=1000)
    parser.add_argument("--credit", type=positive, default=1, help="of each user")
    parser.add_argument("--orders", type=positive, default=1000, help="checked out at once")
    parser.add_argument("--seed", type=int, default=None, help="of the choice of users, to repeat a run")
    return parser.parse_args()


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be positive")
    return value


class Refused(Exception):
    """A request that must succeed did not return 200."""


class Shop:
    """The routes that the run uses. All requests except checkouts must return 200."""

    def __init__(self, session: aiohttp.ClientSession, gateway: str):
        self.session = session
        self.gateway = gateway.rstrip("/")

    async def must(self, method: str, path: str) -> dict:
        async with self.session.request(method, self.gateway + path) as response:
            if response.status != 200:
                raise Refused(f"{method} {path}: {response.status} {await response.text()}")
            return await response.json()

    async def new_item(self, price: int, stock: int) -> str:
        item = (await self.must("POST", f"/stock/item/create/{price}"))["item_id"]
        await self.must("POST", f"/stock/add/{item}/{stock}")
        return item

    async def new_user(self, credit: int) -> str:
        user = (await self.must("POST", "/payment/create_user"))["user_id"]
        await self.must("POST", f"/payment/add_funds/{user}/{credit}")
        return user

    async def new_order(self, user: str, item: str) -> str:
        order = (await self.must("POST", f"/orders/create/{user}"))["order_id"]
        await self.must("POST", f"/orders/addItem/{order}/{item}")
        return order

    async def find_item(self, item: str) -> dict:
        return await self.must("GET", f"/stock/find/{item}")

    async def find_user(self, user: str) -> dict:
        return await self.must("GET", f"/payment/find_user/{user}")

    async def find_order(self, order: str) -> dict:
        return await self.must("GET", f"/orders/find/{order}")

    async def checkout(self, order: str):
        """Returns the status and the duration in seconds. Without a response, the name of the error replaces the status."""
        start = time.monotonic()
        try:
            async with self.session.post(f"{self.gateway}/orders/checkout/{order}") as response:
                await response.read()
                outcome = response.status
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            outcome = type(error).__name__
        return outcome, time.monotonic() - start


async def gather(call, arguments, at_a_time: int) -> list:
    """Awaits call(argument) for each argument, for at most at_a_time arguments at once. Returns the results in order."""
    gate = asyncio.Semaphore(at_a_time)

    async def one(argument):
        async with gate:
            return await call(argument)

    tasks = [asyncio.ensure_future(one(argument)) for argument in arguments]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        raise


class State:
    """Stock, credits and orders, read while no request is in flight."""

    @classmethod
    async def read(cls, shop: Shop, item: str, users: list, orders: list) -> "State":
        self = cls()
        self.stock = (await shop.find_item(item))["stock"]
        found = await gather(shop.find_user, users, 50)
        self.credits = {user["user_id"]: user["credit"] for user in found}
        found = await gather(shop.find_order, orders, 50)
        self.orders = {order["order_id"]: (order["status"], order["paid"]) for order in found}
        return self

    def __eq__(self, other):
        return (self.stock, self.credits, self.orders) == (other.stock, other.credits, other.orders)


async def run(options: argparse.Namespace) -> int:
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10 ** 6)
    chance = random.Random(seed)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, trust_env=False) as session:
        shop = Shop(session, options.gateway)
        item = await shop.new_item(options.price, options.stock)
        users = await gather(shop.new_user, [options.credit] * options.users, 50)
        buyers = [chance.choice(users) for _ in range(options.orders)]
        orders = await gather(lambda user: shop.new_order(user, item), buyers, 50)
        print(f"prepared    {options.stock} pieces at {options.price}, {options.users} users with {options.credit} each, "
              f"{options.orders} orders of {len(set(buyers))} users (seed {seed})")

        start = time.monotonic()
        responses = await gather(shop.checkout, orders, options.orders)
        elapsed = time.monotonic() - start
        report_speed(responses, elapsed)
        after = await State.read(shop, item, users, orders)
        outcomes = [outcome for outcome, _ in responses]
        violations = check(options, buyers, orders, outcomes, after)

        paid = [order for order, outcome in zip(orders, outcomes) if outcome == 200]
        repeated = Counter(outcome for outcome, _ in await gather(shop.checkout, paid, 50))
        if set(repeated) - {200}:
            violations.append(f"repeated checkouts of paid orders got {dict(repeated)}")
        if await State.read(shop, item, users, orders) != after:
            violations.append("repeated checkouts of paid orders changed something")

    for violation in violations:
        print(f"VIOLATION   {violation}")
    print("inconsistent" if violations else "consistent")
    return 1 if violations else 0


def report_speed(responses: list, elapsed: float):
    times = sorted(seconds for _, seconds in responses)
    print(f"checked out {len(responses)} at once in {elapsed:.2f} s: median {times[len(times) // 2] * 1000:.0f} ms, "
          f"slowest {times[-1] * 1000:.0f} ms")
    counts = Counter(outcome for outcome, _ in responses)
    print("responses   " + ", ".join(f"{outcome}: {count}" for outcome, count in sorted(counts.items(), key=str)))


def check(options: argparse.Namespace, buyers: list, orders: list, outcomes: list, after: State) -> list:
    """Returns the violations after the checkouts."""
    affordable = options.credit // options.price
    expected = min(options.stock, sum(min(wanted, affordable) for wanted in Counter(buyers).values()))
    paid_by = Counter(user for user, outcome in zip(buyers, outcomes) if outcome == 200)
    paid = sum(paid_by.values())
    stock = options.stock - expected
    credit = options.users * options.credit - expected * options.price
    print(f"paid        {paid} of {len(orders)}, expected {expected}")
    print(f"stock       {after.stock}, expected {stock}")
    print(f"credit      {sum(after.credits.values())}, expected {credit}")

    violations = [f"{count} checkouts got {outcome}" for outcome, count in Counter(outcomes).items()
                  if outcome not in (200, 402, 409)]
    if paid != expected:
        violations.append(f"{paid} orders are paid instead of {expected}")
    if after.stock != stock:
        violations.append(f"the stock is {after.stock} instead of {stock}")
    if sum(after.credits.values()) != credit:
        violations.append(f"the sum of the credits is {sum(after.credits.values())} instead of {credit}")
    wrong = [user for user, has in after.credits.items() if has != options.credit - paid_by[user] * options.price]
    if wrong:
        violations.append(f"{len(wrong)} users have a credit that contradicts their responses, "
                          f"{wrong[0]} has {after.credits[wrong[0]]}")
    wrong = [order for order, outcome in zip(orders, outcomes)
             if after.orders[order] != (("PAID", True) if outcome == 200 else ("OPEN", False))]
    if wrong:
        violations.append(f"{len(wrong)} orders contradict their responses, {wrong[0]} is {after.orders[wrong[0]]}")
    return violations


def main() -> int:
    options = arguments()
    # Each connection is an open file. There is one connection per order, and some for the preparation.
    needed = options.orders + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed if hard == resource.RLIM_INFINITY else min(needed, hard), hard))
    try:
        return asyncio.run(run(options))
    except (Refused, aiohttp.ClientError, asyncio.TimeoutError) as error:
        print(f"{options.gateway}: {error or type(error).__name__}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
