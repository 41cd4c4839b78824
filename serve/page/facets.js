// Only these: values of columns as chips with counts, and a filter that somebody writes.

import * as api from "./api.js";
import { aborted, make } from "./dom.js";
import { filterOf, picked } from "./state.js";
import { number, t } from "./words.js";

const FEW = 6; // values of a column before it is opened
const MANY = 200;

/** Paths are told by their ends; all of them is in the title. */
const valueTitle = (value) => (typeof value === "string" && value.includes("/") ? `…/${value.split("/").at(-1)}` : String(value));

export const columnTitle = (name) => name.replaceAll("_", " ");

export class Facets {
  /** `total(n)` is told how many items the filter admits. */
  constructor(root, store, total) {
    Object.assign(this, { root, store, total });
    this.opened = new Set();
    this.controller = new AbortController();
    this.body = make("div", { class: "facets" });
    this.clear = make("button", { type: "button", class: "quiet", hidden: true, onclick: () => store.push({ picks: {}, where: "" }) });
    this.text = make("input", { type: "text", id: "where", autocomplete: "off", spellcheck: false, autocapitalize: "off", aria: { describedby: "where-note where-error" } });
    this.error = make("pre", { id: "where-error", class: "mistake", role: "alert", hidden: true });
    this.note = make("p", { id: "where-note", class: "note" });
    this.label = make("label", { htmlFor: "where" });
    this.apply = make("button", { type: "submit" });
    const write = (event) => {
      event.preventDefault();
      this.error.hidden = true;
      if (this.text.value.trim() !== store.state.where) store.push({ where: this.text.value.trim() });
    };
    this.form = make("form", { class: "where", onsubmit: write }, this.label, make("div", { class: "row" }, this.text, this.apply), this.error, this.note);
    root.append(this.body, this.form, this.clear);
  }

  build(state, info) {
    this.info = info;
    this.label.textContent = t("where.label");
    this.apply.textContent = t("where.apply");
    this.clear.textContent = t("facets.clear");
    const names = info.columns.map((column) => column.name);
    const first = info.columns.find((column) => column.type === "number") ?? info.columns[0];
    this.text.placeholder = first ? (first.type === "number" ? `${first.name}>=1` : `${first.name} is not null`) : "";
    this.note.textContent = names.length ? t("where.columns", { names: names.join(", ") }) : t("where.none");
    this.asked = null;
    this.update(state);
  }

  /** Counts again when the filter changed. A column's own picks do not narrow its own values. */
  async update(state) {
    if (!this.info) return;
    if (document.activeElement !== this.text) this.text.value = state.where;
    this.clear.hidden = !filterOf(state);
    const key = JSON.stringify([filterOf(state), state.release, [...this.opened]]);
    if (this.asked === key) return;
    this.asked = key;
    this.controller.abort();
    this.controller = new AbortController();
    const { signal } = this.controller;
    const ask = (columns, where) => api.facets({ columns, where, release: state.release, limit: this.opened.has(columns) ? MANY : FEW }, signal);
    const own = [...new Set([...Object.keys(state.picks), ...this.opened])];
    try {
      const [all, ...some] = await Promise.all([ask("", filterOf(state)), ...own.map((name) => ask(name, filterOf(state, name)))]);
      const facets = new Map(all.facets.map((facet) => [facet.name, facet]));
      for (const { facets: [facet] } of some) if (facet) facets.set(facet.name, facet);
      const size = ({ values, more }) => values.length + more;
      this.draw(state, [...facets.values()].sort((a, b) => size(a) - size(b)));
      this.error.hidden = true;
      this.total(all.total);
    } catch (problem) {
      if (aborted(problem)) return;
      this.asked = null;
      if (problem.position !== null) this.fail(problem, state);
    }
  }

  draw(state, facets) {
    const open = document.activeElement?.dataset?.chip;
    const told = facets.filter(({ name, values }) => values.length || picked(state, name).length);
    this.body.replaceChildren(...told.map((facet) => this.group(facet, picked(state, facet.name))));
    if (open) [...this.body.querySelectorAll("[data-chip]")].find((chip) => chip.dataset.chip === open)?.focus({ preventScroll: true });
  }

  group({ name, values, more }, chosen) {
    const rest = chosen.filter((value) => !values.some((other) => String(other.value) === value));
    const chips = [...rest.map((value) => ({ value, count: 0 })), ...values].map(({ value, count }) =>
      make(
        "button",
        {
          type: "button",
          class: "chip",
          aria: { pressed: String(chosen.includes(String(value))) },
          data: { chip: `${name}:${value}` },
          onclick: () => this.pick(name, String(value)),
        },
        make("span", { title: String(value) }, valueTitle(value)),
        make("small", {}, number(count)),
      ),
    );
    const opened = this.opened.has(name);
    const turn = () => {
      opened ? this.opened.delete(name) : this.opened.add(name);
      this.update(this.store.state);
    };
    const button = more || opened ? make("button", { type: "button", class: "quiet", data: { chip: `${name}:more` }, onclick: turn }, opened ? t("facets.less") : t("facets.more", { n: more })) : null;
    return make("fieldset", { title: name }, make("legend", {}, columnTitle(name)), make("div", { class: "chips" }, chips, button));
  }

  pick(name, value) {
    const before = picked(this.store.state, name);
    const values = before.includes(value) ? before.filter((other) => other !== value) : [...before, value];
    const picks = { ...this.store.state.picks, [name]: values };
    if (!values.length) delete picks[name];
    this.store.push({ picks });
  }

  /** Shows what is wrong with the written filter, and where; returns the text with the place marked, null where it is not in it. */
  fail(problem, state) {
    const inside = filterOf(state) === state.where.trim() ? 0 : 1; // behind a parenthesis
    const at = problem.position - inside;
    const text = state.where.trim();
    if (problem.position === null || !text || at < 0 || at > text.length) return null;
    const length = Math.max(1, /^\w*/.exec(text.slice(at))[0].length);
    const marked = () => make("code", {}, text.slice(0, at), make("mark", {}, text.slice(at, at + length) || "\u00a0"), text.slice(at + length));
    this.error.replaceChildren(marked(), make("span", {}, problem.detail.split("\n")[0].split(/(?<=\.) /)[0]));
    this.error.hidden = false;
    this.text.value = text;
    this.text.setSelectionRange(at, Math.min(text.length, at + length));
    return marked();
  }
}
