// Finds an order, an item or a user by its ID.

import { request, segment } from "./api.js";
import { byId, make } from "./dom.js";
import { shardOf } from "./state.js";

const kinds = [["order", "Order", "/orders/find/"], ["stock", "Item", "/stock/find/"], ["payment", "User", "/payment/find_user/"]];

let latest = 0; // number of the last search

export function init() {
  byId("find-form").addEventListener("submit", (event) => {
    event.preventDefault();
    find(byId("id").value.trim());
  });
}

// find shows the objects with this ID. If several searches run, only the last one shows its result.
export async function find(id) {
  const search = ++latest;
  byId("id").value = id;
  byId("found").replaceChildren(make("p", "Searching…", "dim"));
  const results = await Promise.allSettled(kinds.map(async ([service, kind, path]) => ({ service, kind, response: await request("GET", path + segment(id)) })));
  if (search !== latest) return;
  const found = [];
  for (const { value, reason } of results) {
    if (reason?.status === 404) continue;
    if (!value) found.push(make("p", "No response: " + reason, "bad"));
    else if (value.response.ok) {
      found.push(make("p", `${value.kind} on shard ${shardOf(id, value.service)} of ${value.service}:`), make("pre", JSON.stringify(value.response.body, null, 2)));
    } else if (value.response.status !== 404) found.push(make("p", `${value.kind}: ${value.response.status} ${value.response.body.title}`, "bad"));
  }
  byId("found").replaceChildren(...(found.length ? found : [make("p", "There is no order, item or user with this ID.")]));
}
