"use strict";

// Swagger UI has dark colours if the class dark-mode is set. Set the class if the system prefers dark colours.
const dark = matchMedia("(prefers-color-scheme: dark)");
const applyTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", applyTheme);
applyTheme();

const nothing = () => () => null;

// simplify removes duplicate or useless controls, so that the Tab key moves from one operation to the next. It removes the link
// inside each operation's button, the copy button, the list of servers, and the second link to openapi.json.
const simplify = (system) => ({ wrapComponents: {
  DeepLink: () => ({ text }) => system.React.createElement("span", null, text),
  CopyToClipboardBtn: nothing, ServersContainer: nothing, InfoUrl: nothing,
} });

// enableWhenReady disables Execute until Swagger UI has resolved the references of the operation. If a user clicked before that,
// Swagger UI would send no request and never enable the button again.
const enableWhenReady = (system) => ({ wrapComponents: {
  execute: (Execute) => (props) => system.React.createElement(Execute, {
    ...props, disabled: props.disabled || !system.specSelectors.specResolvedSubtree(["paths", props.path, props.method]),
  }),
} });

// labels are accessible names for elements that lack one.
const labels = {
  ".examples-select-element": () => "Example",
  ".operation-filter-input": () => "Filter by tag or path",
  "tr[data-param-name] input": (e) => e.closest("tr").dataset.paramName,
  ".responses-table[role]": (e) => "Responses of " + e.closest(".opblock").querySelector(".opblock-control-arrow").getAttribute("aria-label"),
};

// roles are the ARIA roles of the header and the filter.
const roles = { ".information-container": "banner", ".filter-container": "search" };

const api = document.getElementById("api");

// fixAccessibility sets labels, roles and consecutive heading levels, and hides duplicates from screen readers. It runs after
// every change of the page. It changes only attributes: the observer ignores them, so fixAccessibility does not trigger itself.
function fixAccessibility() {
  for (const [selector, role] of Object.entries(roles)) api.querySelector(selector)?.setAttribute("role", role);
  for (const [selector, label] of Object.entries(labels)) {
    for (const e of api.querySelectorAll(selector)) e.setAttribute("aria-label", label(e));
  }
  for (const e of api.querySelectorAll("h3, h4, h5")) e.setAttribute("aria-level", e.nodeName[1] - 1);
  for (const e of api.querySelectorAll("div.copy-to-clipboard[aria-label]")) e.removeAttribute("aria-label"); // its button has the label
  for (const e of api.querySelectorAll(".opblock-control-arrow")) e.setAttribute("aria-hidden", "true"); // duplicates the button before it
}
new MutationObserver(fixAccessibility).observe(api, { childList: true, subtree: true });

// uuid returns a random UUID. crypto.randomUUID exists only on pages from HTTPS or localhost.
function uuid() {
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-4$3-a$4-$5");
}

// rejectDots makes a request fail if an ID is "." or "..": see the function "segment" of api.js.
function rejectDots(request) {
  if (!/\/\.{1,2}([/?]|$)/.test(request.url)) return;
  request.userFetch = () => Promise.reject(new Error("there is no object with this ID")); // Swagger UI calls this instead of fetch
}

// nameRequest gives each request a new ID, and each write a new idempotency key, unless the form has values for them.
function nameRequest(request) {
  if (request.loadSpec) return request; // this request loads openapi.json
  rejectDots(request);
  const missing = (name) => !Object.keys(request.headers).some((key) => key.toLowerCase() === name.toLowerCase());
  if (missing("X-Request-Id")) request.headers["X-Request-Id"] = uuid();
  if (request.method !== "GET" && missing("Idempotency-Key")) request.headers["Idempotency-Key"] = uuid();
  return request;
}

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  plugins: [simplify, enableWhenReady],
  requestInterceptor: nameRequest,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  syntaxHighlight: { theme: "obsidian" }, // has enough contrast
  tryItOutEnabled: true,
  validatorUrl: null, // no requests to other hosts
});
