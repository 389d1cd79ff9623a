// Kills, stops and pauses components through the control port, which only `make up CONSOLE=demo` has.

import { request } from "./api.js";
import { byId, make, setText } from "./dom.js";

const pollInterval = 1000; // ms
const actionTimeout = 30000; // ms; a graceful stop waits for requests in flight

let control; // { url, token } from the overview of an order instance
let last = 0; // when the components were last requested
const rows = new Map(); // row and buttons of each component, by its name
const acting = new Set(); // names of components whose action is in flight

// marks maps each state of a component to its tone and its symbol.
const marks = { running: ["good", "●"], stopped: ["bad", "■"], killed: ["bad", "✖"], paused: ["warn", "❚❚"] };

// buttons maps each action to the states of a component in which the action is possible.
const buttons = { kill: ["running", "paused"], stop: ["running", "paused"], start: ["stopped", "killed"], pause: ["running"], resume: ["paused"] };

export const available = () => control !== undefined;

export function init(root) {
  const said = Object.assign(make("p"), { id: "demo-said" });
  said.setAttribute("role", "status");
  root.append(make("p", "Kill a component, buy something, and watch the recovery. A killed component restarts after 3 s; a stopped or paused one waits for you.", "dim"),
    said, Object.assign(make("div", undefined, "components"), { id: "components" }));
}

// update shows the section if an overview contains the control port.
export function update({ instances, at }) {
  const found = instances.toSorted((a, b) => a.age - b.age).find((m) => m.overview.demo);
  if (found) control = found.overview.demo;
  byId("demo").hidden = !control;
  if (control && at - last >= pollInterval) {
    last = at;
    send("GET", "/components");
  }
}

// act requests an action on a component, waits for the response, and shows its result.
export async function act(action, name) {
  acting.add(name);
  setText(byId("demo-said"), `${action} ${name}…`);
  const problem = await send("POST", `/${action}/${name}`, () => acting.delete(name));
  setText(byId("demo-said"), problem ? `${action} ${name}: ${problem}.` : `${action} ${name}: done.`);
}

// send sends a request to the control port. When the request has ended, send calls ended() and draws the components of the
// response. It returns the problem, or "" if there is none.
async function send(method, path, ended = () => {}) {
  try {
    const headers = { "X-Token": control.token };
    const { ok, body } = await request(method, control.url + path, { headers, timeout: actionTimeout }).finally(ended);
    if (ok) draw(body.components);
    return ok ? "" : body.title;
  } catch {
    const problem = "the control port does not respond. If make up was restarted, reload this page";
    if (method === "GET") setText(byId("demo-said"), problem[0].toUpperCase() + problem.slice(1) + ".");
    return problem;
  }
}

// groupOf returns the title of a component's group.
function groupOf(name) {
  if (name === "nginx") return "gateway";
  return name.replace(/^(redis|keeper)-/, "").replace(/(-\d+)+$/, "");
}

function draw(components) {
  const rank = ({ name }) => /^redis-/.test(name) + 2 * /^keeper-/.test(name);
  for (const { name, state } of components.toSorted((a, b) => rank(a) - rank(b))) {
    const { line, shown, all } = rows.get(name) ?? add(name);
    const [tone, mark] = marks[state] ?? ["warn", "?"];
    setText(shown, `${mark} ${state}`);
    shown.className = "state " + tone;
    line.dataset.state = state;
    for (const [action, button] of all) {
      const possible = buttons[action].includes(state);
      const hidden = action !== "kill" && !possible;
      if (button.hidden !== hidden) swap(line, button, hidden);
      button.setAttribute("aria-disabled", String(!possible || acting.has(name)));
    }
  }
}

// swap hides or shows a button. If swap hides the button that has the focus, the focus moves to another button of the same row.
function swap(line, button, hidden) {
  const focused = document.activeElement === button;
  button.hidden = hidden;
  if (focused && hidden) (line.querySelector("button:not([hidden], [aria-disabled=true])") ?? line.querySelector("button:not([hidden])"))?.focus();
}

function add(name) {
  const group = groupOf(name);
  let list = document.querySelector(`#components [data-group="${group}"]`);
  if (!list) {
    const box = make("div");
    list = make("ul");
    list.dataset.group = group;
    box.append(make("h3", group), list);
    byId("components").append(box);
  }
  const line = make("li");
  line.dataset.name = name;
  const shown = make("span");
  const all = Object.keys(buttons).map((action) => {
    const button = make("button", action[0].toUpperCase() + action.slice(1), "quiet small");
    button.setAttribute("aria-label", `${button.textContent} ${name}`);
    button.addEventListener("click", () => { if (button.getAttribute("aria-disabled") !== "true") act(action, name); });
    return [action, button];
  });
  const actions = make("span", undefined, "actions");
  actions.append(...all.map(([, button]) => button));
  line.append(make("strong", name), shown, actions);
  list.append(line);
  rows.set(name, { line, shown, all });
  return rows.get(name);
}
