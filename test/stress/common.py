"""Code that course.py and shop.py share: the requests, and which responses count as failures.

A 4xx response is an expected outcome and has a separate row in the tables. Any other status except 200 is a failure. A missing response is a failure, too.
"""

import os

from locust import FastHttpUser

GATEWAY_URL = os.environ.get("GATEWAY_URL", "http://localhost:8000").rstrip("/")


class GatewayUser(FastHttpUser):
    """A user that sends requests to the gateway."""

    abstract = True
    host = GATEWAY_URL
    network_timeout = connection_timeout = 30.0  # one instance responds within 15 s; the gateway may try a second instance

    def call(self, method, path, name):
        """Sends a request and counts it in the row `name`. Returns the JSON of a 200 response, otherwise None."""
        with self.client.request(method, path, name=name, catch_response=True) as response:
            if response.status_code == 200:
                response.success()
                return response.json()
            if 400 <= response.status_code < 500:
                response.request_meta["name"] = f"{name}: refused, {response.status_code}"
                response.success()
                return None
            response.failure(f"status {response.status_code}")
            return None
