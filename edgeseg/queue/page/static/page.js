// Keys for what the page's own buttons and links do; without this file all of it works by Tab and Enter.
"use strict";

const KEYS_SETTING = "edgeseg-queue-keys";
const LAYERS = ["frame", "prediction", "entropy", "regions"];
const DECISIONS = { a: "accept", r: "reject", b: "return", "+": "raise", "=": "raise", "-": "lower" };

let isLeaving = false;

function byId(id) {
  return document.getElementById(id);
}

function rows() {
  return [...document.querySelectorAll("li.item")];
}

/** The list's row that has the focus. */
function currentRow() {
  return document.activeElement ? document.activeElement.closest("li.item") : null;
}

function focusRow(row) {
  row.querySelector("a.name").focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

/** Moves along the list, or to the neighbour of the item that is open. */
function step(by) {
  const all = rows();
  if (all.length) {
    const at = all.indexOf(currentRow());
    focusRow(all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]);
    return true;
  }
  return follow(by > 0 ? "way-after" : "way-before");
}

/** Opens the row that an address's #i-... gave the focus to; its link takes Enter itself. */
function open() {
  const row = document.activeElement;
  if (!row || !row.matches("li.item")) return false;
  row.querySelector("a.name").click();
  return true;
}

function follow(id) {
  const link = byId(id);
  if (link) link.click();
  return Boolean(link);
}

/** Presses the button of a decision: of the row with the focus, or of the item that is open. */
function decide(action) {
  const place = rows().length ? currentRow() : document.querySelector(".decide");
  const button = place && place.querySelector(`button[value="${action}"]:not(:disabled)`);
  if (button) button.click();
  return Boolean(button);
}

function undo() {
  const button = document.querySelector("#undo button");
  if (button) button.click();
  return Boolean(button);
}

function toggle(layer) {
  const box = byId(`layer-${layer}`);
  if (!box || box.disabled) return false;
  box.click();
  return true;
}

function help() {
  byId("help").showModal();
  return true;
}

function act(key) {
  if (key in DECISIONS) return decide(DECISIONS[key]);
  if (LAYERS[Number(key) - 1]) return toggle(LAYERS[Number(key) - 1]);
  const actions = {
    j: () => step(1), k: () => step(-1), Enter: open, z: undo, u: () => follow("way-up"), "?": help,
    "]": () => follow("page-after"), "[": () => follow("page-before"),
  };
  return key in actions && actions[key]();
}

function isTyping(target) {
  return target.matches("input:not([type=checkbox]), select, textarea");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat && !"jk".includes(event.key)) return;
  if (isLeaving || !byId("keys-on").checked || isTyping(event.target) || byId("help").open) return;
  if (act(event.key)) event.preventDefault();
});

// A second key before the next page is there would be meant for an item that is no longer shown.
document.addEventListener("submit", (event) => {
  if (isLeaving) event.preventDefault();
  else if (event.target.method === "post") isLeaving = true;
});
window.addEventListener("pageshow", () => { isLeaving = false; });

function recall(id, setting) {
  const box = byId(id);
  try {
    const kept = localStorage.getItem(setting);
    if (kept !== null && !box.disabled) box.checked = kept === "1";
    box.addEventListener("change", () => localStorage.setItem(setting, box.checked ? "1" : "0"));
  } catch {
    // A browser that keeps nothing goes by the defaults.
  }
}

function watchPictures() {
  for (const picture of document.querySelectorAll(".stage img")) {
    const tell = () => {
      byId("broken-why").href = picture.src;
      byId("broken").hidden = false;
      picture.hidden = true;
    };
    if (picture.complete && !picture.naturalWidth) tell();
    picture.addEventListener("error", tell);
  }
  for (const picture of document.querySelectorAll(".thumb img")) {
    const tell = () => picture.classList.add("missing");
    if (picture.complete && picture.src && !picture.naturalWidth && picture.loading !== "lazy") tell();
    picture.addEventListener("error", tell);
  }
}

recall("keys-on", KEYS_SETTING);
for (const layer of LAYERS) if (byId(`layer-${layer}`)) recall(`layer-${layer}`, `edgeseg-queue-layer-${layer}`);
watchPictures();
const helpButton = byId("help-open");
if (helpButton) {
  helpButton.hidden = false;
  helpButton.addEventListener("click", help);
}
