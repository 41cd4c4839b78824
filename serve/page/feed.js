// The results of one question, page after page.

import * as api from "./api.js";
import { unique } from "./dom.js";

export const FIRST = 60;
const NEXT = 120; // and more, the further one goes
const MOST = 480;

export class Feed {
  constructor(state) {
    this.state = state;
    this.id = unique(); // what feedback names the question by
    this.items = [];
    this.after = null;
    this.done = false;
    this.where = null;
    this.release = null;
    this.place = 0;
    this.passed = new Set(state.unlike); // browsing and words know nothing of them
    this.known = new Set();
    this.controller = new AbortController();
    this.loading = null;
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
    const page = await api.results(this.state, {
      k,
      after: this.after,
      release: this.release ?? this.state.release, // where another one came since, the pages still belong together
      signal: this.controller.signal,
    });
    page.results.forEach((result, i) => {
      this.place += 1;
      if (this.passed.has(result.item_id) || this.known.has(result.item_id)) return;
      this.known.add(result.item_id);
      this.items.push({ ...result, place: this.place, arm: page.arms?.[i] ?? null, copyOf: null });
    });
    this.after = page.after;
    this.done = page.after === null;
    this.where = page.where;
    this.release = page.release;
  }

  /** Puts copies right behind the result that stands for them, or takes them away again. True: they are shown now. */
  async unfold(item) {
    if (this.items.some((other) => other.copyOf === item.item_id)) {
      this.items = this.items.filter((other) => other.copyOf !== item.item_id);
      return false;
    }
    const copies = await Promise.all(item.copies.map((id) => api.item(id, this.state.release)));
    const shown = new Set(this.items.map((other) => other.item_id));
    const at = this.items.indexOf(item);
    if (at < 0) return false;
    const fresh = copies.filter((copy) => !copy.removed && !shown.has(copy.item_id));
    this.items.splice(at + 1, 0, ...fresh.map((copy) => ({ ...copy, copies: [], place: item.place, arm: item.arm, copyOf: item.item_id })));
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
