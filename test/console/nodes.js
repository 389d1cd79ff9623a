// Adds nodes to the shards in each overview that the page receives, and events to the overviews of stock. window.roles
// sets the roles of the nodes.
(() => {
  const original = window.fetch, start = Date.now();
  window.roles = ["primary", "replica", "replica"];
  window.fetch = async (path, options) => {
    const response = await original(path, options);
    if (!response.ok || !/\/overview/.test(path)) return response;
    const body = await response.json();
    for (const s of body.shards) {
      s.epoch = 2;
      s.nodes = window.roles.map((role, node) => ({ node, role, epoch: 2, lag: role === "syncing" ? 1200 : 0, clock_skew_ms: 0 }));
    }
    const seq = 1000, shard = 0, service = "stock";
    if (body.service === service) {
      body.events = body.events.concat([
        { kind: "failover", detail: "from node 0 to node 2, epoch 2", duration_ms: 1600 },
        { kind: "copies_missing", detail: "node 0 is unreachable" },
        { kind: "copies_back", duration_ms: 90000 },
      ].map((e, i) => ({ ...e, seq: seq + i, at: start + i, service, shard })));
    }
    return new Response(JSON.stringify(body), { status: 200, headers: { "Content-Type": "application/json" } });
  };
  return true;
})()
