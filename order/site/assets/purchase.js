// The shop's user, items and orders. This module uses only the public API.

import { request, retry, write } from "./api.js";

// The shop creates the items in "goods" at the first purchase. startCredit is the credit of the user that the shop creates.
export const goods = [{ name: "Teapot", price: 12, stock: 20 }, { name: "Lamp", price: 45, stock: 6 }, { name: "Plant", price: 23, stock: 9 }];
export const startCredit = 500;

const storageKey = "shop";
const undecided = ["RUNNING", "ABORTING", "REFUNDING"];

let ids = load(); // { user, items } or null

function load() {
  try {
    const stored = JSON.parse(sessionStorage.getItem(storageKey));
    return stored?.user && stored.items?.length === goods.length ? stored : null;
  } catch {
    return null; // the storage is disabled, or its content is invalid
  }
}

function remember(created) {
  ids = created;
  try {
    if (ids) sessionStorage.setItem(storageKey, JSON.stringify(ids));
    else sessionStorage.removeItem(storageKey);
  } catch { /* the ids are lost when the page closes */ }
}

// forget makes the next purchase create a new user and new items.
export function forget() { remember(null); }

// bodyOf returns the body of a response, or throws an error with the title of the problem.
function bodyOf({ ok, status, body }) {
  if (!ok) throw Object.assign(new Error(`${body.title || "error"} (${status})`), { status });
  return body;
}

const send = async (path) => bodyOf(await write(path));
const get = async (path) => bodyOf(await retry(() => request("GET", path)));

async function create() {
  const createItem = async ({ price, stock }) => {
    const { item_id: id } = await send("/stock/item/create/" + price);
    await send(`/stock/add/${id}/${stock}`);
    return id;
  };
  const createUser = async () => {
    const { user_id: id } = await send("/payment/create_user");
    await send(`/payment/add_funds/${id}/${startCredit}`);
    return id;
  };
  const [user, ...items] = await Promise.all([createUser(), ...goods.map(createItem)]);
  remember({ user, items });
}

// read returns { credit, stock: [...] } of the user and the items. Before the first purchase, read returns the credit and the
// stock that the purchase will create. If the user or an item no longer exists, read forgets the user and all items.
export async function read() {
  if (!ids) return { credit: startCredit, stock: goods.map((g) => g.stock) };
  try {
    const [user, ...items] = await Promise.all([get("/payment/find_user/" + ids.user), ...ids.items.map((id) => get("/stock/find/" + id))]);
    return { credit: user.credit, stock: items.map((item) => item.stock) };
  } catch (error) {
    if (error.status !== 404) throw error;
    forget();
    return read();
  }
}

export const total = (lines) => lines.reduce((sum, { index, quantity }) => sum + goods[index].price * quantity, 0);

// supply adds missing credit if needed.credit is set, and missing stock if needed.stock is set.
async function supply(lines, { credit, stock }, needed) {
  if (needed.credit && credit < total(lines)) await send(`/payment/add_funds/${ids.user}/${total(lines) - credit}`);
  for (const { index, quantity } of needed.stock ? lines : []) {
    if (stock[index] < quantity) await send(`/stock/add/${ids.items[index]}/${quantity - stock[index]}`);
  }
}

// actions are the requests of a purchase, by name.
export const actions = {
  checkout: { text: "Checkout", run: (order) => write("/orders/checkout/" + order) },
  again: { text: "The same checkout again", run: (order) => write("/orders/checkout/" + order) },
  cancel: { text: "Cancellation", run: (order) => write(`/payment/cancel/${ids.user}/${order}`) },
};

// purchase creates an order and runs actions on it until one fails. It returns { order, lines, before, after, responses, status }.
// The results "before" and "after" come from read. The arguments:
//
//   plan     a function that returns the lines of the order for the current credit and stock
//   run      the list of actions
//   needed   whether to add missing credit or stock first: see supply
//   before   optional: a function (not the result) that runs before the first action
//   started  a function that gets the order's ID and a promise that resolves after the last action
export async function purchase({ plan, run, needed = {}, before: prepare }, started) {
  await read(); // forgets objects that no longer exist
  if (!ids) await create();
  let before = await read();
  const lines = plan(before);
  await supply(lines, before, needed);
  before = await read();
  const { order_id: order } = await send("/orders/create/" + ids.user);
  for (const { index, quantity } of lines) await send(`/orders/addItem/${order}/${ids.items[index]}/${quantity}`);
  await prepare?.();
  const responses = [];
  const work = (async () => {
    for (const action of run) {
      const start = performance.now();
      const response = await action.run(order);
      responses.push({ action, ...response, took: performance.now() - start });
      if (!response.ok) return;
    }
  })();
  started(order, work);
  await work;
  const status = await decided(order);
  return { order, lines, before, after: await read(), responses, status };
}

// The function "decided" reads an order twice a second until the order is decided, and returns the status. After about
// a minute, it returns the status of the undecided order, or "unknown" if it cannot read the order.
async function decided(order) {
  const end = performance.now() + 60_000;
  for (;;) {
    const { ok, body } = await request("GET", "/orders/find/" + order).catch(() => ({}));
    if (ok && !undecided.includes(body.status)) return body.status;
    if (performance.now() > end) return ok ? body.status : "unknown";
    await new Promise((next) => setTimeout(next, 500));
  }
}
