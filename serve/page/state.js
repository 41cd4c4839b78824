// What is asked and how it is shown: all of it in the URL, so that it can be shared and gone back to.

import { unique } from "./dom.js";

const BOX = /^(.+)@([\d.]+(?:,[\d.]+){3})$/;

export const NOTHING = Object.freeze({
  like: [], // [{id, box: [left, top, right, bottom] | null}]
  unlike: [], // [id]
  picks: {}, // {column: [value]}
  where: "",
  text: "",
  weights: null, // {source: number}; null: the release's own
  diversity: 0,
  release: null, // null: the current one
  view: "grid", // grid | map | compare
  against: null, // release to compare with
  interleave: null, // release whose results are mixed in
  upload: null, // {key, box}: a file in memory, never in the URL
});

/** What `read` makes of each text; what it cannot read is left out, so that an odd link still shows something. */
function readable(texts, read) {
  return texts.flatMap((text) => {
    try {
      return [read(text)];
    } catch {
      return [];
    }
  });
}

/** [name, the rest] of `name:rest`. */
function pair(text) {
  const at = text.indexOf(":");
  if (at < 1) throw new SyntaxError("There is no name");
  return [decodeURIComponent(text.slice(0, at)), text.slice(at + 1)];
}

function weight(text) {
  const [name, value] = pair(text);
  if (!value.trim() || !Number.isFinite(Number(value))) throw new SyntaxError("There is no number");
  return [name, Number(value)];
}

function seed(text) {
  const found = BOX.exec(text);
  if (!found) return { id: text, box: null };
  const box = found[2].split(",").map(Number);
  return { id: found[1], box: box.every(Number.isFinite) ? box : null };
}

/** The values picked of a column, whatever its name is. */
export const picked = ({ picks }, column) => (Object.hasOwn(picks, column) ? picks[column] : []);

export function parse(search) {
  const query = new URLSearchParams(search);
  const state = structuredClone(NOTHING);
  state.like = query.getAll("like").map(seed);
  state.unlike = query.getAll("unlike");
  state.picks = Object.create(null); // no column is there but those named, be it called `constructor`
  for (const [column, value] of readable(query.getAll("is"), pair)) (state.picks[column] ??= []).push(value);
  const weights = readable((query.get("weights") ?? "").split(","), weight);
  if (weights.length) state.weights = Object.fromEntries(weights);
  for (const name of ["where", "text", "release", "against", "interleave"]) state[name] = query.get(name) ?? NOTHING[name];
  state.diversity = Math.min(1, Math.max(0, Number(query.get("diversity")) || 0));
  if (["map", "compare"].includes(query.get("view"))) state.view = query.get("view");
  return state;
}

export function toSearch(state) {
  const query = new URLSearchParams();
  for (const { id, box } of state.like) query.append("like", box ? `${id}@${box.map((x) => +x.toFixed(4)).join(",")}` : id);
  for (const id of state.unlike) query.append("unlike", id);
  for (const [column, values] of Object.entries(state.picks)) {
    for (const value of values) query.append("is", `${encodeURIComponent(column)}:${value}`);
  }
  if (state.weights) {
    const parts = Object.entries(state.weights).map(([name, value]) => `${encodeURIComponent(name)}:${+value.toFixed(3)}`);
    query.set("weights", parts.join(","));
  }
  for (const name of ["where", "text", "release", "against", "interleave"]) if (state[name]) query.set(name, state[name]);
  if (state.diversity) query.set("diversity", +state.diversity.toFixed(2));
  if (state.view !== "grid") query.set("view", state.view);
  const text = query.toString();
  return text ? `?${text}` : "";
}

const quoted = (text) => `'${String(text).replaceAll("'", "''")}'`;

/** The filter that typed text and picked values make together; the text comes first, so that positions in it hold. */
export function filterOf(state, without = null) {
  const parts = Object.entries(state.picks)
    .filter(([column, values]) => values.length && column !== without)
    .map(([column, values]) => `${quoted(column)} in (${values.map(quoted).join(", ")})`);
  const typed = state.where.trim();
  if (!typed) return parts.join(" and ");
  return parts.length ? `(${typed}) and ${parts.join(" and ")}` : typed;
}

export const asked = (state) => state.like.length > 0 || state.upload !== null;

/** Holds the state of the page's history entry, with where it was scrolled to. Listeners get (state, how, entry). */
export class Store {
  constructor() {
    history.scrollRestoration = "manual";
    this.state = { ...parse(location.search), upload: history.state?.upload ?? null };
    this.entry = { key: unique(), y: 0, loaded: 0, ...history.state };
    this.listeners = new Set();
    this.leave = null; // called before another entry takes the place of this one
    history.replaceState(this.entry, "");
    addEventListener("popstate", (event) => {
      this.state = { ...parse(location.search), upload: event.state?.upload ?? null };
      this.entry = { key: unique(), y: 0, loaded: 0, ...event.state };
      this.tell("pop");
    });
  }

  push(change, how = "push") {
    this.leave?.();
    this.state = { ...this.state, ...change };
    this.entry = { key: unique(), y: 0, loaded: 0, upload: this.state.upload };
    history.pushState(this.entry, "", this.href());
    this.tell(how);
  }

  replace(change, how = "replace") {
    this.state = { ...this.state, ...change };
    this.entry = { ...this.entry, key: unique(), upload: this.state.upload };
    history.replaceState(this.entry, "", this.href());
    this.tell(how);
  }

  /** Remembers how far this entry was scrolled and loaded, and the item one was at, for coming back to it. */
  keep(y, loaded, at) {
    this.entry = { ...this.entry, y, loaded, at };
    history.replaceState(this.entry, "");
  }

  href(change = {}) {
    return location.pathname + toSearch({ ...this.state, ...change });
  }

  onChange(listener) {
    this.listeners.add(listener);
  }

  tell(how) {
    for (const listener of this.listeners) listener(this.state, how, this.entry);
  }
}
