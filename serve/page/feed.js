// The results of one question, page after page.

import * as api from "./api.js";
import { unique } from "./dom.js";

export const FIRST = 60;
const NEXT = 120; // and more, the further one goes
const MOST = 480;

/** A name for a question; one that is asked with a single item starts with its id, so that feedback can be replayed. */
function named({ like, upload }) {
  return like.length === 1 && !like[0].box && !upload ? `${like[0].id}:${unique()}` : unique();
}

export class Feed {
  constructor(state) {
    this.state = state;
    this.passed = new Set(state.unlike); // browsing and words know nothing of them
    this.controller = new AbortController();
    this.loading = null;
    this.begin();
  }

  begin() {
    this.id = named(this.state); // what feedback names the question by
    this.items = [];
    this.after = null;
    this.done = false;
    this.where = null;
    this.why = null; // nothing is found
    this.release = null;
    this.served = null; // the release of an answer that was asked of none, until somebody takes note of it
    this.place = 0;
    this.known = new Set();
  }

  /** Loads until there are `count` items or no more. */
  async fill(count) {
    while (!this.done && this.items.length < count) await this.more(Math.max(FIRST, Math.min(count - this.items.length, MOST)));
  }

  /** The next page; calls while one is on its way share it. */
  more(k = this.items.length ? Math.min(MOST, Math.max(NEXT, this.items.length >> 1)) : FIRST) {
    if (this.done) return Promise.resolve();
    if (this.loading) return this.loading;
    const loading = this.load(k).finally(() => this.loading === loading && (this.loading = null));
    this.loading = loading;
    return loading;
  }

  async load(k) {
    const release = this.release ?? this.state.release; // where another one came since, the pages still belong together
    let page;
    try {
      page = await api.results(this.state, { k, after: this.after, release, signal: this.controller.signal });
    } catch (problem) {
      if (!this.gone(problem)) throw problem;
      const count = this.items.length + k; // as far as one had come
      this.begin();
      return this.load(Math.min(MOST, count));
    }
    if (!release) this.served = page.release;
    page.results.forEach((result, i) => {
      this.place += 1;
      if (this.passed.has(result.item_id) || this.known.has(result.item_id)) return;
      this.known.add(result.item_id);
      const from = page.arms?.[i] ?? page.release;
      this.items.push({ ...result, place: this.place, arm: from, release: from, copyOf: null });
    });
    this.after = page.after;
    this.done = page.after === null;
    this.where = page.where;
    this.why = page.why;
    this.release = page.release;
  }

  /** The release that is served, where an answer told it since this was last asked; or null. */
  news() {
    const { served } = this;
    this.served = null;
    return served;
  }

  /** Was the release that its pages are of removed, though nobody had chosen it? */
  gone(problem) {
    return problem.status === 404 && this.release !== null && !this.state.release;
  }

  /** Puts copies right behind the result that stands for them, or takes them away again. True: they are shown now. */
  async unfold(item) {
    if (this.items.some((other) => other.copyOf === item.item_id)) {
      this.items = this.items.filter((other) => other.copyOf !== item.item_id);
      return false;
    }
    let copies;
    try {
      copies = await Promise.all(item.copies.map((id) => api.item(id, item.release ?? this.release)));
    } catch (problem) {
      if (!this.gone(problem)) throw problem;
      const count = this.items.length;
      this.stop();
      this.begin();
      await this.fill(count);
      return false;
    }
    const shown = new Set(this.items.map((other) => other.item_id));
    const at = this.items.indexOf(item);
    if (at < 0) return false;
    const fresh = copies.filter((copy) => !copy.removed && !shown.has(copy.item_id));
    this.items.splice(at + 1, 0, ...fresh.map((copy) => ({ ...copy, copies: [], place: item.place, arm: item.arm, release: item.release, copyOf: item.item_id })));
    return true;
  }

  drop(id) {
    this.passed.add(id);
    this.items = this.items.filter((item) => item.item_id !== id && item.copyOf !== id);
  }

  /** Ends what is on its way; it can be asked for again. */
  stop() {
    this.controller.abort();
    this.controller = new AbortController();
    this.loading = null;
  }
}
