// Draws the saga of an order: its states, and its steps with times.

import { get, segment } from "./api.js";
import { byId, make, setText } from "./dom.js";
import { drawStates } from "./states.js";
import { drawStep, drawWaiting, duration } from "./steps.js";

const pollInterval = 500; // ms between two requests while an order is undecided
const undecided = ["RUNNING", "ABORTING", "REFUNDING"];
const wait = (ms) => new Promise((next) => setTimeout(next, ms));

let latest = 0; // number of the last call of show()
let drawn = 0; // number of events on the page
let waits = []; // undecided orders of the last overviews, with the steps that they wait for
const instances = new Map(); // "order 1/2" by the incarnation of the instance

export function init(root) {
  root.append(
    make("p", "Buy something, or choose an order in a list: this part draws what happened to the order.", "dim saga-hint"),
    Object.assign(make("div"), { id: "saga-drawing", hidden: true }),
  );
  byId("saga-title").tabIndex = -1;
  const head = make("div", undefined, "saga-head");
  const announced = Object.assign(make("p"), { id: "saga-summary" });
  announced.setAttribute("role", "status");
  head.append(announced, Object.assign(make("p", undefined, "dim"), { id: "saga-order" }));
  const steps = Object.assign(make("ol", undefined, "steps"), { id: "saga-steps" });
  steps.setAttribute("aria-label", "Steps of the saga");
  byId("saga-drawing").append(head, Object.assign(make("div", undefined, "states"), { id: "saga-states" }), steps,
    Object.assign(make("p", undefined, "dim"), { id: "saga-trace" }));
}

// update records the incarnations of the instances, and the orders that wait for a service.
export function update({ instances: list, orders }) {
  waits = orders.flatMap((m) => m.overview.saga.undecided).filter((u) => u.waiting_for?.service);
  for (const { service, machine, overview } of list) {
    if (overview.incarnation) instances.set(overview.incarnation, `${service} ${machine}`);
  }
}

// show draws the saga of an order, scrolls to the drawing, and follows the order while it is undecided. If the argument
// "work" (a promise) is given, show does not scroll, and follows the order at least until the promise settles.
export async function show(orderID, work) {
  const call = ++latest;
  drawn = 0;
  byId("saga-drawing").hidden = false;
  byId("saga").querySelector(".saga-hint").hidden = true;
  byId("saga-order").replaceChildren("Order ", make("code", orderID));
  for (const id of ["saga-steps", "saga-states", "saga-trace"]) byId(id).replaceChildren();
  setText(byId("saga-summary"), "Reading the history…");
  byId("saga-summary").className = "";
  if (!work) {
    byId("saga").scrollIntoView();
    byId("saga-title").focus({ preventScroll: true });
  }
  let working = Boolean(work);
  const ended = work?.catch(() => {}).then(() => { working = false; });
  for (;;) {
    while (document.hidden) { // send no request for a page that is not visible
      await wait(pollInterval);
      if (call !== latest) return;
    }
    const last = !working;
    const history = await read(orderID);
    if (call !== latest) return;
    draw(orderID, history);
    if (last && (history.final || history.status && !undecided.includes(history.status))) return;
    await Promise.race([wait(pollInterval), working ? ended : wait(pollInterval)]);
    if (call !== latest) return;
  }
}

// read returns the history of an order. If only the status is known, the field "plain" is true. If nothing is known, the field
// "problem" says why, and the field "final" says whether a retry is useless.
async function read(orderID) {
  try {
    return await get("/orders/history/" + segment(orderID), { timeout: 5000 });
  } catch (error) {
    if (error.status !== 404) return { problem: "The order service does not respond. Trying again.", events: [] };
    try {
      return { status: (await get("/orders/find/" + segment(orderID), { timeout: 5000 })).status, events: [], plain: true };
    } catch (error) {
      if (error.status === 404) return { problem: "There is no order with this ID.", events: [], final: true };
      return { problem: "The order service cannot read this order now. Trying again.", events: [] };
    }
  }
}

// draw shows a history. Only new steps are animated.
function draw(orderID, { status, events, truncated, waiting_for: waiting, trace_id: trace, problem, plain }) {
  const summary = byId("saga-summary");
  if (problem) {
    setText(summary, problem);
    summary.className = "bad";
    return;
  }
  setText(summary, plain ? `${status}. This system keeps no history of orders.` : summarise(status, events));
  summary.className = undecided.includes(status) ? "warn" : status === "PAID" ? "good" : "";
  drawStates(byId("saga-states"), status, events);
  let start = events[0]?.at;
  const steps = events.map((event, index) => {
    if (begins(event)) start = event.at;
    return drawStep(event, events[index - 1], event.at - start, nameOf(event), index >= drawn ? index - drawn : -1);
  });
  if (truncated) steps.unshift(make("li", "Earlier steps are no longer stored.", "dim"));
  // Only the instance that works on the order knows which service the order waits for. If another
  // instance sent this history, take the service from the overviews.
  if (waiting && !waiting.service) waiting = waits.find((u) => u.order_id === orderID && u.status === status)?.waiting_for ?? waiting;
  if (waiting && undecided.includes(status)) steps.push(drawWaiting(waiting, events.at(-1), nameOf(waiting)));
  byId("saga-steps").replaceChildren(...steps);
  drawn = events.length;
  byId("saga-trace").replaceChildren(...(trace ? ["Trace ", make("code", trace)] : []));
}

const begins = (event) => event.event === "begin" || event.event === "refunding";

// startOf returns the time at which the last checkout or cancellation began.
function startOf(events) {
  return events.findLast(begins)?.at ?? events[0]?.at ?? 0;
}

function summarise(status, events) {
  const last = events.at(-1);
  if (!last) return status === "OPEN" ? "OPEN. No checkout has begun." : status;
  const took = duration(last.at - startOf(events));
  const attempt = events.slice(Math.max(0, events.findLastIndex(begins))); // ignore the recovery of an earlier attempt
  const recovered = attempt.some((e) => e.event === "recovery") ? ", by recovery" : "";
  switch (status) {
    case "PAID": return `PAID in ${took}`; // recovery never pays
    case "CANCELLED": return `CANCELLED: refunded in ${took}${recovered}`;
    case "OPEN": return `OPEN again: refused in ${took}${recovered}. Nothing was taken.`;
    default: return `${status}: undecided`;
  }
}

// nameOf returns the name of the instance or worker that did a step.
function nameOf({ by, instance, event }) {
  const name = instances.get(by) ?? (instance ? "order " + instance : by ? "instance " + by : "");
  return event === "recovery" ? `recovery worker of ${name}` : name;
}
