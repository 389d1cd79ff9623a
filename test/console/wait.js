// Defines functions that wait for a state, and return the time by the clock of the page.
(async () => {
  const stateShows = (text) => document.getElementById("state").innerText.includes(text);
  const wait = async (done) => { while (!await done()) await new Promise((next) => setTimeout(next, 20)); return performance.now(); };
  window.shown = (text) => wait(() => stateShows(text));
  const allHealthy = async () => {
    for (const path of ["orders", "stock", "payment"].flatMap((service) => [1, 2].map((i) => `/${service}/overview/${i}?after=1000`))) {
      const response = await fetch(path, { cache: "no-store" });
      if (!response.ok || !(await response.json()).shards.every((s) => s.up && !s.problem)) return false;
    }
    return true;
  };
  window.healthy = () => wait(allHealthy);
  window.broken = () => wait(async () => !await allHealthy());
  return true;
})()
