// Merges the events of two instances, and returns them as texts.
(async () => {
  const { merge } = await import("/assets/merge.js");
  const instance = (machine, ...events) => ({
    service: "stock", machine, overview: { incarnation: machine }, events: events.map(([kind, time, rest], i) => ({ seq: i + 1, kind, time, ...rest })),
  });
  const first = instance("1/2", ["instance_started", 0], ["shard_unavailable", 1000, { shard: 0 }],
    ["shard_back", 2100, { shard: 0, duration_ms: 1100 }], ["shard_unavailable", 2500, { shard: 0 }]);
  const second = instance("2/2", ["instance_started", 5], ["shard_unavailable", 1300, { shard: 0 }], ["shard_unavailable", 1300, { shard: 1 }],
    ["shard_back", 2200, { shard: 0, duration_ms: 900 }]);
  const merged = merge(merge([], [first]), [first, second]);
  return merged.map((e) => [e.time, e.kind, e.shard, e.duration_ms || 0, e.machines].join(" "));
})()
