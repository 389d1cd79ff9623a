// The events of all instances, newest first. merge.js removes duplicates.

import { arrange, link, make, setText } from "./dom.js";
import { icon } from "./icon.js";
import { merge } from "./merge.js";
import * as saga from "./saga.js";
import * as topology from "./topology.js";

const page = 10; // rows that one press of "Show more" adds
const runLength = 4; // at least this many consecutive events of orders become one row
const openRuns = new Set();
// The map "rows" has the rows of the last draw, { li, change }, by a key. During a draw, the map "before" has the rows of the
// previous draw. A draw reuses rows, because a click needs its press and its release on the same element.
let rows = new Map(), before = rows;

// The object "kinds" has the level of each kind of event, and a function that returns its text and links.
const kinds = {
  instance_started: ["info", (e) => [`Instance ${e.machines.join(", ")} of ${e.service} started`]],
  instance_lost: ["bad", (e) => [`A process of ${e.service} was lost; recovery decides its orders`]],
  shard_unavailable: ["bad", (e) => [shard(e), " is unavailable"]],
  shard_refuses: ["warn", (e) => [shard(e), " refuses writes"]],
  shard_back: ["good", (e) => [shard(e), " is back"]],
  failover: ["warn", (e) => [shard(e), " failed over"]],
  copies_missing: ["warn", (e) => [shard(e), " lacks copies"]],
  copies_back: ["good", (e) => [shard(e), " has all copies again"]],
  peer_unavailable: ["bad", (e) => [`An instance of ${e.service} is unavailable`]],
  peer_back: ["good", (e) => [`An instance of ${e.service} is back`]],
  order_undecided: ["warn", (e) => [order(e), " is undecided"]],
  order_decided: ["good", (e) => [order(e), ` is ${e.detail}`, e.by ? `, decided by ${e.by}` : ""]],
  more_orders: ["info", (e) => [`${e.count} more events of orders`]],
};
const states = { good: ["healthy", "ok"], warn: ["refuses writes", "warn"], bad: ["unhealthy", "fail"], info: ["unknown", "idle"] };

let list, more, count = page, drawn = "", events = [];

export function init(root) {
  list = Object.assign(make("ol", undefined, "events"), { id: "events" });
  more = make("button", "Show more", "quiet small");
  more.addEventListener("click", () => { count += page; draw(); });
  root.append(list, more);
  draw();
}

export function update({ instances }) {
  const key = instances.map((m) => `${m.service} ${m.machine} ${m.overview.incarnation} ${m.events.at(-1)?.seq}`).join();
  if (key === drawn) return;
  drawn = key;
  events = merge(events, instances);
  draw();
}

function draw() {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : "";
  const all = runs();
  [before, rows] = [rows, new Map()];
  const shown = all.slice(0, count).map((run) => (run.length < runLength ? item(run[0]) : drawRun(run)));
  arrange(list, shown.length ? shown : [make("li", "No events yet.", "dim")]);
  if (focused && !list.contains(document.activeElement)) list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  more.hidden = all.length <= count;
}

// The function "keep" returns the row with the given key. If there is no such row yet, "keep" creates one.
function keep(key, create) {
  const kept = rows.get(key) ?? before.get(key) ?? create();
  rows.set(key, kept);
  return kept;
}

// The function "runs" returns a list of events for each row: either one event, or at least runLength consecutive order
// events of one kind. An outage causes hundreds of order events. In separate rows, they would hide the event that
// reports the outage.
function runs() {
  const all = [];
  for (const e of events) {
    const last = all.at(-1);
    if (e.order_id && last?.[0].order_id && last[0].kind === e.kind) last.push(e);
    else all.push([e]);
  }
  return all.flatMap((run) => (run.length < runLength ? run.map((e) => [e]) : [run]));
}

function drawRun(run) {
  const { li, change } = keep("run " + run.at(-1).reports[0], () => addRun(run));
  change(run);
  return li;
}

// addRun returns the row of several order events, and a function that updates it.
function addRun(run) {
  const oldest = run.at(-1), key = oldest.key + oldest.time, decided = oldest.kind === "order_decided";
  const details = make("details"), orders = make("ol", undefined, "events");
  const summary = make("summary"), text = make("span"), after = make("strong");
  summary.dataset.key = key;
  summary.append(text, after);
  details.open = openRuns.has(key);
  const fill = () => { if (details.open) arrange(orders, run.map(item)); };
  details.addEventListener("toggle", () => { openRuns[details.open ? "add" : "delete"](key); fill(); });
  details.append(summary, orders);
  const li = line(run[0], details);
  const change = (now) => {
    run = now;
    setText(text, `${run.length} orders are ${decided ? "decided" : "undecided"}`);
    if (decided) setText(after, ` after ${duration(Math.max(...run.map((e) => e.duration_ms || 0)))} at most`);
    setTime(li.querySelector("time"), run[0]);
    fill();
  };
  return { li, change };
}

// item returns the row of an event. It reuses the row of the last draw, unless the time or the duration has changed.
function item(e) {
  const key = JSON.stringify([e.reports[0], e.time, e.duration_ms]);
  return keep(key, () => ({ li: addItem(e) })).li;
}

function addItem(e) {
  const what = make("span", undefined, "what");
  for (const part of kindOf(e)[1](e)) {
    if (part instanceof Node) part.dataset.key = `${e.key} ${e.time}`;
    what.append(part);
  }
  if (e.duration_ms) what.append(make("strong", " after " + duration(e.duration_ms)));
  if (e.detail && e.kind !== "order_decided") what.append(" ", make("span", e.detail, "dim"));
  return line(e, what);
}

const kindOf = (e) => kinds[e.kind] || ["info", () => [e.kind.replaceAll("_", " ")]];

function line(e, what) {
  const time = make("time");
  setTime(time, e);
  const [state, className] = states[kindOf(e)[0]];
  const li = make("li", undefined, className);
  li.append(time, icon(state), what);
  return li;
}

function setTime(element, e) {
  setText(element, new Date(e.time).toTimeString().slice(0, 8));
  element.dateTime = new Date(e.time).toISOString();
}

const duration = (ms) => (ms < 1000 ? ms + " ms" : ms < 60000 ? (ms / 1000).toFixed(1) + " s" : Math.round(ms / 6000) / 10 + " min");
const shard = (e) => link(`Shard ${e.shard} of ${e.service}`, () => topology.focus(e.service, e.shard));

function order(e) {
  if (!e.order_id) return "An order"; // a read-only console shows no IDs
  const button = link(`Order ${e.order_id.length > 12 ? e.order_id.slice(0, 8) + "…" + e.order_id.slice(-4) : e.order_id}`, () => saga.show(e.order_id));
  button.title = "Order " + e.order_id;
  return button;
}
