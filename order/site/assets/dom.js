// Builds elements. Each function adds text as plain text, never as HTML.

export const byId = (id) => document.getElementById(id);

// make returns a new element.
export function make(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

// svg returns a new SVG element with attributes and children. A child is a node or a text.
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// row returns a row of a table. Each argument is a td, or the content of a td.
export function row(...cells) {
  const tr = make("tr");
  tr.append(...cells.map((cell) => (cell instanceof Node && cell.nodeName === "TD" ? cell : cellOf(cell))));
  return tr;
}

export function cellOf(content, className) {
  const td = make("td", undefined, className);
  td.append(content);
  return td;
}

// The function "none" returns the row that an empty table shows.
export function none(columns, text = "None.") {
  return row(Object.assign(make("td", text, "dim"), { colSpan: columns }));
}

// link returns a button that looks like a link. A click calls act(). The button is not a real link, because it does not change
// the address of the page.
export function link(text, act) {
  const button = make("button", text, "link");
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

// idLink returns a link whose text is an ID. A narrow page shows only the beginning and the end of a UUID: the beginning contains
// the time of its creation, and the end contains the index of its shard. The argument "label" is a text such as "Show order".
export function idLink(id, act, label) {
  const button = link("", act);
  button.classList.add("id");
  button.append(make("span", id, "full"), make("span", id.length > 20 ? id.slice(0, 13) + "…" + id.slice(-4) : id, "short"));
  button.dataset.key = label + id;
  button.title = `${label} ${id}`;
  return button;
}

// setText sets the text of an element, unless the element already has this text: a screen reader announces each assignment to a
// live region.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// arrange replaces the children of an element. It does not touch a child that stays in its place, because the press and the
// release of a click must hit the same button.
export function arrange(parent, children) {
  const active = parent.contains(document.activeElement) && document.activeElement;
  for (const child of [...parent.children]) if (!children.includes(child)) child.remove();
  children.forEach((child, i) => { if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null); });
  if (active && active !== document.activeElement) active.focus({ preventScroll: true }); // a moved element loses the focus
}

// replaceRows replaces the rows of a table, and keeps the focus on the control with the same data-key.
export function replaceRows(body, rows) {
  const active = document.activeElement;
  const key = body.contains(active) ? active.dataset.key : "";
  body.replaceChildren(...rows);
  if (key) body.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}
