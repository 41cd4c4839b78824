// What alike means here: how much each source counts, and how varied the results are.

import { make } from "./dom.js";
import { hint, titles } from "./sources.js";
import { asked } from "./state.js";
import { number, t } from "./words.js";

export class Sliders {
  constructor(root, store) {
    this.root = root;
    this.store = store;
    this.body = make("div", { class: "sliders" });
    root.append(this.body);
    this.dragging = false;
  }

  /** Draws them anew: after the release or the language changed. */
  build(state, info) {
    this.info = info;
    this.defaults = Object.fromEntries(info.sources.map(({ name, weight }) => [name, weight]));
    const names = titles(Object.keys(this.defaults));
    this.inputs = {};
    const rows = info.sources.map(({ name, weight }) => this.row(name, names[name], hint(name), Math.max(1, weight)));
    this.reset = make("button", { type: "button", class: "quiet", onclick: () => this.store.push({ weights: null, diversity: 0 }) }, t("sliders.reset"));
    this.note = make("span", { class: "note" }, t("sliders.note"));
    const variety = this.row(null, t("sliders.diversity"), t("sliders.diversity.hint"), 1);
    variety.classList.add("variety");
    this.body.replaceChildren(this.reset, ...rows, variety, this.note);
    this.update(state);
  }

  row(name, title, about, most) {
    const id = name === null ? "diversity" : `weight-${name}`;
    const output = make("output", { htmlFor: id });
    const input = make("input", { type: "range", id, min: 0, max: most, step: 0.05, data: { source: name ?? "" } });
    input.addEventListener("input", () => this.moved(name, Number(input.value)));
    input.addEventListener("change", () => (this.dragging = false));
    this.inputs[name ?? "\0"] = { input, output };
    return make("div", { class: "slider", title: about }, make("label", { htmlFor: id }, title), output, input);
  }

  /** While a slider is dragged, one history entry takes all of it. */
  moved(name, value) {
    const { weights } = this.store.state;
    const change = name === null ? { diversity: value } : { weights: { ...(weights ?? this.defaults), [name]: value } };
    if (this.dragging) this.store.replace(change, "slide");
    else this.store.push(change, "slide");
    this.dragging = true;
  }

  update(state) {
    if (!this.info) return;
    const weights = state.weights ?? this.defaults;
    for (const [key, { input, output }] of Object.entries(this.inputs)) {
      const value = key === "\0" ? state.diversity : (weights[key] ?? 0);
      if (Number(input.value) !== value) input.value = value;
      output.textContent = number(Number(input.value), 2);
      input.style.setProperty("--part", `${(100 * input.value) / input.max}%`);
    }
    this.reset.hidden = state.weights === null && state.diversity === 0;
    this.note.hidden = asked(state);
    this.body.classList.toggle("idle", !asked(state));
  }
}
