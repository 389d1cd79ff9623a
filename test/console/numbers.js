// Compares the numbers of the console with the overviews, and returns the differences. The page may be a second behind,
// so the script retries for 15 s.
(async () => {
  const { series } = await import("/assets/samples.js"), { merge } = await import("/assets/merge.js");
  const text = (selector) => document.querySelector(selector).textContent;
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  const parse = (time) => parseFloat(time.replace("≤ ", "")) * (time.endsWith(" ms") ? 1 : 1000);
  const overviews = (service) => Promise.all([1, 2].map(async (i) => (await fetch("/" + service + "/overview/" + i)).json()));
  const differences = async () => {
    const found = [];
    const same = (what, got, want) => String(got) === String(want) || found.push(what + ": the page shows " + got + ", the API " + want);
    const orders = await overviews("orders"), all = [...orders, ...await overviews("stock"), ...await overviews("payment")];
    for (const outcome of ["paid", "refused", "unknown"]) {
      const counts = orders.flatMap((o) => o.saga.checkouts).filter((c) => c.outcome === outcome).map((c) => c.count);
      const rows = [...document.querySelectorAll("#outcomes tr")].filter((tr) => tr.cells[0].textContent === outcome);
      same("checkouts " + outcome, sum(rows.map((tr) => Number(tr.cells[2].textContent))), sum(counts));
    }
    same("undecided orders", text("#undecided-count"), orders[0].saga.waiting);
    const buckets = orders[0].saga.took.map(({ seconds }, i) => [seconds, sum(orders.map((o) => o.saga.took[i].count))]);
    const bound = (share) => Math.round(buckets.find(([, count]) => count >= share * buckets.at(-1)[1])[0] * 1e6) / 1e3;
    same("p50, p99", text("#latency").split(" · ").map(parse), [bound(.5), bound(.99)]);
    const drawn = document.querySelector(".picture").getAttribute("aria-label");
    for (const { service, machine, shards } of all) {
      for (const part of [service + " " + machine + " healthy", ...shards.map((s) => service + " shard " + s.shard + " healthy")]) {
        if (!drawn.includes(part)) found.push("the drawing does not show " + part + ": " + drawn);
      }
    }
    if (!series.paid.some((rate) => rate > 0 && rate < 10)) found.push("no sample of the checkout: " + series.paid);
    if (!series.requests.some((rate) => rate > 0)) found.push("no sample of the requests: " + series.requests);
    const lists = Object.values(series);
    if (lists.some((list) => list.length !== lists[0].length)) found.push("the series differ in length");
    const events = merge([], all.map((o) => ({ ...o, overview: o, events: o.events.map((e) => ({ ...e, time: e.at })) })));
    document.querySelector("#timeline > button").click(); // show more
    same("events", document.querySelectorAll("#events time").length, Math.min(events.length, 10 * ++pages));
    return found;
  };
  let found, pages = 1;
  const until = performance.now() + 15000;
  do { found = await differences(); } while (found.length && performance.now() < until && !await new Promise((next) => setTimeout(next, 500)));
  return found;
})()
