"""Simultaneous clients: nothing is lost and nothing is charged twice, in any order of events."""
from collections import Counter

import utils as tu
from base import Case

__all__ = ["TestRaces"]


class TestRaces(Case):

    def test_one_order_is_charged_once(self):
        user_id, item_id = self.new_user(credit=100), self.new_item(price=5, stock=100)
        order_id = self.new_order(user_id, (item_id, 2))
        for response in tu.simultaneously([lambda: tu.checkout_order(order_id)] * 32):
            self.assertOK(response)
        self.assertCredit(user_id, 90)
        self.assertStock(item_id, 98)
        self.assertOrder(order_id, "PAID", 10)

    def test_one_order_is_refused_to_all(self):
        user_id, item_id = self.new_user(credit=100), self.new_item(price=5, stock=1)
        order_id = self.new_order(user_id, (item_id, 2))
        with self.unchanged([user_id], [item_id], [order_id]):
            for response in tu.simultaneously([lambda: tu.checkout_order(order_id)] * 32):
                self.assertProblem(response, 409, "insufficient-stock")

    def test_as_many_orders_as_there_is_stock(self):
        item_id = self.new_item(price=5, stock=10)
        users = [self.new_user(credit=5) for _ in range(32)]
        orders = [self.new_order(user_id, (item_id, 1)) for user_id in users]
        responses = tu.simultaneously([lambda order_id=order_id: tu.checkout_order(order_id) for order_id in orders])
        self.assertEqual(Counter(response.status_code for response in responses), {200: 10, 409: 22})
        self.assertStock(item_id, 0)
        for user_id, order_id, response in zip(users, orders, responses):
            paid = response.status_code == 200
            self.assertCredit(user_id, 0 if paid else 5)
            self.assertOrder(order_id, "PAID" if paid else "OPEN", 5)

    def test_as_many_orders_as_there_is_credit(self):
        user_id = self.new_user(credit=57)
        items = [self.new_item(price=5, stock=1) for _ in range(32)]
        orders = [self.new_order(user_id, (item_id, 1)) for item_id in items]
        responses = tu.simultaneously([lambda order_id=order_id: tu.checkout_order(order_id) for order_id in orders])
        self.assertEqual(Counter(response.status_code for response in responses), {200: 11, 402: 21})
        self.assertCredit(user_id, 2)
        for item_id, order_id, response in zip(items, orders, responses):
            paid = response.status_code == 200
            self.assertStock(item_id, 0 if paid else 1)
            self.assertOrder(order_id, "PAID" if paid else "OPEN", 5)

    def test_crossing_carts(self):
        """Checks out carts with the same items in different sequences. Each order is paid or refused, and all sums agree."""
        items = [self.new_item(price=1, stock=20) for _ in range(4)]
        users = [self.new_user(credit=4) for _ in range(32)]
        orders = [self.new_order(user_id, *((items[(n + i) % 4], 1) for i in range(4)))
                  for n, user_id in enumerate(users)]
        responses = tu.simultaneously([lambda order_id=order_id: tu.checkout_order(order_id) for order_id in orders])
        statuses = Counter(response.status_code for response in responses)
        self.assertLessEqual(set(statuses), {200, 409})
        self.assertLessEqual(statuses[200], 20)
        self.assertEqual([tu.find_item(item_id)["stock"] for item_id in items], [20 - statuses[200]] * 4)
        self.assertEqual(sum(tu.find_user(user_id)["credit"] for user_id in users), 4 * (32 - statuses[200]))
        # An attempt may have been refused because of pieces that another attempt released later. So repeat all
        # checkouts once, one at a time. Then all pieces are sold. A checkout of a paid order returns 200 again.
        again = Counter(tu.checkout_order(order_id).status_code for order_id in orders)
        self.assertEqual(again, {200: 20, 409: 12})
        self.assertEqual([tu.find_item(item_id)["stock"] for item_id in items], [0] * 4)

    def test_one_order_is_refunded_once(self):
        user_id, item_id = self.new_user(credit=100), self.new_item(price=5, stock=10)
        order_id = self.paid_order(user_id, (item_id, 2))
        for response in tu.simultaneously([lambda: tu.post(f"/payment/cancel/{user_id}/{order_id}")] * 16):
            self.assertOK(response)
        self.assertCredit(user_id, 100)
        self.assertStock(item_id, 10)
        self.assertOrder(order_id, "CANCELLED", 10)

    def test_cancel_against_checkout(self):
        """In the end, the order is paid or cancelled, and credit and stock agree with the state of the order."""
        for _ in range(10):
            user_id, item_id = self.new_user(credit=10), self.new_item(price=5, stock=2)
            order_id = self.new_order(user_id, (item_id, 2))
            checkouts = [lambda: tu.checkout_order(order_id)] * 4
            cancels = [lambda: tu.post(f"/payment/cancel/{user_id}/{order_id}")] * 4
            responses = tu.simultaneously(checkouts + cancels)
            for response in responses:
                self.assertIn(response.status_code, (200, 409), response.text)
            cancelled = 200 in (response.status_code for response in responses[4:])
            self.assertOrder(order_id, "CANCELLED" if cancelled else "PAID", 10)
            self.assertCredit(user_id, 10 if cancelled else 0)
            self.assertStock(item_id, 2 if cancelled else 0)

    def test_add_item_against_checkout(self):
        """Either the item is added before the checkout, or the addition is refused. The charge is the total of the cart."""
        for _ in range(10):
            user_id, item_id = self.new_user(credit=100), self.new_item(price=5, stock=20)
            order_id = self.new_order(user_id, (item_id, 1))
            adds = [lambda: tu.post(f"/orders/addItem/{order_id}/{item_id}/2")] * 2
            responses = tu.simultaneously([adds[0], lambda: tu.checkout_order(order_id), adds[1]])
            self.assertOK(responses[1])
            added = [response.status_code for response in (responses[0], responses[2])]
            self.assertLessEqual(set(added), {200, 409})
            pieces = 1 + 2 * added.count(200)
            self.assertOrder(order_id, "PAID", 5 * pieces)
            self.assertCredit(user_id, 100 - 5 * pieces)
            self.assertStock(item_id, 20 - pieces)

    def test_remove_against_checkout(self):
        """A removed order charges nothing, and a paid order is not removed."""
        for _ in range(20):
            user_id, item_id = self.new_user(credit=5), self.new_item(price=5, stock=1)
            order_id = self.new_order(user_id, (item_id, 1))
            checkout, remove = tu.simultaneously(
                [lambda: tu.checkout_order(order_id), lambda: tu.delete(f"/orders/remove/{order_id}")])
            self.assertIn((checkout.status_code, remove.status_code), ((200, 409), (404, 200)))
            paid = checkout.status_code == 200
            self.assertCredit(user_id, 0 if paid else 5)
            self.assertStock(item_id, 0 if paid else 1)
            self.assertEqual(tu.get(f"/orders/find/{order_id}").status_code, 200 if paid else 404)

    def test_counters(self):
        """Stock, credit and cart: as many requests as possible succeed, and each of these requests takes effect once."""
        user_id, item_id = self.new_user(credit=20), self.new_item(price=1, stock=20)
        order_id = self.new_order(user_id)
        for path, refusal in ((f"/stock/subtract/{item_id}/1", 409), (f"/payment/pay/{user_id}/1", 402)):
            statuses = Counter(tu.simultaneously([lambda path=path: tu.post(path).status_code] * 32))
            self.assertEqual(statuses, {200: 20, refusal: 12})
        self.assertCredit(user_id, 0)
        self.assertStock(item_id, 0)
        for path in (f"/stock/add/{item_id}/3", f"/payment/add_funds/{user_id}/3",
                     f"/orders/addItem/{order_id}/{item_id}/3"):
            self.assertEqual(Counter(tu.simultaneously([lambda path=path: tu.post(path).status_code] * 32)), {200: 32})
        self.assertCredit(user_id, 96)
        self.assertStock(item_id, 96)
        self.assertOrder(order_id, "OPEN", 96)

    def test_one_direct_payment_is_charged_and_refunded_once(self):
        user_id = self.new_user(credit=100)
        order_id = self.new_order(user_id)
        for response in tu.simultaneously([lambda: tu.post(f"/payment/pay/{user_id}/{order_id}/10")] * 16):
            self.assertOK(response)
        self.assertCredit(user_id, 90)
        for response in tu.simultaneously([lambda: tu.post(f"/payment/cancel/{user_id}/{order_id}")] * 16):
            self.assertOK(response)
        self.assertCredit(user_id, 100)
