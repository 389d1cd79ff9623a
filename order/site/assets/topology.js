// Draws the gateway, the instances, the shards and the nodes of replicated shards. A state or a role has a colour, a shape and a text.

import { byId, cellOf, make, row, svg } from "./dom.js";
import { icon } from "./icon.js";
import { missingOf, rate, requestsOf } from "./state.js";

const size = { width: 132, height: 46, copy: 18, gap: 14, level: 52 }; // px: width, height, line height and distances of boxes
const classes = { healthy: "ok", "refuses writes": "warn", unhealthy: "fail", unknown: "idle" };

// The object "roles" maps the role of a node to its colour and symbol.
const roles = {
  primary: ["ok", "◆"], replica: ["ok", "◇"], syncing: ["warn", "◐"], frozen: ["warn", "❚❚"], outdated: ["warn", "▲"],
  unreachable: ["fail", "✖"],
};

let picture, drawn = "", listed = "", highlighted = "";

export function init(root) {
  picture = make("div", undefined, "picture");
  picture.setAttribute("role", "img"); // the table below has the same content
  root.querySelector("h2").after(picture);
}

// focus scrolls to the drawing and marks a shard of a service.
export function focus(service, shard) {
  highlighted = service + " shard " + shard;
  drawn = "";
  byId("topology").scrollIntoView({ block: "start" });
  byId("topology-title").focus({ preventScroll: true });
}

export function update(snapshot) {
  draw(snapshot);
  const key = JSON.stringify(snapshot.instances.map((m) => [m.service, m.machine, m.fresh ? "now" : ago(m.age), m.overview.shards.map(textOf)]));
  if (key === listed) return; // a redraw would clear a selection of text
  listed = key;
  byId("instances").replaceChildren(...snapshot.instances.map(({ service, machine, overview, age, fresh }) => {
    const shards = make("span");
    overview.shards.forEach((s) => shards.append(make("span", textOf(s) + " ", stateOf(s) !== "healthy" ? "bad" : missingOf(s).length ? "warn" : "good")));
    const name = make("span", service);
    name.append(make("span", " " + machine, "short"));
    return row(name, cellOf(machine, "wide"), cellOf(make("span", fresh ? "now" : ago(age), fresh ? "good" : "bad")), cellOf(shards));
  }));
}

const stateOf = (s) => (!s.up ? "unhealthy" : s.problem ? "refuses writes" : "healthy");
const textOf = (s) => `shard ${s.shard} ${stateOf(s)}${nodesText(s.nodes)}`;

// nodesText returns the roles of the nodes of a replicated shard, or "". A small lag is normal, so the text does not mention it.
function nodesText(nodes = []) {
  if (nodes.length === 0) return "";
  const behind = (lag) => (lag >= 100 ? `, ${lag} batches behind` : "");
  return ` (${nodes.map(({ node, role, lag }) => `node ${node} ${role}${behind(lag)}`).join(", ")})`;
}

const ago = (age) => (age < 120000 ? Math.round(age / 1000) + " s ago" : Math.round(age / 60000) + " min ago");

// layout returns the nodes, the lines and the panels of the drawing, and its height. On a wide page, the services are columns; on a
// narrow page they are rows, with the instances on the left and the shards on the right.
function layout({ services }, width) {
  const wide = width >= 700;
  const anyFresh = services.some((s) => s.instances.some((m) => m.fresh)), known = services.some((s) => s.instances.length);
  const gateway = {
    kind: "gateway", id: "gateway", title: "gateway", x: width / 2, y: 26, w: size.width, h: size.height,
    state: anyFresh ? "healthy" : known ? "unhealthy" : "unknown", text: anyFresh ? "healthy" : known ? "no response" : "unknown",
  };
  const drawing = { nodes: [gateway], lines: [], panels: [], height: 26 + size.height / 2, wide };
  services.forEach((s, index) => {
    const instances = instanceNodes(s);
    const shards = s.shards.map((known) => ({ ...known, kind: "shard", id: `${s.service} shard ${known.shard}`, title: "shard " + known.shard, text: known.state }));
    const top = wide ? 26 + size.height / 2 + size.level : drawing.height + 24;
    const area = wide ? { x: index * (width / services.length) + 6, width: width / services.length - 12 } : { x: 18, width: width - 18 };
    const bottom = wide ? columns(area, top, instances, shards) : rows(area, top, instances, shards);
    drawing.panels.push({ ...area, y: top, height: bottom - top, text: s.service });
    drawing.height = Math.max(wide ? drawing.height : 0, bottom);
    drawing.nodes.push(...instances, ...shards);
    for (const instance of instances) {
      drawing.lines.push({ from: gateway, to: instance, state: instance.state, busy: instance.rate > 0 });
      for (const shard of shards) drawing.lines.push({ from: instance, to: shard, state: lineState(instance, shard), busy: instance.rate > 0 });
    }
  });
  drawing.height += 2;
  return drawing;
}

// heightOf returns the height of each box of a group.
function heightOf(group) {
  const lines = Math.max(0, ...group.map(({ nodes = [] }) => nodes.length));
  return size.height + (lines && lines * size.copy + 6);
}

// The function "columns" places the instances above the shards, and returns the bottom of the panel.
function columns({ x, width }, top, ...groups) {
  let y = top + 18;
  for (const group of groups) {
    if (group.length === 0) continue; // the shards of a service that has not responded are unknown
    const perRow = Math.min(group.length, Math.max(2, Math.floor((width - 20 + size.gap) / (size.width + size.gap))));
    const w = Math.min(size.width, (width - 20 - (perRow - 1) * size.gap) / perRow);
    const h = heightOf(group);
    group.forEach((node, i) => {
      const inRow = Math.min(perRow, group.length - Math.floor(i / perRow) * perRow);
      const start = x + width / 2 - (inRow * w + (inRow - 1) * size.gap) / 2 + w / 2;
      Object.assign(node, { w, h, x: start + (i % perRow) * (w + size.gap), y: y + h / 2 + Math.floor(i / perRow) * (h + size.gap) });
    });
    y += Math.ceil(group.length / perRow) * (h + size.gap) - size.gap + size.level;
  }
  return y - size.level + 34;
}

// The function "rows" places the instances left of the shards, and returns the bottom of the panel.
function rows({ x, width }, top, ...groups) {
  const w = Math.min(size.width, (width - 20) * .465);
  groups.forEach((group, column) => {
    const h = heightOf(group);
    group.forEach((node, i) => Object.assign(node, {
      w, h, x: column === 0 ? x + 10 + w / 2 : x + width - 10 - w / 2, y: top + 32 + h / 2 + i * (h + size.gap),
    }));
  });
  return top + 32 + Math.max(...groups.map((group) => group.length * (heightOf(group) + size.gap))) - size.gap + 10;
}

function instanceNodes({ service, instances, count }) {
  const numbers = Array.from({ length: Math.max(count, 1) }, (_, i) => i + 1);
  return numbers.map((number) => {
    const m = instances.find((m) => m.number === number);
    const node = { kind: "instance", id: `${service} ${number}`, title: count ? `${service} ${number}/${count}` : service, m, rate: 0 };
    if (!m) return { ...node, state: "unknown", text: "unknown" };
    if (!m.fresh) return { ...node, state: "unhealthy", text: "no response" };
    const perSecond = rate([m], requestsOf);
    return { ...node, state: "healthy", rate: perSecond, text: "healthy · " + perSecond.toFixed(0) + "/s" };
  });
}

function lineState(instance, shard) {
  if (!instance.m?.fresh) return "unknown";
  const known = instance.m.overview.shards.find((s) => s.shard === shard.shard);
  return known ? stateOf(known) : "unknown";
}

function draw(snapshot) {
  const width = Math.max(280, Math.floor(picture.clientWidth));
  const { nodes, lines, panels, height, wide } = layout(snapshot, width);
  const key = JSON.stringify([width, highlighted, nodes.map((n) => [n.id, n.state, n.text, n.nodes?.map(({ role }) => role)]), lines.map((l) => [l.state, l.busy])]);
  if (key === drawn) return;
  drawn = key;
  picture.classList.toggle("rows", !wide);
  picture.style.height = height + "px";
  picture.setAttribute("aria-label", "Topology: " + nodes.map((n) => `${n.kind === "shard" ? n.id : n.title} ${n.text}${nodesText(n.nodes)}`).join(", "));
  const labels = panels.map((p) => place(make("div", p.text, "group"), wide ? { left: p.x + p.width / 2 - 50, top: p.y + p.height - 28, width: 100 } : { left: p.x + 10, top: p.y + 4, width: 100 }));
  picture.replaceChildren(
    ...panels.map((p) => place(make("div", undefined, "panel"), { left: p.x, top: p.y, width: p.width, height: p.height })),
    svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` }, ...lines.map((line) => drawLine(line, wide))),
    ...labels, ...nodes.map(drawNode));
}

// place sets the position of an element, in px.
function place(element, position) {
  for (const [name, value] of Object.entries(position)) element.style[name] = value + "px";
  return element;
}

function drawLine({ from, to, state, busy }, wide) {
  const line = svg("g", { class: "line " + classes[state] });
  let d;
  if (wide) {
    const y1 = from.y + from.h / 2, y2 = to.y - to.h / 2, middle = (y1 + y2) / 2;
    d = `M${from.x} ${y1}C${from.x} ${middle} ${to.x} ${middle} ${to.x} ${y2}`;
  } else if (from.kind === "gateway") { // along the left margin
    d = `M${from.x - from.w / 2} ${from.y}H16Q6 ${from.y} 6 ${from.y + 10}V${to.y - 10}Q6 ${to.y} 16 ${to.y}H${to.x - to.w / 2}`;
  } else {
    const x1 = from.x + from.w / 2, x2 = to.x - to.w / 2, middle = (x1 + x2) / 2;
    d = `M${x1} ${from.y}C${middle} ${from.y} ${middle} ${to.y} ${x2} ${to.y}`;
  }
  line.append(svg("path", { d }));
  if (busy && state === "healthy") line.append(svg("path", { d, class: "busy" }));
  return line;
}

// drawNode returns an HTML element, because contrast checkers do not know the background of text in an SVG.
function drawNode({ x, y, w, h, title, text, state, kind, id, nodes = [] }) {
  const node = make("div", undefined, `node ${kind} ${classes[state]}` + (id === highlighted ? " marked" : ""));
  const texts = make("div");
  texts.append(make("div", title, "title"), make("div", text, "text"));
  node.append(icon(state), texts);
  if (nodes.length) node.append(drawCopies(nodes));
  return place(node, { left: x - w / 2, top: y - h / 2, width: w, height: h });
}

function drawCopies(nodes) {
  const list = make("div", undefined, "copies");
  for (const { node, role } of nodes) {
    const [className, symbol] = roles[role] || ["idle", "?"];
    const copy = make("div", `${node} ${role}`, "copy " + className);
    copy.dataset.symbol = symbol;
    list.append(copy);
  }
  return list;
}
