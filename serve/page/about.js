// What is served: the collection as a release knows it, and the other releases.

import * as api from "./api.js";

export class About {
  constructor() {
    this.info = null;
    this.releases = [];
    this.known = undefined; // the release that they are of; null is the current one
    this.coming = null;
  }

  /** Asks for what is known of a release, once. True: it is another than before. */
  load(release) {
    if (this.info && this.known === release) return Promise.resolve(false);
    if (this.coming?.release !== release) {
      const done = this.ask(release).finally(() => this.coming?.done === done && (this.coming = null));
      this.coming = { release, done };
    }
    return this.coming.done;
  }

  /** Takes note of the release of an answer that was asked of none. True: it is another than was known, and asked for anew. */
  noticed(release) {
    if (!release || this.known !== null || this.info.release === release) return Promise.resolve(false);
    this.known = undefined;
    return this.load(null).catch(() => false); // what is wrong is told when something is asked for
  }

  async ask(release) {
    const [info, { releases }] = await Promise.all([api.collection(release), api.releases()]);
    Object.assign(this, { info, releases, known: release });
    return true;
  }
}
