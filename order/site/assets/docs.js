"use strict";

// Swagger UI has its dark colours behind a class; the system's choice sets it.
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

const nothing = () => () => null;

// plainer leaves out what is there twice or offers no choice, so that keys lead from one operation to the next: a link in each
// button that opens an operation, which does the same, a button beside it, the only server, and a link that the page's head has.
const plainer = (system) => ({ wrapComponents: {
  DeepLink: () => ({ text }) => system.React.createElement("span", null, text),
  CopyToClipboardBtn: nothing, ServersContainer: nothing, InfoUrl: nothing,
} });

// names are what those who do not see the page are told of what has no name of its own.
const names = {
  ".examples-select-element": () => "Example",
  ".operation-filter-input": () => "Filter by tag or path",
  "tr[data-param-name] input": (e) => e.closest("tr").dataset.paramName,
  ".responses-table[role]": (e) => "Responses of " + e.closest(".opblock").querySelector(".opblock-control-arrow").getAttribute("aria-label"),
};

// roles are those of the parts of the page around the operations.
const roles = { ".information-container": "banner", ".filter-container": "search" };

const api = document.getElementById("api");

// mend gives names and roles, leaves no gap between the levels of headings, and takes out of what is read aloud what is there
// twice. Again after every change: the observer does not look at attributes, and so not at what is mended.
function mend() {
  for (const [selector, role] of Object.entries(roles)) api.querySelector(selector)?.setAttribute("role", role);
  for (const [selector, name] of Object.entries(names)) {
    for (const e of api.querySelectorAll(selector)) e.setAttribute("aria-label", name(e));
  }
  for (const e of api.querySelectorAll("h3, h4, h5")) e.setAttribute("aria-level", e.nodeName[1] - 1);
  for (const e of api.querySelectorAll("div.copy-to-clipboard[aria-label]")) e.removeAttribute("aria-label"); // its button has it
  for (const e of api.querySelectorAll(".opblock-control-arrow")) e.setAttribute("aria-hidden", "true"); // the button before it does the same
}
new MutationObserver(mend).observe(api, { childList: true, subtree: true });

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  plugins: [plainer],
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  syntaxHighlight: { theme: "obsidian" }, // which can be read on its background
  tryItOutEnabled: true,
  validatorUrl: null, // nothing is asked of anybody else
});
