"use strict";

const services = { order: "/orders", stock: "/stock", payment: "/payment" };
const every = 2000; // ms between looks
const silent = 10000; // ms after which a machine that was not heard is told as missing
const machines = new Map(); // "order 1/2" to its last two overviews
const at = (id) => document.getElementById(id);

// make returns an element; text is never taken for markup.
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

// none is the row of a table that has none.
function none(columns) {
  return row(Object.assign(make("td", "None.", "dim"), { colSpan: columns }));
}

async function ask(method, path, headers) {
  const response = await fetch(path, { method, headers, cache: "no-store" });
  const body = await response.json();
  return { ok: response.ok, status: response.status, body };
}

// look asks each service as often as it has machines: the gateway gives each its turn.
async function look() {
  const silentServices = [];
  await Promise.all(Object.entries(services).map(async ([service, prefix]) => {
    const known = [...machines.values()].find((m) => m.now.service === service);
    const count = known ? Number(known.now.machine.split("/")[1]) : 1;
    const answers = await Promise.allSettled(Array.from({ length: count + 1 }, () => ask("GET", prefix + "/overview")));
    const heard = answers.filter((a) => a.status === "fulfilled" && a.value.ok);
    for (const { value } of heard) remember(value.body);
    if (heard.length === 0) silentServices.push(service);
  }));
  draw(silentServices);
}

function remember(overview) {
  const name = overview.service + " " + overview.machine;
  const known = machines.get(name);
  const now = { ...overview, at: performance.now() };
  if (known && now.at - known.now.at < 500) return; // its second turn of one look
  machines.set(name, { now, before: known && known.now });
}

const sum = (list) => list.reduce((a, b) => a + b, 0);
const requestsOf = (overview) => sum(Object.values(overview.requests));
const checkoutsOf = (overview) => sum(overview.saga.checkouts.map((c) => c.count));

// rate returns how often a second something was counted, over all machines between their last two overviews.
function rate(list, count) {
  return sum(list.map(({ now, before }) => (before ? Math.max(0, count(now) - count(before)) / ((now.at - before.at) / 1000) : 0)));
}

// within returns the time within which a share of the paid checkouts came, of the last two overviews; else of all.
function within(orders, share) {
  const counts = new Map();
  const add = (took, sign) => took.forEach((t) => counts.set(t.seconds, (counts.get(t.seconds) || 0) + sign * t.count));
  orders.forEach(({ now, before }) => { add(now.saga.took, 1); if (before) add(before.saga.took, -1); });
  if (sum([...counts.values()]) <= 0) { counts.clear(); orders.forEach(({ now }) => add(now.saga.took, 1)); }
  const total = Math.max(0, ...counts.values());
  if (total === 0) return "–";
  const bound = [...counts.entries()].sort((a, b) => a[0] - b[0]).find(([, count]) => count >= share * total);
  return bound ? (bound[0] < 1 ? bound[0] * 1000 + " ms" : bound[0] + " s") : "> 15 s";
}

function draw(silentServices) {
  const all = [...machines.values()].sort((a, b) => (a.now.service + a.now.machine).localeCompare(b.now.service + b.now.machine));
  const now = performance.now();
  const heard = all.filter((m) => now - m.now.at < silent);
  const orders = heard.filter((m) => m.now.saga);
  drawState(heard, silentServices);
  at("requests").textContent = rate(heard, requestsOf).toFixed(0);
  at("checkouts").textContent = rate(orders, checkoutsOf).toFixed(1);
  at("latency").textContent = within(orders, .5) + " · " + within(orders, .99);
  drawOutcomes(orders);
  drawMachines(all, now);
  const newest = orders.sort((a, b) => b.now.at - a.now.at)[0];
  if (newest) drawUndecided(newest.now.saga);
}

function drawState(heard, silentServices) {
  const down = heard.flatMap((m) => m.now.shards.filter((s) => !s.up).map((s) => `shard ${s.shard} of ${m.now.service}`));
  const missing = Object.keys(services).flatMap((service) => {
    const of = heard.filter((m) => m.now.service === service);
    const count = of.length ? Number(of[0].now.machine.split("/")[1]) : 0;
    return Array.from({ length: count }, (_, i) => `${i + 1}/${count}`).filter((n) => !of.some((m) => m.now.machine === n)).map((n) => `machine ${n} of ${service}`);
  });
  const wrong = [...new Set([...silentServices.map((s) => s + " does not answer"), ...down.map((d) => d + " is down"), ...missing.map((m) => m + " is not heard")])];
  const text = wrong.length ? wrong.join(", ") + "." : "Everything answers.";
  if (at("state").textContent !== text) at("state").textContent = text; // told aloud once, not every two seconds
  at("state").className = wrong.length ? "bad" : "good";
}

function drawOutcomes(orders) {
  const counts = new Map();
  for (const c of orders.flatMap((m) => m.now.saga.checkouts)) {
    const name = c.outcome + "\n" + c.reason;
    counts.set(name, (counts.get(name) || 0) + c.count);
  }
  const rows = [...counts].filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]).map(([name, count]) => row(...name.split("\n"), cellOf(String(count), "n")));
  at("outcomes").replaceChildren(...(rows.length ? rows : [none(3)]));
}

function drawMachines(all, now) {
  at("machines").replaceChildren(...all.map(({ now: m }) => {
    const ago = now - m.at;
    const shards = make("span");
    m.shards.forEach((s) => shards.append(make("span", `${s.shard} ${s.up ? "up" : "down"} `, s.up ? "good" : "bad")));
    return row(m.service, m.machine, cellOf(make("span", ago < silent ? "now" : Math.round(ago / 1000) + " s ago", ago < silent ? "good" : "bad")), cellOf(shards));
  }));
}

let sending = ""; // the order that is being sent again

function drawUndecided(saga) {
  at("waiting").textContent = saga.waiting;
  document.body.classList.toggle("editable", saga.editable);
  const old = saga.undecided.filter((u) => u.age_ms >= 1000);
  const focused = document.activeElement && document.activeElement.dataset.order;
  at("undecided").replaceChildren(...(old.length ? old.map((u) => {
    const again = make("button", "Retry now");
    again.dataset.order = u.order_id;
    again.setAttribute("aria-label", "Retry order " + u.order_id + " now");
    again.disabled = sending === u.order_id;
    again.addEventListener("click", () => retry(u));
    return row(cellOf(make("code", u.order_id)), u.status, cellOf((u.age_ms / 1000).toFixed(1) + " s", "n"), cellOf(String(u.shard), "n"), cellOf(again, "edit"));
  }) : [none(5)]));
  if (focused) document.querySelector(`[data-order="${CSS.escape(focused)}"]`)?.focus();
}

// retry sends what was begun again, as its own caller may: it joins what is under way and is charged once.
async function retry(u) {
  sending = u.order_id;
  const path = u.status === "REFUNDING" ? `/payment/cancel/${encodeURIComponent(u.user_id)}/` : "/orders/checkout/";
  at("sent").textContent = "Sending order " + u.order_id + " again…";
  try {
    const answer = await ask("POST", path + encodeURIComponent(u.order_id));
    at("sent").textContent = `Order ${u.order_id}: ${answer.status} ${answer.body.title || "done"}.`;
  } catch (error) {
    at("sent").textContent = `Order ${u.order_id}: no answer. It may be sent again.`;
  }
  sending = "";
}

// home tells the shard of an id: a UUID carries it, a decimal id is spread over the shards.
function home(id, service) {
  const m = [...machines.values()].find((m) => m.now.service === service);
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(id)) return parseInt(id.slice(-4), 16);
  return /^[0-9]{1,7}$/.test(id) && m && m.now.modulus ? Number(id) % m.now.modulus : "?";
}

at("find").addEventListener("submit", async (event) => {
  event.preventDefault();
  const id = at("id").value.trim();
  const asked = await Promise.allSettled([
    ["order", "Order", "/orders/find/"], ["stock", "Item", "/stock/find/"], ["payment", "User", "/payment/find_user/"],
  ].map(async ([service, kind, path]) => ({ service, kind, answer: await ask("GET", path + encodeURIComponent(id)) })));
  const found = [];
  for (const { value, reason } of asked) {
    if (!value) found.push(make("p", "No answer: " + reason, "bad"));
    else if (value.answer.ok) {
      found.push(make("p", `${value.kind} on shard ${home(id, value.service)} of ${value.service}:`), make("pre", JSON.stringify(value.answer.body, null, 2)));
    } else if (value.answer.status !== 404) found.push(make("p", `${value.kind}: ${value.answer.status} ${value.answer.body.title}`, "bad"));
  }
  at("found").replaceChildren(...(found.length ? found : [make("p", "There is no order, item or user with this id.")]));
});

at("try").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = at("try").querySelector("button");
  const { credit, price, stock, pieces } = Object.fromEntries(new FormData(at("try")));
  at("steps").replaceChildren();
  button.disabled = true;
  try {
    const user = (await step("A user", "/payment/create_user")).user_id;
    if (Number(credit) > 0) await step(`with a credit of ${credit}`, `/payment/add_funds/${user}/${credit}`);
    const item = (await step(`An item for ${price}`, "/stock/item/create/" + price)).item_id;
    if (Number(stock) > 0) await step(`of which ${stock} are in stock`, `/stock/add/${item}/${stock}`);
    const order = (await step("An order", "/orders/create/" + user)).order_id;
    await step(`of ${pieces}`, `/orders/addItem/${order}/${item}/${pieces}`);
    at("id").value = order;
    await step("Checked out", "/orders/checkout/" + order);
  } catch (error) {
    if (error.message) at("steps").append(make("li", error.message, "bad"));
  }
  button.disabled = false;
});

// step sends one request and shows what came of it; a refusal ends the trial. The key lets it be sent again where no answer came.
async function step(what, path) {
  const key = { "Idempotency-Key": Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("") };
  const shown = make("li", what + ": ");
  at("steps").append(shown);
  const start = performance.now();
  let answer = await ask("POST", path, key);
  if (answer.status === 503) answer = await ask("POST", path, key);
  const took = (performance.now() - start).toFixed(0);
  shown.append(make("strong", `${answer.status} ${answer.ok ? "done" : answer.body.title}`, answer.ok ? "good" : "bad"), ` in ${took} ms `, make("code", answer.ok ? JSON.stringify(answer.body) : answer.body.detail));
  if (!answer.ok) throw new Error("");
  return answer.body;
}

async function forever() {
  for (;;) {
    if (!document.hidden) await look();
    await new Promise((next) => setTimeout(next, every));
  }
}
forever();
