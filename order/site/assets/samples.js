// Samples for the charts: the numbers of all instances, once a second, for the last 15 minutes.

import { requestsOf, sum } from "./state.js";

export const minutes = 15;
const interval = 1000; // ms
export const recentSamples = 5; // percentiles are computed from this many samples, because there may be few checkouts in one second
const names = ["requests", "paid", "refused", "unknown", "p50", "p99", "undecided"];

// series.time has the Unix time (s) of each sample. For each name, series[name] has the values. An unknown value is null, and the
// lines of the charts have a gap there.
export const series = { time: [], ...Object.fromEntries(names.map((name) => [name, []])) };

const previous = new Map(); // the last pair of each instance, by name and incarnation: see pairOf
const recent = []; // for each of the last samples: durations of the paid checkouts since the sample before
let last = 0; // performance.now() of the last sample

export const latest = () => Object.fromEntries(names.map((name) => [name, series[name].at(-1)]));

// sample takes a sample if the last one is a second old, and reports whether it did.
export function sample({ at, services, orders, newest }) {
  if (at - last < interval - 100) return false;
  if (last && at - last > 5 * interval) { // the page was hidden
    add((Date.now() - (at - last) / 2) / 1000, {});
    previous.clear();
  }
  last = at;
  const pairs = services.flatMap((s) => s.instances).filter((m) => m.fresh).map((m) => pairOf(m, at));
  const orderPairs = pairs.filter((p) => p.now.saga);
  const each = (list, count) => (list.some((p) => p.before) ? sum(list.filter((p) => p.before).map((p) => p.rate(count))) : null);
  const outcome = (name) => each(orderPairs, (o) => sum(o.saga.checkouts.filter((c) => c.outcome === name).map((c) => c.count)));
  // The durations of the paid checkouts since the last sample.
  recent.push(orderPairs.filter((p) => p.before && p.at === at).map(({ now, before }) => now.saga.took.map((bucket, i) => ({ ...bucket, count: bucket.count - (before.saga.took[i]?.count || 0) }))));
  if (recent.length > recentSamples) recent.shift();
  const took = recent.flat();
  add(Date.now() / 1000, {
    requests: each(pairs, requestsOf), paid: outcome("paid"), refused: outcome("refused"), unknown: outcome("unknown"),
    p50: finite(percentile(took, .5)), p99: finite(percentile(took, .99)), undecided: orders.length ? newest.saga.waiting : null,
  });
  return true;
}

// pairOf returns:
//   before, now  the last two overviews of an instance
//   rate         a function: the growth of a count from before to now, per second
//   at           the time of the first sample with `now`; later samples without a new response get the same pair
function pairOf({ service, machine, overview: now }, at) {
  const name = `${service} ${machine} ${now.incarnation || ""}`;
  const known = previous.get(name);
  if (known?.now === now) return known;
  const before = known?.now;
  const pair = { at, now, before, rate: (count) => (before ? Math.max(0, count(now) - count(before)) / ((now.at - before.at) / 1000) : 0) };
  previous.set(name, pair);
  return pair;
}

function add(time, values) {
  series.time.push(time);
  for (const name of names) series[name].push(values[name] ?? null);
  while (series.time[0] < time - minutes * 60) {
    for (const list of Object.values(series)) list.shift();
  }
}

const finite = (ms) => (ms === Infinity ? 15000 : ms);

// percentile returns the time (ms) within which the given share of the paid checkouts ended; the share .99 gives p99.
// The result is null if there are no checkouts, and Infinity above the last bucket. The argument "list" has the
// cumulative buckets of each instance.
export function percentile(list, share) {
  const counts = new Map();
  for (const { seconds, count } of list.flat()) counts.set(seconds, (counts.get(seconds) || 0) + count);
  const total = Math.max(0, ...counts.values());
  if (total <= 0) return null;
  const bound = [...counts].sort((a, b) => a[0] - b[0]).find(([, count]) => count >= share * total);
  return bound ? Math.round(bound[0] * 1e6) / 1e3 : Infinity;
}
