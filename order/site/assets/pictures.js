// Pictures of the shop's items. Each function returns an SVG element. The pictures are decoration: the item's name is next to them.

import { svg } from "./dom.js";

const shape = (d, fill, more = {}) => svg("path", { d, fill, ...more });
const line = (d, stroke, width, more = {}) => shape(d, "none", { stroke, "stroke-width": width, "stroke-linecap": "round", "stroke-linejoin": "round", ...more });

function picture(background, ...shapes) {
  return svg("svg", { viewBox: "0 0 120 96", "aria-hidden": "true", focusable: "false" },
    svg("rect", { width: 120, height: 96, rx: 10, fill: background }), ...shapes);
}

function teapot() {
  return picture("#dcebf5",
    svg("circle", { cx: 92, cy: 24, r: 12, fill: "#fff", opacity: .7 }),
    svg("ellipse", { cx: 60, cy: 82, rx: 42, ry: 5, fill: "#a9c6da" }),
    line("M84 46c16-6 20 18 0 22", "#1f5f8b", 7),
    shape("M36 54 18 38l-6 3 2 7 8 3 10 20z", "#2a79ad"),
    shape("M30 58c0-16 12-24 29-24s29 8 29 24c0 10-5 18-12 23H42c-7-5-12-13-12-23z", "#2f86be"),
    shape("M30 58c0 10 5 18 12 23h34c3-2 6-5 8-9-22 8-42 4-54-14z", "#22699a"),
    shape("M40 37c2-6 9-9 19-9s17 3 19 9c-10 4-28 4-38 0z", "#1f5f8b"),
    svg("circle", { cx: 59, cy: 25, r: 5, fill: "#f6c453" }),
    line("M39 52c2-5 6-8 11-9", "#a8d4f0", 4),
    line("M20 28c-5-5 3-8-1-14M30 26c-4-4 2-7-1-11", "#8fb2c9", 3));
}

function lamp() {
  return picture("#fbeed3",
    shape("M44 40h40l22 44H22z", "#ffdf8e", { opacity: .75 }),
    svg("ellipse", { cx: 64, cy: 84, rx: 30, ry: 5, fill: "#e0bd7a" }),
    line("M36 80 30 52 58 28", "#4d4a57", 5),
    svg("circle", { cx: 30, cy: 52, r: 5, fill: "#2f2d36" }),
    shape("M22 84c0-5 6-8 14-8s14 3 14 8z", "#2f2d36"),
    svg("circle", { cx: 64, cy: 42, r: 9, fill: "#fff6d8" }),
    shape("M50 16c10-6 22-2 28 8l10 18H42l2-14c0-5 2-9 6-12z", "#d9563b"),
    shape("M78 24l10 18H70c4-6 6-12 2-23 2 1 4 3 6 5z", "#b8432b"),
    line("M52 24c2-3 5-4 8-4", "#f5a28f", 4));
}

function plant() {
  return picture("#e3f1df",
    svg("ellipse", { cx: 60, cy: 85, rx: 30, ry: 5, fill: "#b3d0aa" }),
    line("M60 62C60 46 59 36 60 24M60 58c-6-10-12-15-20-18M60 56c6-10 12-14 20-16", "#2f7a45", 4),
    shape("M60 8c10 8 10 22 0 30-10-8-10-22 0-30z", "#3f9d5b"),
    shape("M60 8c10 8 10 22 0 30z", "#2f8249"),
    shape("M24 30c14-4 24 4 26 17-14 4-24-4-26-17z", "#57b872"),
    shape("M24 30c12 2 20 8 26 17-14 4-24-4-26-17z", "#3f9d5b"),
    shape("M96 28c-14-4-25 4-27 18 14 4 25-5 27-18z", "#57b872"),
    shape("M96 28c-12 2-21 8-27 18 14 4 25-5 27-18z", "#3f9d5b"),
    shape("M40 60h40l-5 22c0 2-2 3-4 3H49c-2 0-4-1-4-3z", "#d9803f"),
    shape("M62 60h18l-5 22c0 2-2 3-4 3h-8c4-8 3-16-1-25z", "#b96529"),
    shape("M37 55h46a2 2 0 0 1 2 2v6H35v-6a2 2 0 0 1 2-2z", "#e8975a"));
}

export const pictures = { Teapot: teapot, Lamp: lamp, Plant: plant };
