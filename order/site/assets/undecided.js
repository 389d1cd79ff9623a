// Lists the undecided orders of the newest overview that are at least 1 s old, and retries an order on request.

import { request, segment } from "./api.js";
import { arrange, byId, cellOf, idLink, make, none, row, setText } from "./dom.js";
import * as saga from "./saga.js";

export function init() {}

const retrying = new Set(); // IDs of the orders whose retry is in flight
const rows = new Map(); // by order ID: the row of an order, and a function that updates the row
const empty = none(5);

export function update({ newest }) {
  if (!newest) return;
  const { editable, undecided } = newest.saga;
  byId("hidden").hidden = editable;
  const old = undecided.filter((u) => u.age_ms >= 1000);
  for (const id of rows.keys()) if (!old.some((u) => u.order_id === id)) rows.delete(id);
  for (const u of old) {
    if (!rows.has(u.order_id)) rows.set(u.order_id, add(u.order_id));
    rows.get(u.order_id).change(u);
  }
  arrange(byId("undecided"), old.length ? old.map((u) => rows.get(u.order_id).line) : [empty]);
}

// add returns a new row for an order, and a function that shows the state of the order in the row.
function add(id) {
  let current;
  const button = make("button", "Retry", "small");
  button.setAttribute("aria-label", "Retry order " + id);
  button.addEventListener("click", () => retry(current));
  const status = cellOf(""), age = cellOf("", "n"), shard = cellOf("", "n wide");
  const change = (u) => {
    current = u;
    setText(status, u.status);
    setText(age, (u.age_ms / 1000).toFixed(1) + " s");
    setText(shard, String(u.shard));
    button.disabled = retrying.has(id);
  };
  return { line: row(idLink(id, () => saga.show(id), "Show order"), status, age, shard, cellOf(button, "edit")), change };
}

// retry sends the checkout or cancel request of an order again. A retry is safe: a checkout joins the attempt in flight,
// and a cancellation refunds only once.
async function retry(u) {
  retrying.add(u.order_id);
  setText(byId("retried"), "Retrying order " + u.order_id + "…");
  try {
    const path = u.status === "REFUNDING" ? `/payment/cancel/${segment(u.user_id)}/` : "/orders/checkout/";
    const response = await request("POST", path + segment(u.order_id));
    setText(byId("retried"), `Order ${u.order_id}: ${response.status} ${response.body.title || "done"}.`);
  } catch (error) {
    setText(byId("retried"), `Order ${u.order_id}: ${error.status ? error.message : "no response. Retry it"}.`);
  }
  retrying.delete(u.order_id);
}
