// Starts the console. Each part of the page is a module that exports
//
//   init(root)       called once; root is the section of the part
//   update(snapshot) optional; called every drawInterval while the page is visible; see state.js for the snapshot
//
// A module must also work if an overview of an older instance lacks some fields.
// saga.show(orderID) draws the saga of an order.

import * as charts from "./charts.js";
import * as demo from "./demo.js";
import { byId, setText } from "./dom.js";
import * as find from "./find.js";
import * as lists from "./lists.js";
import * as saga from "./saga.js";
import * as shop from "./shop.js";
import { snapshot, poll } from "./state.js";
import * as timeline from "./timeline.js";
import * as topology from "./topology.js";
import * as undecided from "./undecided.js";

const parts = { shop, saga, topology, charts, timeline, "undecided-orders": undecided, lists, find, demo };
const drawInterval = 250; // ms

function draw() {
  const now = snapshot();
  setText(byId("state"), now.text);
  byId("state").className = now.healthy ? "good" : "bad";
  document.body.classList.toggle("editable", now.editable);
  for (const part of Object.values(parts)) {
    try {
      part.update?.(now);
    } catch (error) { // the other parts must still show the state
      reportError(error); // unlike console.error, this makes a test of the page fail
    }
  }
}

for (const [id, part] of Object.entries(parts)) part.init(byId(id));
poll();
// Draw at an interval instead of after each response, because up to 20 responses arrive per second.
setInterval(() => { if (!document.hidden) draw(); }, drawInterval);
