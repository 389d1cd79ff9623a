// Merges the events of all instances.

const kept = 500;
// Events with the same key become one event if they are closer together than this time (ms), by kind of event. The
// default is 2000.
const within = { order_undecided: 5000, order_decided: 5000 };

// merge adds the new events of the instances to a list, and returns the list, newest first. Several instances may report the same
// thing, such as a shard that is unavailable. So their events with the same key and almost the same time become one event, with the
// earliest time and the longest duration. The field `machines` of this event lists the instances that reported it.
export function merge(list, instances) {
  const merged = list.toReversed();
  const added = instances.flatMap((m) => m.events.map((e) => ({ ...e, reporter: `${m.service} ${m.machine} ${m.overview.incarnation}`, service: e.service || m.service, machine: m.machine })));
  const seen = new Set(merged.flatMap((e) => e.reports));
  for (const e of added.sort((a, b) => a.time - b.time)) {
    const report = `${e.reporter} ${e.seq}`;
    if (seen.has(report)) continue;
    const key = keyOf(e);
    const distance = (o) => Math.abs(o.time - e.time);
    const [same] = merged.filter((o) => o.key === key && distance(o) < (within[e.kind] || 2000) && !o.reporters.includes(e.reporter)).sort((a, b) => distance(a) - distance(b));
    if (!same) {
      merged.push({ ...e, key: key || report, reports: [report], reporters: [e.reporter], machines: [e.machine] });
      continue;
    }
    same.time = Math.min(same.time, e.time);
    same.duration_ms = Math.max(same.duration_ms || 0, e.duration_ms || 0);
    same.reports.push(report);
    same.reporters.push(e.reporter);
    same.machines.push(e.machine);
  }
  return merged.sort((a, b) => b.time - a.time).slice(0, kept);
}

// keyOf returns the same key for all reports of one event. It returns "" for a kind of event that only one instance can report:
// merge does not join such events.
function keyOf({ kind, service, shard, order_id, incarnation }) {
  if (kind === "instance_started" || kind === "more_orders") return "";
  return [kind, service, shard, order_id, incarnation].join(" ");
}
