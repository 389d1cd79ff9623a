// Draws the steps of a saga. Each step has a mark in the lane of the service that it concerns. Marks differ in shape and colour.

import { make, svg } from "./dom.js";

const lanes = ["order", "payment", "stock"];
const laneX = { order: 14, payment: 40, stock: 66 };
const laneWidth = 80;
const markY = 18;

// The object "kinds" has the lane, the mark and the text of each kind of event in a history.
const kinds = {
  begin: ["order", "done", "Checkout begins"],
  resume: ["order", "back", "Checkout resumes"],
  credit_reserved: ["payment", "done", "Credit reserved"],
  stock_reserved: ["stock", "done", "Stock reserved"],
  paid: ["order", "final", "Committed: the order is PAID"],
  refused: ["order", "fail", "Refused"],
  aborting: ["order", "back", "Abort begins"],
  closed: ["order", "final", "Credit and stock released, attempt closed"],
  refunding: ["order", "back", "Refund begins"],
  cancelled: ["order", "final", "Credit and stock refunded: the order is CANCELLED"],
  recovery: ["order", "worker", "Recovery takes over"],
};

// refuser returns the service that refused an order, or undefined if no service did.
function refuser({ event, reason = "" }) {
  if (event !== "refused" && event !== "aborting") return undefined;
  if (/stock|item/.test(reason)) return "stock";
  return /credit|user|paid|payment/.test(reason) ? "payment" : undefined;
}

// laneOf returns the service that an event concerns.
const laneOf = (event) => refuser(event) ?? kinds[event.event]?.[0] ?? "order";

// duration returns a duration in ms as text.
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60000)} min`;
}

// drawStep returns the list item of an event. The other arguments:
//
//   previous  the event before it, or undefined
//   passed    time since the checkout or cancellation began, in ms
//   who       name of the instance that did the step
//   fresh     position of the event among the new events, or -1 if the event is not new
export function drawStep(event, previous, passed, who, fresh) {
  const [, mark, text] = refuser(event) ? ["", "fail", `Refused by ${refuser(event)}`] : kinds[event.event] ?? ["order", "done", event.event.replaceAll("_", " ")];
  const reason = event.reason ? ": " + event.reason.replaceAll("-", " ") : "";
  const detail = ["+" + duration(passed), who].filter(Boolean).join(" · ");
  const gap = previous ? event.at - previous.at : 0;
  const item = step(laneOf(event), previous && laneOf(previous), mark, text + reason, detail);
  if (gap >= 1000 && event.event !== "refunding") item.querySelector(".what").append(make("span", `after ${duration(gap)}`, "gap"));
  if (fresh >= 0) {
    item.classList.add("new");
    item.style.setProperty("--delay", `${Math.min(fresh, 8) * 140}ms`);
  }
  return item;
}

// drawWaiting returns the list item of the step that an undecided order waits for. The last argument is the name of the instance
// that works on the order.
export function drawWaiting({ step: what, service, shard, since_ms: since = 0, lease_ms: lease }, previous, who) {
  const lane = lanes.includes(service) ? service : "order";
  const target = [service, shard === undefined ? "" : `shard ${shard}`].filter(Boolean).join(", ");
  const text = target ? `Waits for ${target}: ${what}` : lease > 0 ? `Undecided: ${who} works on it` : `Waits for recovery: ${what}`;
  const item = step(lane, previous && laneOf(previous), "waiting", text, `for ${duration(since)}`);
  item.classList.add("waiting");
  return item;
}

function step(lane, from, mark, text, detail) {
  const x = laneX[lane];
  const item = make("li");
  const drawing = svg("svg", { class: "lanes", "aria-hidden": "true", width: laneWidth });
  for (const name of lanes) drawing.append(svg("line", { class: "lane", x1: laneX[name], x2: laneX[name], y1: 0, y2: 400 }));
  if (from) {
    const x0 = laneX[from];
    drawing.append(svg("path", { class: "way", d: x0 === x ? `M${x} 0V${markY}` : `M${x0} 0C${x0} ${markY} ${x} 0 ${x} ${markY}` }));
  }
  drawing.append(svg("line", { class: "way tail", x1: x, x2: x, y1: markY, y2: 400 }), drawMark(mark, x));
  const body = make("div", undefined, "step");
  const what = make("span", text, "what");
  body.append(what, make("span", `${lane} · ${detail}`, "dim"));
  item.append(drawing, body);
  return item;
}

// The object "marks" has the shape and the symbol of each kind of step.
const marks = {
  done: ["M-9 0a9 9 0 1 0 18 0a9 9 0 1 0-18 0z", "M-4 0-1 3 4-3"],
  final: ["M-11 0a11 11 0 1 0 22 0a11 11 0 1 0-22 0z", "M-5 0-1.5 4 5-4"],
  fail: ["M0-12 12 0 0 12-12 0z", "M-3.5-3.5 3.5 3.5M3.5-3.5-3.5 3.5"],
  back: ["M-9-9H9V9H-9z", "M3-4-2 0 3 4"],
  worker: ["M-6-10.4H6L12 0 6 10.4H-6L-12 0z", "M-4 2A4.5 4.5 0 1 1 0 4.5M-4 2-6-2M-4 2 0 0"],
  waiting: ["M-10 0a10 10 0 1 0 20 0a10 10 0 1 0-20 0z", "M0-5V0L4 2"],
};

function drawMark(name, x) {
  const [outline, symbol] = marks[name];
  return svg("g", { class: "mark " + name, transform: `translate(${x} ${markY})` },
    svg("g", { class: "pop" }, svg("path", { class: "outline", d: outline }), svg("path", { class: "symbol", d: symbol })));
}
