// Polls the overview of each instance, and derives the state of the system.

import { request } from "./api.js";

export const services = { order: "/orders", stock: "/stock", payment: "/payment" };

// pollInterval is the time (ms) between two requests to one instance. An instance detects an unresponsive shard within 1.7 s, and the
// page should show that within 2 s.
const pollInterval = 300;
const pollTimeout = 1500; // ms
const staleAfter = 1400; // an instance counts as unavailable this long (ms) after its last response
const staleInTurn = 8000; // the same for a service in inTurn

// instances has the state of each instance, by name, such as "order 1/2". snapshot describes the fields.
const instances = new Map();
const failed = new Set(); // services whose last request failed
// If the gateway has no route to a single instance of a service, requests reach the instances in turn. The map "inTurn"
// has the time when the page noticed this, by service. After directAgain (ms), the page tries the route again.
const inTurn = new Map();
const directAgain = 30000;
let responses = 0;
// The page receives no responses while it is hidden or the machine is busy. The variable "active" has the time when the
// last such pause ended. No instance counts as unavailable until staleAfter (or staleInTurn) after that time.
let active = 0, drawn = 0;
document.addEventListener("visibilitychange", () => { active = performance.now(); });
const opened = performance.now();

export const sum = (list) => list.reduce((a, b) => a + b, 0);

// snapshot returns the current state of the system:
//
//   at         performance.now()
//   instances  a list of { service, machine: "1/2", number, overview, before, age, took, fresh, events }; `overview` and `before`
//              are the last two overviews, each with `at`, the time of its response; `age` (ms) is the time since `overview.at`;
//              `took` (ms) is the duration of the last request; `fresh` is false if the instance is unavailable; `events` are the
//              last 500 events that the process has reported, each with `time`: Unix ms by the clock of the browser
//   services   a list of { service, instances, shards, count }; a shard is { shard, state, nodes }; see shardState for the states, and
//              nodesOf for the nodes; `count` is the number of instances that the service should have
//   orders     the fresh instances of the order service
//   newest     the newest overview of the order service, or undefined
//   editable   whether the console may change data
//   problems   a list of texts; `text` joins them; `healthy` is true if the list is empty and the page is no longer connecting
export function snapshot() {
  const at = performance.now();
  if (at - drawn > 1000) active = at;
  drawn = at;
  const list = [...instances.values()].map((m) => ({ ...m, age: at - m.overview.at, fresh: at - Math.max(m.overview.at, active) < (inTurn.has(m.service) ? staleInTurn : staleAfter) }));
  list.sort((a, b) => a.service.localeCompare(b.service) || a.number - b.number);
  const fresh = list.filter((m) => m.fresh);
  const orders = fresh.filter((m) => m.overview.saga);
  const newest = orders.toSorted((a, b) => a.age - b.age)[0]?.overview;
  const all = Object.keys(services).map((service) => serviceState(service, list.filter((m) => m.service === service)));
  const problems = all.flatMap(problemsOf);
  const known = responses > 0 || at - opened > pollTimeout;
  return {
    at, instances: list, services: all, orders, newest, problems, healthy: known && problems.length === 0,
    editable: list.some((m) => m.overview.saga?.editable), // keeps its value while no instance responds
    text: !known ? "Connecting to the services…" : problems.length ? problems.join(", ") + "." : "All services are healthy.",
  };
}

function serviceState(service, list) {
  const newest = list.toSorted((a, b) => a.age - b.age)[0]?.overview;
  const fresh = list.filter((m) => m.fresh);
  const shards = (newest?.shards || []).map(({ shard }) => ({ shard, state: shardState(fresh, shard), nodes: nodesOf(fresh, shard) }));
  return { service, instances: list, shards, count: newest ? countOf(newest) : 0 };
}

// shardState returns the worst state that an instance reports: "unhealthy", "refuses writes" or "healthy"; or "unknown" if no
// instance is available.
export function shardState(list, shard) {
  const states = list.flatMap((m) => m.overview.shards).filter((s) => s.shard === shard).map((s) => (!s.up ? "unhealthy" : s.problem ? "refuses writes" : "healthy"));
  return ["unhealthy", "refuses writes", "healthy"].find((state) => states.includes(state)) || "unknown";
}

// nodesOf returns the nodes of a replicated shard as the instance with the newest overview sees them: a list of { node, role, epoch,
// lag }. It returns an empty list for a shard on one server, and if no instance is available.
export function nodesOf(list, shard) {
  const [newest] = list.toSorted((a, b) => a.age - b.age);
  return newest?.overview.shards.find((s) => s.shard === shard)?.nodes || [];
}

// missingOf returns the nodes of a shard that are neither its primary nor a replica in sync.
export const missingOf = ({ nodes = [] }) => nodes.filter(({ role }) => role !== "primary" && role !== "replica");

function problemsOf({ service, instances: list, shards, count }) {
  if (!list.some((m) => m.fresh)) return list.length || failed.has(service) ? [service + " is unavailable"] : [];
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter((n) => !list.some((m) => m.number === n && m.fresh));
  return [
    ...shards.filter((s) => s.state === "unhealthy").map((s) => `shard ${s.shard} of ${service} is unhealthy`),
    ...shards.filter((s) => s.state === "refuses writes").map((s) => `shard ${s.shard} of ${service} refuses writes`),
    ...shards.filter((s) => s.state === "healthy").flatMap((s) => missingOf(s).map((n) => `node ${n.node} of shard ${s.shard} of ${service} is ${n.role}`)),
    ...missing.map((n) => `instance ${n}/${count} of ${service} is unavailable`),
  ];
}

// rate returns how much count(overview) grew per second between the last two overviews of each instance, summed over instances.
// An instance adds 0 if its count shrank, or if it has only one overview since it started.
export function rate(list, count) {
  return sum(list.map(({ overview, before }) => (before ? Math.max(0, count(overview) - count(before)) / ((overview.at - before.at) / 1000) : 0)));
}

export const requestsOf = (overview) => sum(Object.values(overview.requests));

// shardOf returns the shard of an ID. A UUID contains its shard. Decimal ID n is on shard n modulo the modulus of the shard map.
export function shardOf(id, service) {
  const m = [...instances.values()].find((m) => m.service === service);
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(id)) return parseInt(id.slice(-4), 16);
  return /^[0-9]{1,7}$/.test(id) && m?.overview.modulus ? Number(id) % m.overview.modulus : "?";
}

const countOf = (overview) => Number(overview.machine.split("/")[1]);

function remember(overview, sent, after) {
  const { service, machine } = overview;
  const name = service + " " + machine;
  const known = instances.get(name);
  overview.at = performance.now();
  const same = known && known.overview.incarnation === overview.incarnation;
  if (same && overview.at - known.overview.at < pollInterval / 2) return; // the instance has already responded in this poll
  const took = overview.at - sent;
  // The instance read its clock, overview.now, between the request and the response: assume the middle.
  const offset = Date.now() - took / 2 - (overview.now || Date.now());
  const events = (same && known.events) || [];
  const last = events.at(-1)?.seq || 0;
  // After a restart, `after` is a number of the old process, but the new process numbers its events from 1. So the
  // first response may lack events: ignore its events. The next response has them all.
  for (const e of same || !after ? overview.events || [] : []) if (e.seq > last) events.push({ ...e, time: e.at + offset });
  if (events.length > 500) events.splice(0, events.length - 500);
  instances.set(name, { service, machine, number: Number(machine.split("/")[0]), overview, before: same ? known.overview : undefined, took, events });
  for (const [other, m] of instances) { // forget instances that report another number of instances
    if (m.service === service && countOf(m.overview) !== countOf(overview)) instances.delete(other);
  }
}

const wait = (ms) => new Promise((next) => setTimeout(next, ms));

// poll polls all instances forever. A hidden page sends no request. Each instance has its own loop, so that a slow instance delays
// no other.
export function poll() {
  const loops = {};
  const wanted = (service) => {
    const known = [...instances.values()].find((m) => m.service === service);
    return known ? countOf(known.overview) + (inTurn.has(service) ? 1 : 0) : 2;
  };
  const once = async (service, index) => {
    const known = [...instances.values()].some((m) => m.service === service);
    const direct = known && performance.now() - (inTurn.get(service) ?? -Infinity) > directAgain;
    let after = !direct ? 0 : [...instances.values()].find((m) => m.service === service && m.number === index)?.events.at(-1)?.seq || 0;
    const path = services[service] + "/overview" + (direct ? `/${index}?after=${after}` : "");
    let sent = performance.now();
    try {
      let { ok, status, body } = await request("GET", path, { timeout: pollTimeout });
      if (status === 404 && direct) { // there is no route to one instance, or the service has fewer instances now
        sent = performance.now();
        after = 0;
        ({ ok, body } = await request("GET", services[service] + "/overview", { timeout: pollTimeout }));
        if (ok && index <= countOf(body)) inTurn.set(service, performance.now());
      } else if (ok && direct) inTurn.delete(service);
      failed[ok ? "delete" : "add"](service);
      if (ok) remember(body, sent, after);
      if (ok) responses++;
    } catch {
      failed.add(service);
    }
  };
  const loop = async (service, index) => {
    while (index <= wanted(service)) {
      if (!document.hidden) {
        await once(service, index);
        start(service);
      }
      await wait(pollInterval);
    }
    loops[service].delete(index);
  };
  const start = (service) => {
    for (let i = 1; i <= wanted(service); i++) {
      if (!loops[service].has(i)) { loops[service].add(i); loop(service, i); }
    }
  };
  for (const service of Object.keys(services)) { loops[service] = new Set(); start(service); }
}
