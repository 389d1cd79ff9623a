// Sends requests to the gateway.

// request returns a response: { ok, status, body }. It throws if there is no response within the timeout (ms).
export async function request(method, path, { headers, timeout = 20000 } = {}) {
  const response = await fetch(path, { method, headers, cache: "no-store", signal: AbortSignal.timeout(timeout) });
  const body = await response.json();
  return { ok: response.ok, status: response.status, body };
}

// get returns the body of a response. If the status is not 2xx, it throws an error with the status and the problem's
// title.
export async function get(path, options) {
  const { ok, status, body } = await request("GET", path, options);
  if (!ok) throw Object.assign(new Error(body.title || "status " + status), { status });
  return body;
}

// segment encodes an ID as one segment of a path. A browser removes the segments "." and ".." from a path, even if they
// are encoded, so the request would go to another route. No object has such an ID. So for these IDs, segment throws an
// error with status 404.
export function segment(id) {
  if (id === "." || id === "..") throw Object.assign(new Error("there is no object with this ID"), { status: 404 });
  return encodeURIComponent(id);
}

// newKey returns an idempotency key.
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

const maxTries = 4;
const retryPause = 1000; // ms

// retry calls send() until the response is not a 503, but at most maxTries times, and returns the last response.
export async function retry(send) {
  for (let tries = 1; ; tries++) {
    const response = await send();
    if (response.status !== 503 || tries === maxTries) return response;
    await new Promise((next) => setTimeout(next, retryPause));
  }
}

// write sends a POST with an idempotency key, and retries it. The key makes the retries safe.
export async function write(path) {
  const headers = { "Idempotency-Key": newKey() };
  return retry(() => request("POST", path, { headers }));
}
