// What is asked with: liked and disliked pictures at the top, each of which can be taken away again.

import * as api from "./api.js";
import { icon, make } from "./dom.js";
import { sideFor } from "./tile.js";
import { held } from "./upload.js";
import { t } from "./words.js";

const MOST = 12; // disliked ones that are shown

export class Seeds {
  /** `look(seed)` opens the large view of {id, box} or of {upload, box}; `share()` copies the link. */
  constructor(root, store, { look, share }) {
    Object.assign(this, { root, store, look, share });
    this.sides = [96];
  }

  /** Draws what a state asks with, by the pictures of a release. */
  update(state, release) {
    const key = JSON.stringify([state.like, state.unlike, state.upload, release, this.side(), document.documentElement.lang]);
    if (this.key === key) return;
    this.key = key;
    const liked = state.like.map((seed, i) => this.thumb(api.thumbnail(seed.id, this.side(), release), seed.box, t("seeds.picture", { n: i + 1 }), () => this.look(seed), () => this.without("like", i)));
    const file = state.upload && held(state.upload.key);
    if (file) {
      liked.push(this.thumb(file.url, state.upload.box, t("seeds.upload"), () => this.look({ upload: state.upload.key, box: state.upload.box }), () => this.store.push({ upload: null })));
    }
    const unliked = state.unlike.slice(-MOST).map((id, i, all) => {
      const at = state.unlike.length - all.length + i;
      return this.thumb(api.thumbnail(id, this.side(), release), null, t("seeds.picture", { n: at + 1 }), () => this.look({ id, box: null }), () => this.without("unlike", at));
    });
    const rest = state.unlike.length - unliked.length;
    this.root.hidden = !liked.length && !unliked.length;
    if (this.root.hidden) {
      this.root.replaceChildren();
      return;
    }
    const group = (word, thumbs, className, ...others) => (thumbs.length ? make("div", { class: `seedset ${className}` }, make("h2", {}, t(word)), make("ul", { role: "list" }, thumbs), others) : null);
    const tools = make(
      "div",
      { class: "tools" },
      make("button", { type: "button", class: "plain text", onclick: this.share, title: t("share.label"), aria: { label: t("share.label") } }, icon("link"), make("span", {}, t("share"))),
      make("button", { type: "button", class: "plain text", title: t("seeds.clear"), aria: { label: t("seeds.clear") }, onclick: () => this.store.push({ like: [], unlike: [], upload: null }) }, icon("close"), make("span", {}, t("seeds.clear"))),
    );
    const sets = [group("seeds.like", liked, "likes"), group("seeds.unlike", unliked, "unlikes", rest > 0 ? make("span", { class: "note" }, t("seeds.more", { n: rest })) : null)];
    this.root.replaceChildren(make("div", { class: "seedsets" }, ...sets.filter(Boolean)), tools);
  }

  side() {
    return sideFor(72, this.sides);
  }

  thumb(url, box, name, look, remove) {
    const image = make("img", { src: url, alt: name, decoding: "async", draggable: false });
    const frame = make("span", { class: "frame" }, image);
    if (box) frame.append(outline(box));
    return make(
      "li",
      { class: "seed" },
      make("button", { type: "button", class: "look", title: t("seeds.look"), aria: { label: t("seeds.look.label", { name }) }, onclick: look }, frame),
      make("button", { type: "button", class: "remove", title: t("seeds.remove"), aria: { label: t("seeds.remove.label", { name }) }, onclick: remove }, icon("close")),
    );
  }

  without(list, at) {
    this.store.push({ [list]: this.store.state[list].filter((_, i) => i !== at) }, list === "unlike" ? "refine" : "push");
  }
}

/** The rectangle of a box, in fractions of what it lies on. */
export function outline([left, top, right, bottom]) {
  const element = make("span", { class: "outline" });
  const style = element.style;
  [style.left, style.top] = [`${left * 100}%`, `${top * 100}%`];
  [style.width, style.height] = [`${(right - left) * 100}%`, `${(bottom - top) * 100}%`];
  return element;
}
