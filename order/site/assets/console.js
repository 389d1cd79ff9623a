"use strict";

const services = { order: "/orders", stock: "/stock", payment: "/payment" };
const pollInterval = 2000; // ms
const staleAfter = 10000; // ms after which an instance that does not respond is unavailable
const instances = new Map(); // the last two overviews of each instance, by name: "order 1/2"
const byId = (id) => document.getElementById(id);

// make returns a new element. It adds text as plain text, never as HTML.
function make(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function row(...cells) {
  const tr = make("tr");
  tr.append(...cells.map((cell) => (cell instanceof Node && cell.nodeName === "TD" ? cell : cellOf(cell))));
  return tr;
}

function cellOf(content, className) {
  const td = make("td", undefined, className);
  td.append(content);
  return td;
}

// none returns the row that an empty table shows.
function none(columns) {
  return row(Object.assign(make("td", "None.", "dim"), { colSpan: columns }));
}

async function request(method, path, headers) {
  const response = await fetch(path, { method, headers, cache: "no-store" });
  const body = await response.json();
  return { ok: response.ok, status: response.status, body };
}

// poll requests overviews from every service. The gateway distributes requests to the instances in turn, so poll sends one more
// request than a service has instances.
async function poll() {
  const unavailable = [];
  await Promise.all(Object.entries(services).map(async ([service, prefix]) => {
    const known = [...instances.values()].find((m) => m.now.service === service);
    const count = known ? Number(known.now.machine.split("/")[1]) : 1;
    const responses = await Promise.allSettled(Array.from({ length: count + 1 }, () => request("GET", prefix + "/overview")));
    const received = responses.filter((a) => a.status === "fulfilled" && a.value.ok);
    for (const { value } of received) remember(value.body);
    if (received.length === 0) unavailable.push(service);
  }));
  draw(unavailable);
}

function remember(overview) {
  const name = overview.service + " " + overview.machine;
  const known = instances.get(name);
  const now = { ...overview, at: performance.now() };
  if (known && now.at - known.now.at < 500) return; // the second response in one poll
  instances.set(name, { now, before: known && known.now });
}

const sum = (list) => list.reduce((a, b) => a + b, 0);
const requestsOf = (overview) => sum(Object.values(overview.requests));
const checkoutsOf = (overview) => sum(overview.saga.checkouts.map((c) => c.count));

// rate returns the increase of a count per second between the last two overviews, summed over all instances.
function rate(list, count) {
  return sum(list.map(({ now, before }) => (before ? Math.max(0, count(now) - count(before)) / ((now.at - before.at) / 1000) : 0)));
}

// percentile returns the duration that a share of the paid checkouts did not exceed. It counts the checkouts between the last two
// overviews. If there are none, it counts all checkouts since the instances started.
function percentile(orders, share) {
  const counts = new Map();
  const add = (took, sign) => took.forEach((t) => counts.set(t.seconds, (counts.get(t.seconds) || 0) + sign * t.count));
  orders.forEach(({ now, before }) => { add(now.saga.took, 1); if (before) add(before.saga.took, -1); });
  if (sum([...counts.values()]) <= 0) { counts.clear(); orders.forEach(({ now }) => add(now.saga.took, 1)); }
  const total = Math.max(0, ...counts.values());
  if (total === 0) return "–";
  const bound = [...counts.entries()].sort((a, b) => a[0] - b[0]).find(([, count]) => count >= share * total);
  return bound ? (bound[0] < 1 ? bound[0] * 1000 + " ms" : bound[0] + " s") : "> 15 s";
}

function draw(unavailable) {
  const all = [...instances.values()].sort((a, b) => (a.now.service + a.now.machine).localeCompare(b.now.service + b.now.machine));
  const now = performance.now();
  const fresh = all.filter((m) => now - m.now.at < staleAfter);
  const orders = fresh.filter((m) => m.now.saga);
  drawState(fresh, unavailable);
  byId("requests").textContent = rate(fresh, requestsOf).toFixed(0);
  byId("checkouts").textContent = rate(orders, checkoutsOf).toFixed(1);
  byId("latency").textContent = percentile(orders, .5) + " · " + percentile(orders, .99);
  drawOutcomes(orders);
  drawInstances(all, now);
  const newest = orders.sort((a, b) => b.now.at - a.now.at)[0];
  if (newest) drawUndecided(newest.now.saga);
}

function drawState(fresh, unavailable) {
  const unhealthy = fresh.flatMap((m) => m.now.shards.filter((s) => !s.up).map((s) => `shard ${s.shard} of ${m.now.service}`));
  const missing = Object.keys(services).flatMap((service) => {
    const of = fresh.filter((m) => m.now.service === service);
    const count = of.length ? Number(of[0].now.machine.split("/")[1]) : 0;
    return Array.from({ length: count }, (_, i) => `${i + 1}/${count}`).filter((n) => !of.some((m) => m.now.machine === n)).map((n) => `instance ${n} of ${service}`);
  });
  const problems = [...new Set([...unavailable.map((s) => s + " is unavailable"), ...unhealthy.map((d) => d + " is unhealthy"), ...missing.map((m) => m + " is unavailable")])];
  const text = problems.length ? problems.join(", ") + "." : "All services are healthy.";
  if (byId("state").textContent !== text) byId("state").textContent = text; // a screen reader announces each assignment
  byId("state").className = problems.length ? "bad" : "good";
}

function drawOutcomes(orders) {
  const counts = new Map();
  for (const c of orders.flatMap((m) => m.now.saga.checkouts)) {
    const name = c.outcome + "\n" + c.reason;
    counts.set(name, (counts.get(name) || 0) + c.count);
  }
  const rows = [...counts].filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]).map(([name, count]) => row(...name.split("\n"), cellOf(String(count), "n")));
  byId("outcomes").replaceChildren(...(rows.length ? rows : [none(3)]));
}

function drawInstances(all, now) {
  byId("instances").replaceChildren(...all.map(({ now: m }) => {
    const ago = now - m.at;
    const shards = make("span");
    m.shards.forEach((s) => shards.append(make("span", `shard ${s.shard} ${s.up ? "healthy" : "unhealthy"} `, s.up ? "good" : "bad")));
    return row(m.service, m.machine, cellOf(make("span", ago < staleAfter ? "now" : Math.round(ago / 1000) + " s ago", ago < staleAfter ? "good" : "bad")), cellOf(shards));
  }));
}

let retrying = ""; // ID of the order whose retry is in flight

function drawUndecided(saga) {
  byId("undecided-count").textContent = saga.waiting;
  document.body.classList.toggle("editable", saga.editable);
  const old = saga.undecided.filter((u) => u.age_ms >= 1000);
  const focused = document.activeElement && document.activeElement.dataset.order;
  byId("undecided").replaceChildren(...(old.length ? old.map((u) => {
    const button = make("button", "Retry now");
    button.dataset.order = u.order_id;
    button.setAttribute("aria-label", "Retry order " + u.order_id + " now");
    button.disabled = retrying === u.order_id;
    button.addEventListener("click", () => retry(u));
    return row(cellOf(make("code", u.order_id)), u.status, cellOf((u.age_ms / 1000).toFixed(1) + " s", "n"), cellOf(String(u.shard), "n"), cellOf(button, "edit"));
  }) : [none(5)]));
  if (focused) document.querySelector(`[data-order="${CSS.escape(focused)}"]`)?.focus();
}

// retry sends the checkout or cancel request of an order again. It is safe: a checkout joins the attempt in flight,
// and a cancellation refunds only once.
async function retry(u) {
  retrying = u.order_id;
  const path = u.status === "REFUNDING" ? `/payment/cancel/${encodeURIComponent(u.user_id)}/` : "/orders/checkout/";
  byId("retried").textContent = "Retrying order " + u.order_id + "…";
  try {
    const response = await request("POST", path + encodeURIComponent(u.order_id));
    byId("retried").textContent = `Order ${u.order_id}: ${response.status} ${response.body.title || "done"}.`;
  } catch (error) {
    byId("retried").textContent = `Order ${u.order_id}: no response. Retry it.`;
  }
  retrying = "";
}

// shardOf returns the shard of an ID. A UUID contains its shard. Decimal ID n is on shard n modulo the modulus of the shard map.
function shardOf(id, service) {
  const m = [...instances.values()].find((m) => m.now.service === service);
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(id)) return parseInt(id.slice(-4), 16);
  return /^[0-9]{1,7}$/.test(id) && m && m.now.modulus ? Number(id) % m.now.modulus : "?";
}

byId("find").addEventListener("submit", async (event) => {
  event.preventDefault();
  const id = byId("id").value.trim();
  const results = await Promise.allSettled([
    ["order", "Order", "/orders/find/"], ["stock", "Item", "/stock/find/"], ["payment", "User", "/payment/find_user/"],
  ].map(async ([service, kind, path]) => ({ service, kind, response: await request("GET", path + encodeURIComponent(id)) })));
  const found = [];
  for (const { value, reason } of results) {
    if (!value) found.push(make("p", "No response: " + reason, "bad"));
    else if (value.response.ok) {
      found.push(make("p", `${value.kind} on shard ${shardOf(id, value.service)} of ${value.service}:`), make("pre", JSON.stringify(value.response.body, null, 2)));
    } else if (value.response.status !== 404) found.push(make("p", `${value.kind}: ${value.response.status} ${value.response.body.title}`, "bad"));
  }
  byId("found").replaceChildren(...(found.length ? found : [make("p", "There is no order, item or user with this ID.")]));
});

byId("try").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = byId("try").querySelector("button");
  const { credit, price, stock, quantity } = Object.fromEntries(new FormData(byId("try")));
  byId("steps").replaceChildren();
  button.disabled = true;
  try {
    const user = (await step("Create a user", "/payment/create_user")).user_id;
    if (Number(credit) > 0) await step(`Add a credit of ${credit}`, `/payment/add_funds/${user}/${credit}`);
    const item = (await step(`Create an item with price ${price}`, "/stock/item/create/" + price)).item_id;
    if (Number(stock) > 0) await step(`Add a stock of ${stock}`, `/stock/add/${item}/${stock}`);
    const order = (await step("Create an order", "/orders/create/" + user)).order_id;
    await step(`Add ${quantity} of the item`, `/orders/addItem/${order}/${item}/${quantity}`);
    byId("id").value = order;
    await step("Check out", "/orders/checkout/" + order);
  } catch (error) {
    if (error.message) byId("steps").append(make("li", error.message, "bad"));
  }
  button.disabled = false;
});

// step sends one request and shows the response. It throws if the response is an error. The idempotency key makes the
// retry after a 503 safe.
async function step(what, path) {
  const key = { "Idempotency-Key": Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("") };
  const shown = make("li", what + ": ");
  byId("steps").append(shown);
  const start = performance.now();
  let response = await request("POST", path, key);
  if (response.status === 503) response = await request("POST", path, key);
  const took = (performance.now() - start).toFixed(0);
  shown.append(make("strong", `${response.status} ${response.ok ? "done" : response.body.title}`, response.ok ? "good" : "bad"), ` in ${took} ms `, make("code", response.ok ? JSON.stringify(response.body) : response.body.detail));
  if (!response.ok) throw new Error("");
  return response.body;
}

async function pollForever() {
  for (;;) {
    if (!document.hidden) await poll();
    await new Promise((next) => setTimeout(next, pollInterval));
  }
}
pollForever();
