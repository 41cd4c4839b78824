// What the page tells: how far it is, what went wrong with its remedy, and short notes.

import { byId, make } from "./dom.js";
import { t } from "./words.js";

const LATE = 250; // ms before waiting is shown
let timer = 0;
let leaving = 0;

export function waiting(on) {
  clearTimeout(timer);
  const bar = byId("progress");
  byId("main").setAttribute("aria-busy", String(on));
  if (on) timer = setTimeout(() => (bar.hidden = false), LATE);
  else bar.hidden = true;
}

export function say(text) {
  if (byId("status").textContent !== text) byId("status").textContent = text;
}

/** A problem document in words; `again` tries once more, `others` are further buttons as [text, run]. */
export function showProblem(problem, again = null, others = [], place = null) {
  const box = byId("problem");
  const button = ([text, run]) => make("button", { type: "button", onclick: run }, text);
  const buttons = [...(again ? [[t("problem.again"), again]] : []), ...others].map(button);
  const lines = problem.detail && problem.detail !== problem.title ? make("p", {}, typeof problem.position === "number" ? problem.detail.split("\n")[0] : problem.detail) : null;
  box.replaceChildren(make("h2", {}, problem.title || t("problem.unknown")), ...[place, lines].filter(Boolean), make("div", { class: "row wrap" }, buttons));
  box.classList.toggle("calm", Boolean(problem.calm));
  box.hidden = false;
}

export const clearProblem = () => (byId("problem").hidden = true);

export function note(text, ...more) {
  const toast = byId("toast");
  clearTimeout(leaving);
  toast.replaceChildren(make("span", {}, text), ...more);
  toast.hidden = false;
  leaving = setTimeout(() => (toast.hidden = true), 6000);
}
