// The shop's user, items and orders. This module only uses the public API.

import { request, retry, write } from "./api.js";

// goods are the items that the shop creates on its first purchase, and startCredit is the credit of its user.
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
    return null; // the browser stores nothing, or something else
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

// read returns { credit, stock: [...] } of the user and the items. Before the first purchase, it returns what the purchase will
// create. It forgets a user or an item that no longer exists.
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

// supply adds credit and stock that the lines need and the shop lacks.
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

// purchase creates an order with lines and runs actions on it. plan(state) returns the lines for the current credit and stock.
// needed says whether the shop may first add credit or stock. started gets the order's ID and a promise that ends with the last
// action. purchase returns { order, lines, before, after, responses, status }.
export async function purchase({ plan, run, needed = {}, before: prepare }, started) {
  await read(); // forgets what no longer exists
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

// decided waits until an order is decided, for at most a minute, and returns its status.
async function decided(order) {
  for (let tries = 0; ; tries++) {
    const { ok, body } = await request("GET", "/orders/find/" + order).catch(() => ({}));
    if (ok && !undecided.includes(body.status) || tries === 120) return body?.status ?? "unknown";
    await new Promise((next) => setTimeout(next, 500));
  }
}
