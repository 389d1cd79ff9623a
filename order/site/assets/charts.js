// Draws the current figures, and charts of the last 15 minutes. samples.js takes the samples.

import { byId, cellOf, make, none, row, setText } from "./dom.js";
import { latest, minutes, percentile, recentSamples, sample, series } from "./samples.js";

// The lines of a chart also differ in their dashes, because not everyone can tell the colours apart.
const charts = [
  { id: "requests", title: "Requests per second", lines: [["requests", "requests", "--series1"]] },
  { id: "checkouts", title: "Checkouts per second", lines: [["paid", "paid", "--series1"], ["refused", "refused", "--series3", [8, 4]], ["unknown", "unknown", "--series2", [2, 3]]] },
  { id: "latency", title: "Time to PAID, p50 · p99", unit: " ms", lines: [["p99", "p99", "--series2", [8, 4]], ["p50", "p50", "--series1"]], points: true, least: 10, now: `since the start; the last ${recentSamples} s: ` },
  { id: "undecided-count", title: "Undecided orders", lines: [["undecided", "undecided", "--series1"]], whole: true, least: 4 },
];

let grid, drawnSamples = 0;

export function init(root) {
  grid = make("div", undefined, "charts");
  root.querySelector("h2").after(grid);
  for (const chart of charts) {
    const figure = make("figure"), caption = make("figcaption");
    chart.summary = make("span", "", "dim");
    caption.append(make("span", chart.title, "dim"), Object.assign(make("strong", "–"), { id: chart.id }), keysOf(chart), chart.summary);
    chart.canvas = make("div", undefined, "plot");
    chart.canvas.setAttribute("aria-hidden", "true"); // the caption has the values
    figure.append(caption, chart.canvas);
    grid.append(figure);
  }
  // uPlot reads the colours only when a chart is created.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", createAll);
  let width = 0;
  new ResizeObserver(() => {
    if (grid.clientWidth === width) return;
    width = grid.clientWidth;
    createAll();
  }).observe(grid);
}

export function update(snapshot) {
  const { orders, newest } = snapshot;
  if (sample(snapshot)) {
    const { requests, paid, refused, unknown } = latest();
    setText(byId("requests"), format(requests));
    setText(byId("checkouts"), format(paid === null ? null : paid + refused + unknown));
    const [p50, p99] = [.5, .99].map((share) => percentile(orders.map((m) => m.overview.saga.took), share));
    setText(byId("latency"), p50 === null ? "–" : `≤ ${duration(p50)} · ${duration(p99)}`);
    drawOutcomes(orders);
  }
  if (newest) setText(byId("undecided-count"), String(newest.saga.waiting));
  if (drawnSamples !== series.time.length + series.time[0]) drawAll();
}

const format = (value) => (value === null || value === undefined ? "–" : value < 10 ? String(Math.round(value * 10) / 10) : Math.round(value).toLocaleString("en"));
const duration = (ms) => (ms === Infinity ? "more than 15 s" : ms < 1000 ? ms + " ms" : ms / 1000 + " s");

function drawOutcomes(orders) {
  const counts = new Map();
  for (const c of orders.flatMap((m) => m.overview.saga.checkouts)) {
    const name = c.outcome + "\n" + c.reason;
    counts.set(name, (counts.get(name) || 0) + c.count);
  }
  const rows = [...counts].filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]).map(([name, count]) => row(...name.split("\n"), cellOf(String(count), "n")));
  byId("outcomes").replaceChildren(...(rows.length ? rows : [none(3)]));
}

const dataOf = (chart) => [series.time, ...chart.lines.map(([name]) => series[name])];

function drawAll() {
  drawnSamples = series.time.length + series.time[0];
  const end = series.time.at(-1);
  for (const chart of charts) {
    if (!chart.plot) continue;
    chart.plot.setData(dataOf(chart), false);
    chart.plot.batch(() => {
      chart.plot.setScale("x", { min: Math.max(end - minutes * 60, Math.min(series.time[0], end - 120)), max: end });
      const top = Math.max(...chart.lines.flatMap(([name]) => series[name]).filter((v) => v !== null && v !== undefined), chart.least || 1);
      chart.plot.setScale("y", { min: 0, max: top * 1.1 });
    });
    const text = (value) => format(value) + (value === null ? "" : chart.unit || "");
    const list = (value) => chart.lines.map(([name, label]) => (chart.lines.length > 1 ? label + " " : "") + text(value(name))).join(", ");
    setText(chart.summary, (chart.now ? chart.now + list((name) => series[name].at(-1)) + "; " : "") + "max " + list(most));
  }
}

function most(name) {
  const known = series[name].filter((v) => v !== null && v !== undefined);
  return known.length ? Math.max(...known) : null;
}

function createAll() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  for (const chart of charts) {
    chart.plot?.destroy();
    chart.canvas.replaceChildren();
    const axis = { stroke: colour("--dim"), font: "12px system-ui, sans-serif", grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    chart.plot = new uPlot({
      width: Math.max(200, Math.floor(chart.canvas.clientWidth)), height: 150, cursor: { show: false }, legend: { show: false },
      padding: [8, 20, 0, 0],
      scales: { x: { time: true, auto: false }, y: { auto: false } },
      axes: [
        { ...axis, space: 70, values: (_, times) => times.map((t) => new Date(t * 1000).toTimeString().slice(0, t % 60 ? 8 : 5)), incrs: [30, 60, 120, 180, 300], size: 28 },
        { ...axis, size: 48, space: 30, incrs: chart.whole ? [1, 2, 5, 10, 20, 50, 100, 1000, 10000, 100000] : undefined, values: (_, values) => values.map((v) => format(v) + (chart.unit || "")) },
      ],
      series: [{}, ...chart.lines.map(([, label, name, dash]) => ({
        label, stroke: colour(name), width: 2, dash, spanGaps: false,
        points: { show: Boolean(chart.points), size: 4, stroke: colour(name), fill: colour(name) },
      }))],
    }, dataOf(chart), chart.canvas);
  }
  if (series.time.length) drawAll();
}

// keysOf returns the legend of a chart: a key for each line. A chart with one line has an empty legend.
function keysOf(chart) {
  const keys = make("span", undefined, "keys");
  for (const [, label, name, dash] of chart.lines.length > 1 ? chart.lines : []) {
    const key = make("span", label, "key");
    key.style.setProperty("--key", `var(${name})`);
    key.dataset.dash = dash ? (dash[0] > 4 ? "long" : "short") : "none";
    keys.append(key);
  }
  return keys;
}
