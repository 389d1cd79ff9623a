// A shop to try checkouts: three items, a cart, and purchases that show special cases.

import { byId, cellOf, make, row, setText } from "./dom.js";
import * as demo from "./demo.js";
import { pictures } from "./pictures.js";
import { actions, forget, goods, purchase, read, total } from "./purchase.js";
import * as saga from "./saga.js";

const { checkout, again, cancel } = actions;
const cart = new Map([[0, 1]]); // quantity by index of the item
let state; // credit and stock; undefined until the first response
let busy = false;
let opened = false;

// cases are purchases that each show a rule of the checkout. The function `before` runs after the order has been
// created, just before the checkout.
const cases = [
  { id: "poor", text: "Too little credit", plan: ({ credit }) => [{ index: 1, quantity: Math.floor(credit / goods[1].price) + 1 }], run: [checkout] },
  { id: "sold-out", text: "Sold out", plan: ({ stock }) => [{ index: 0, quantity: stock[0] + 1 }], needed: { credit: true }, run: [checkout] },
  { id: "twice", text: "Bought twice", plan: () => [{ index: 2, quantity: 1 }], needed: { credit: true, stock: true }, run: [checkout, again] },
  { id: "cancelled", text: "Cancelled", plan: () => [{ index: 2, quantity: 1 }], needed: { credit: true, stock: true }, run: [checkout, cancel] },
  { id: "killed", text: "Kill stock-1 while buying", plan: () => [{ index: 0, quantity: 1 }], needed: { credit: true, stock: true }, run: [checkout], before: () => demo.act("kill", "stock-1") },
];

export function init(root) {
  const shelf = Object.assign(make("ul", undefined, "shelf"), { id: "shelf" });
  shelf.append(...goods.map(drawItem));
  const basket = Object.assign(make("div"), { id: "cart" });
  const buy = Object.assign(make("button", "Buy"), { id: "buy" });
  buy.addEventListener("click", () => run({ plan: () => lines(), run: [checkout] }));
  const wallet = make("p", "Your credit: ", "wallet");
  wallet.append(Object.assign(make("strong"), { id: "credit" }));
  const counter = make("div", undefined, "counter");
  counter.append(basket, wallet, buy);
  const group = make("div", undefined, "cases");
  group.setAttribute("role", "group");
  group.setAttribute("aria-labelledby", "cases-title");
  group.append(...cases.map((c) => {
    const button = Object.assign(make("button", c.text, "quiet small"), { id: "case-" + c.id });
    button.addEventListener("click", () => run(c));
    return button;
  }));
  const refill = Object.assign(make("button", "New user and items", "quiet small"), { id: "refill" });
  refill.addEventListener("click", () => { forget(); refresh(); });
  group.append(refill);
  const outcome = Object.assign(make("p"), { id: "outcome" });
  outcome.setAttribute("role", "status");
  root.append(shelf, counter, outcome, Object.assign(make("div"), { id: "receipt" }),
    Object.assign(make("h3", "Or watch it go wrong"), { id: "cases-title" }), group);
  draw();
}

// update reads credit and stock when the console becomes editable. Without a control port, it
// hides the button that kills stock-1.
export function update({ editable }) {
  byId("case-killed").hidden = !demo.available();
  if (editable && !opened) { opened = true; refresh(); }
}

async function refresh() {
  try {
    state = await read();
  } catch {
    opened = false; // the next update tries again
  }
  draw();
}

function drawItem({ name, price }, index) {
  const item = make("li");
  const add = make("button", "Add", "quiet small");
  add.setAttribute("aria-label", `Add a ${name.toLowerCase()} to the cart`);
  add.addEventListener("click", () => { cart.set(index, (cart.get(index) || 0) + 1); draw(); });
  const label = make("p");
  label.append(make("strong", name), ` ${price} credits`);
  item.append(pictures[name](), label, Object.assign(make("p", "", "dim"), { id: "stock-" + index }), add);
  return item;
}

const lines = () => [...cart].filter(([, quantity]) => quantity > 0).map(([index, quantity]) => ({ index, quantity })).sort((a, b) => a.index - b.index);

function draw() {
  goods.forEach((_, index) => setText(byId("stock-" + index), state ? (state.stock[index] ? `${state.stock[index]} left` : "sold out") : "…"));
  setText(byId("credit"), state ? `${state.credit} credits` : "…");
  const list = make("ul");
  for (const { index, quantity } of lines()) {
    const less = make("button", "Remove one", "link");
    less.setAttribute("aria-label", `Remove one ${goods[index].name.toLowerCase()} from the cart`);
    less.dataset.key = "less " + index;
    less.addEventListener("click", () => { cart.set(index, quantity - 1); draw(); });
    const line = make("li");
    line.append(make("span", `${quantity} × ${goods[index].name}`), less, make("span", String(quantity * goods[index].price), "n"));
    list.append(line);
  }
  const key = byId("cart").contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  byId("cart").replaceChildren(list.firstChild ? list : make("p", "The cart is empty.", "dim"));
  if (key) (byId("cart").querySelector(`[data-key="${key}"]`) ?? byId("buy")).focus();
  setText(byId("buy"), `Buy for ${total(lines())} credits`);
  setDisabled(byId("buy"), busy || !list.firstChild);
  for (const button of document.querySelectorAll(".cases button")) setDisabled(button, busy);
}

// setDisabled does not use the attribute "disabled", because a disabled button loses the focus.
function setDisabled(button, disabled) {
  button.setAttribute("aria-disabled", String(disabled));
}

// run makes a purchase and shows its result.
async function run(what) {
  if (busy || what.plan({ credit: 0, stock: goods.map(() => 0) }).length === 0) return;
  busy = true;
  draw();
  byId("receipt").replaceChildren();
  show("warn", "Preparing the order…");
  try {
    const result = await purchase(what, (order, work) => {
      show("warn", "Checking out…");
      saga.show(order, work);
    });
    state = result.after;
    showResult(result);
  } catch (error) {
    show("bad", `The purchase failed: ${error.message}. Try again.`);
    await refresh();
  }
  busy = false;
  draw();
}

function show(tone, text) {
  byId("outcome").className = tone;
  setText(byId("outcome"), text);
}

const toneOf = { PAID: "good", CANCELLED: "good", OPEN: "bad" };

function showResult({ order, lines: bought, before, after, responses, status }) {
  const refusal = responses.find((r) => !r.ok);
  const taken = before.credit - after.credit;
  const texts = {
    PAID: responses.length > 1 ? `Bought once: ${taken} credits, although the checkout was sent twice` : `Bought for ${taken} credits`,
    CANCELLED: "Bought and cancelled: everything is back",
    OPEN: `Refused: ${refusal?.body.title ?? "no reason"}. Your credit and the stock are as before`,
  };
  show(toneOf[status] ?? "warn", `${texts[status] ?? `Not decided yet: ${status}`}.`);
  const sent = make("ul", undefined, "responses");
  for (const { action, ok, status: code, body, took } of responses) {
    const line = make("li", action.text + ": ");
    line.append(make("strong", ok ? `${code} done` : `${code} ${body.title}`, ok ? "good" : "bad"), ` in ${took.toFixed(0)} ms`);
    sent.append(line);
  }
  const table = make("table");
  const head = make("thead");
  const titles = make("tr");
  for (const title of ["", "Before", "After"]) titles.append(Object.assign(make(title ? "th" : "td", title, title && "n"), title ? { scope: "col" } : {}));
  head.append(titles);
  const rows = make("tbody");
  rows.append(compare("Credit", before.credit, after.credit), ...bought.map(({ index }) => compare(`Stock of ${goods[index].name.toLowerCase()}s`, before.stock[index], after.stock[index])));
  table.append(make("caption", `Order ${status}`), head, rows);
  byId("receipt").dataset.order = order;
  byId("receipt").replaceChildren(sent, table);
}

function compare(name, before, after) {
  const change = after - before;
  const now = cellOf(String(after), "n");
  now.append(make("span", change ? ` (${change > 0 ? "+" : "−"}${Math.abs(change)})` : " (same)", "dim"));
  const title = Object.assign(make("th", name), { scope: "row" });
  const line = row(cellOf(String(before), "n"), now);
  line.prepend(title);
  return line;
}
