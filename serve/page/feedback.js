// What was shown and what was done with it, sent in batches.

import * as api from "./api.js";
import { unique } from "./dom.js";

const EVERY = 2000; // ms
const MOST = 200;
const KEPT = "nitari.session";

function sessionId() {
  try {
    const kept = sessionStorage.getItem(KEPT) ?? unique();
    sessionStorage.setItem(KEPT, kept);
    return kept;
  } catch {
    return unique();
  }
}

export class Feedback {
  constructor() {
    this.session = sessionId();
    this.events = [];
    this.told = new Set(); // question and item of each that was shown
    addEventListener("visibilitychange", () => document.visibilityState === "hidden" && this.send());
    addEventListener("pagehide", () => this.send());
  }

  tell(event, item, question) {
    const rank = item.place ? item.place - 1 : null; // from 0
    this.events.push({ event, item_id: item.item_id, query: question, rank, arm: item.arm ?? null, session: this.session });
    if (this.events.length >= MOST) this.send();
    else this.timer ??= setTimeout(() => this.send(), EVERY);
  }

  shown(items, question) {
    for (const item of items) {
      const key = `${question}/${item.item_id}`;
      if (this.told.has(key)) continue;
      this.told.add(key);
      this.tell("shown", item, question);
    }
  }

  send() {
    clearTimeout(this.timer);
    this.timer = undefined;
    while (this.events.length) api.feedback(this.events.splice(0, MOST));
  }
}
