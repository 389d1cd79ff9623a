"""What both kinds of users share: how an answer is judged.

A refusal (4xx) is an answer as good as any: it is counted under a name of its own. A 503 or none at all is a failure.
"""

import os

from locust import FastHttpUser

GATEWAY_URL = os.environ.get("GATEWAY_URL", "http://localhost:8000").rstrip("/")


class Customer(FastHttpUser):
    """A caller of the gateway."""

    abstract = True
    host = GATEWAY_URL
    network_timeout = connection_timeout = 30.0  # the gateway answers within 16 s

    def call(self, method, path, name):
        """Sends a request, counted by name; returns the fields of the answer, or None where it was refused or failed."""
        with self.client.request(method, path, name=name, catch_response=True) as answer:
            if answer.status_code == 200:
                answer.success()
                return answer.json()
            if 400 <= answer.status_code < 500:
                answer.request_meta["name"] = f"{name}: refused, {answer.status_code}"
                answer.success()
                return None
            answer.failure(f"status {answer.status_code}")
            return None
