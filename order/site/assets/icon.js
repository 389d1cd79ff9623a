// Draws the picture of a state.

import { svg } from "./dom.js";

const mark = (d) => svg("path", { d, class: "mark" });

// icon returns the picture of a state: a disc with a check mark (healthy), a triangle (refuses writes), a square with a cross
// (unhealthy), or an empty ring (any other state). The picture has the colour --c.
export function icon(state) {
  return svg("svg", { class: "icon", viewBox: "-9 -9 18 18", width: 18, height: 18, "aria-hidden": "true" }, ...shapes(state));
}

function shapes(state) {
  switch (state) {
    case "healthy": return [svg("circle", { r: 7, class: "fill" }), mark("M-3.2 .3l2.3 2.4L3.4-2.4")];
    case "refuses writes": return [svg("path", { d: "M0-8L8 6.5H-8Z", class: "fill" }), mark("M0-3v4.5M0 4v.6")];
    case "unhealthy": return [svg("rect", { x: -7, y: -7, width: 14, height: 14, rx: 2, class: "fill" }), mark("M-3-3l6 6M3-3l-6 6")];
    default: return [svg("circle", { r: 6, class: "ring" })];
  }
}
