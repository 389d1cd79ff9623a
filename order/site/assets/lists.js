// Lists of orders, items, users and payments, one page at a time.

import { request, segment } from "./api.js";
import { byId, cellOf, idLink, make, none, replaceRows, row, setText } from "./dom.js";
import { find } from "./find.js";
import * as saga from "./saga.js";

const limit = 10; // rows of a page
const states = [["", "all"], ["undecided", "undecided"], ...["OPEN", "RUNNING", "ABORTING", "PAID", "REFUNDING", "CANCELLED"].map((s) => [s, s])];

// The object "lists" has the caption, the columns, the path and the rows of each list. A column whose name begins with # contains
// numbers. A narrow page hides a column whose name ends with *.
const lists = {
  orders: {
    text: "Orders", columns: ["Order", "Status", "User*", "#Total", "#Pieces*"],
    path: ({ state, user }) => "/orders/list?" + new URLSearchParams({ ...(state && { state }), ...(user && { user_id: user }) }),
    cells: (o) => [orderLink(o.order_id), status(o.status), userLink(o.user_id), o.total_cost, o.pieces],
  },
  items: {
    text: "Items", columns: ["Item", "#Price", "#Stock"], path: () => "/stock/list?",
    cells: (i) => [idLink(i.item_id, () => find(i.item_id), "Find item"), i.price, i.stock],
  },
  users: {
    text: "Users", columns: ["User", "#Credit"], path: () => "/payment/list?",
    cells: (u) => [userLink(u.user_id), u.credit],
  },
  payments: {
    text: "Payments of a user", columns: ["Order", "Kind*", "Status", "#Amount", "Paid*", "Refunded*"],
    path: ({ user }) => `/payment/history/${segment(user)}?`,
    cells: (p) => [orderLink(p.order_id), p.kind, status(p.status), p.amount, time(p.paid_at), time(p.refunded_at)],
  },
};

let form, table, message, older, newest, pages, cursor, latest = 0, opened = false;

export function init(root) {
  form = Object.assign(make("form", undefined, "row"), { id: "list-form" });
  form.append(
    select("list-kind", "List", Object.entries(lists).map(([name, { text }]) => [name, text])),
    select("list-state", "Status", states),
    field("list-user", "User ID"), make("button", "Show"));
  message = make("p", undefined, "dim");
  message.setAttribute("role", "status");
  table = Object.assign(make("table"), { id: "list" });
  table.append(make("caption"), make("thead"), make("tbody"));
  newest = button("Newest", () => load());
  older = button("Older", () => load(cursor));
  const turn = make("p", undefined, "row");
  turn.append(newest, older);
  const part = make("div", undefined, "edit"); // a read-only console shows no IDs
  part.append(form, table, message, turn);
  root.querySelector("h2").after(part);
  form.addEventListener("submit", (event) => { event.preventDefault(); load(); });
  byId("list-kind").addEventListener("change", () => { showFields(); load(); });
  byId("list-state").addEventListener("change", () => load());
  showFields();
}

// update loads the list when the console becomes editable. A read-only console has no lists.
export function update({ editable }) {
  if (editable && !opened) { opened = true; load(); }
}

// show shows the orders or the payments of a user.
export function show(kind, user) {
  byId("list-kind").value = kind;
  byId("list-state").value = "";
  byId("list-user").value = user;
  showFields();
  load();
  byId("lists").scrollIntoView({ block: "start" });
}

function showFields() {
  const kind = byId("list-kind").value;
  byId("list-state").parentElement.hidden = kind !== "orders";
  byId("list-user").parentElement.hidden = kind !== "orders" && kind !== "payments";
}

// load shows a page of the selected list: the page at the given cursor or, without an argument, the first page.
async function load(from) {
  const kind = byId("list-kind").value, list = lists[kind], turn = ++latest;
  const user = byId("list-user").value.trim();
  pages = from ? pages + 1 : 1;
  if (kind === "payments" && !user) return draw(list, [], "Enter the ID of a user.");
  try {
    const path = list.path({ state: byId("list-state").value, user }) + `&limit=${limit}` + (from ? "&cursor=" + encodeURIComponent(from) : "");
    const { ok, status, body } = await request("GET", path.replace("?&", "?"));
    if (turn !== latest) return; // a newer request is in flight
    cursor = ok && body.has_more ? body.next_cursor : undefined;
    draw(list, ok ? body.data : [], ok ? "" : status === 404 ? `This list is not available: ${body.detail || body.title}` : `${status} ${body.title}`);
  } catch (error) {
    if (turn === latest) draw(list, [], error.status === 404 ? "There is no user with this ID." : "No response: " + error.message);
  }
}

const classOf = (column) => (column[0] === "#" ? "n " : "") + (column.endsWith("*") ? "wide" : "");

function draw(list, data, text) {
  if (text) cursor = undefined;
  const head = make("tr");
  head.append(...list.columns.map((name) => Object.assign(make("th", name.replace(/[#*]/g, ""), classOf(name)), { scope: "col" })));
  setText(table.caption, `${list.text}, newest first, page ${pages}`);
  table.tHead.replaceChildren(head);
  replaceRows(table.tBodies[0], data.length ? data.map((entry) => row(...list.cells(entry).map((cell, i) => cellOf(cell instanceof Node ? cell : String(cell ?? "–"), classOf(list.columns[i]))))) : [none(list.columns.length, cursor && "None among the newest orders examined.")]);
  setText(message, text);
  if (document.activeElement === older && !cursor) newest.focus();
  older.disabled = !cursor;
}

function field(id, text) {
  const label = make("label", text + " ");
  label.append(Object.assign(make("input"), { id, autocomplete: "off", spellcheck: false, maxLength: 256 }));
  return label;
}

function select(id, text, options) {
  const label = make("label", text + " "), list = Object.assign(make("select"), { id });
  list.append(...options.map(([value, name]) => Object.assign(make("option", name), { value })));
  label.append(list);
  return label;
}

function button(text, act) {
  const element = Object.assign(make("button", text, "quiet small"), { type: "button" });
  element.addEventListener("click", act);
  return element;
}

const orderLink = (id) => idLink(id, () => saga.show(id), "Show order");
const userLink = (id) => idLink(id, () => { show("orders", id); find(id); }, "Show user");
const time = (ms) => (ms ? new Date(ms).toLocaleString("sv") : "–");

function status(text) {
  return make("span", text, "status " + ({ PAID: "good", OPEN: "", CANCELLED: "dim" }[text] ?? "warn"));
}
