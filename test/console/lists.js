// Compares the first three pages of each list of the console with the API, and returns the first difference.
(async () => {
  const lists = {
    orders: ["/orders/list", (o) => [o.order_id, o.status, o.user_id, o.total_cost, o.pieces]],
    items: ["/stock/list", (i) => [i.item_id, i.price, i.stock]],
    users: ["/payment/list", (u) => [u.user_id, u.credit]],
  };
  const text = (td) => (td.querySelector(".full") || td).textContent;
  const shown = () => [...document.querySelectorAll("#list tbody tr")].map((tr) => [...tr.cells].map(text).join()).join("\n");
  const get = async (path) => (await fetch(path)).json();
  const { paths } = await get("/openapi.json");
  // Some instances may list the orders of batch_init up to a second late. Six complete lists in a row very likely come
  // from all instances.
  for (let complete = 0; complete < 6;) complete = (await get("/orders/list?limit=20")).data.length === 20 ? complete + 1 : 0;
  const found = [];
  for (const [kind, [path, cells]] of Object.entries(lists).filter(([, [path]]) => paths[path])) {
    const select = document.getElementById("list-kind");
    select.value = kind;
    select.dispatchEvent(new Event("change"));
    let cursor = "";
    for (let page = 1; page <= 3 && cursor !== undefined && found.length === 0; page++) {
      const { data, next_cursor } = await get(`${path}?limit=10${cursor && "&cursor=" + encodeURIComponent(cursor)}`);
      const want = data.map((entry) => cells(entry).join()).join("\n") || "None.", until = performance.now() + 15000;
      while (shown() !== want && performance.now() < until) await new Promise((next) => setTimeout(next, 50));
      if (shown() !== want) found.push(`page ${page} of ${kind} shows ${shown()}, want ${want}`);
      cursor = next_cursor;
      if (cursor) [...document.querySelectorAll("#lists button")].find((button) => button.textContent === "Older").click();
    }
  }
  return found;
})()
