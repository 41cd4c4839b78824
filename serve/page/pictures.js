// Small pictures for the map: those in sight are fetched, a few at a time; those not seen for long are let go.

import * as api from "./api.js";

const MOST = 1500;
const AT_ONCE = 8;

export class Pictures {
  constructor(changed) {
    this.changed = changed;
    this.kept = new Map(); // address -> image; the least recently used first
    this.waiting = [];
    this.busy = 0;
  }

  /** The image of an item, or one of another size, or null while there is none; then it is fetched. */
  get(id, side, others, release) {
    const url = api.thumbnail(id, side, release);
    const image = this.kept.get(url);
    if (image) {
      this.kept.delete(url);
      this.kept.set(url, image);
      if (image.ready) return image;
    } else {
      this.waiting.push(url);
    }
    for (const other of others) {
      const rough = this.kept.get(api.thumbnail(id, other, release));
      if (rough?.ready) return rough;
    }
    return null;
  }

  /** Forgets what waits: what is in sight now is asked for anew by the next drawing. */
  restart() {
    this.waiting = [];
  }

  pump() {
    while (this.busy < AT_ONCE && this.waiting.length) {
      const url = this.waiting.shift();
      if (this.kept.has(url)) continue;
      const image = new Image();
      image.decoding = "async";
      image.src = url;
      this.kept.set(url, image);
      this.busy += 1;
      image
        .decode()
        .then(() => {
          image.ready = true;
          this.later ??= setTimeout(() => {
            this.later = undefined;
            this.changed();
          }, 50);
        })
        .catch(() => {})
        .finally(() => {
          this.busy -= 1;
          this.pump();
        });
    }
    for (const url of this.kept.keys()) {
      if (this.kept.size <= MOST) break;
      this.kept.delete(url);
    }
  }
}
