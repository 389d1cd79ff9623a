// Draws the states of an order, and the path of the order through these states.

import { svg } from "./dom.js";

const width = 100;
const height = 32;
const places = {
  OPEN: [2, 4], RUNNING: [130, 4], PAID: [258, 4], ABORTING: [2, 78], CANCELLED: [130, 78], REFUNDING: [258, 78],
};

// The object "ways" has the arrow of each event that has one: two states and a path. The event "refused" also changes
// the state (RUNNING to OPEN), but has no arrow.
const ways = {
  begin: ["OPEN", "RUNNING", "M102 20H128"],
  paid: ["RUNNING", "PAID", "M230 20H256"],
  aborting: ["RUNNING", "ABORTING", "M148 36 104 80"],
  closed: ["ABORTING", "OPEN", "M52 78V38"],
  refunding: ["PAID", "REFUNDING", "M308 36V76"],
  cancelled: ["REFUNDING", "CANCELLED", "M258 94H232"],
};

// drawStates draws the states in root. It marks the current state, and the states that the order has passed.
export function drawStates(root, status, events) {
  const taken = new Set(events.map((e) => e.event).filter((name) => ways[name]));
  if (taken.has("aborting") && status === "OPEN") taken.add("closed");
  const passed = new Set([...taken].flatMap((name) => ways[name].slice(0, 2)));
  const key = status + [...taken].join();
  if (root.dataset.key === key && root.firstChild) return;
  root.dataset.key = key;
  const arrows = Object.entries(ways).map(([name, [, , d]]) => {
    const done = taken.has(name);
    return svg("path", { d, class: done ? "way done" : "way", "marker-end": `url(#${done ? "tip-done" : "tip"})` });
  });
  const boxes = Object.entries(places).map(([name, [x, y]]) => svg("g", { class: `state ${name === status ? "current" : passed.has(name) ? "passed" : ""}` },
    svg("rect", { x, y, width, height, rx: 16 }),
    svg("text", { x: x + width / 2, y: y + 21, "text-anchor": "middle" }, name)));
  const label = `The order is ${status}.` + (taken.size ? ` It went through ${[...passed].join(", ")}.` : "");
  root.setAttribute("role", "img");
  root.setAttribute("aria-label", label);
  root.replaceChildren(svg("svg", { viewBox: "0 0 360 114", "aria-hidden": "true" }, svg("defs", {}, tip("tip"), tip("tip-done")), ...arrows, ...boxes));
}

function tip(id) {
  return svg("marker", { id, class: id, viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { d: "M0 0 8 4 0 8z" }));
}
