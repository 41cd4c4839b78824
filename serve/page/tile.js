// One picture among results: a link to more like it, and what can be done with it.

import * as api from "./api.js";
import { iconButton, make } from "./dom.js";
import { number, t } from "./words.js";

const MOST = 600; // images kept while they are out of sight

const seen = new Set(); // addresses that came before: they need not fade in
const images = new Map(); // address -> image; the least recently shown first

/** The smallest of the kept sides that fills `pixels` well; the largest where none does. */
export function sideFor(pixels, sides) {
  const wanted = pixels * (window.devicePixelRatio || 1) * 0.85;
  return [...sides].sort((a, b) => a - b).find((side) => side >= wanted) ?? Math.max(...sides);
}

export const nameOf = (item) => String(item.attributes?.file_name ?? item.item_id);

/** An image that fits its box, whatever its shape: the box is there before it is. */
export function picture(url, alt, priority = "auto") {
  const image = make("img", { alt, decoding: "async", draggable: false, fetchPriority: priority });
  if (!seen.has(url)) image.classList.add("coming");
  image.addEventListener("load", () => {
    seen.add(url);
    image.classList.toggle("tall", image.naturalHeight > image.naturalWidth);
    image.classList.remove("coming");
  });
  image.addEventListener("error", () => image.classList.add("missing"));
  image.src = url;
  return image;
}

/** The image of an address that is not in the document now, or a new one: what was scrolled past is not asked for again. */
function kept(url, name) {
  let image = images.get(url);
  if (!image || image.isConnected || image.classList.contains("missing")) image = picture(url, name);
  images.delete(url);
  images.set(url, image);
  if (images.size > MOST) images.delete(images.keys().next().value);
  return image;
}

export class Tile {
  constructor() {
    this.link = make("a", { class: "picture", data: { act: "open" } });
    this.badge = make("button", { type: "button", class: "badge", data: { act: "unfold" } });
    this.like = iconButton("heart", "", undefined, { class: "plain like", data: { act: "like" } });
    this.hide = iconButton("hide", "", undefined, { class: "plain hide", data: { act: "hide" } });
    this.why = iconButton("why", "", undefined, { class: "plain", data: { act: "why" } });
    this.element = make("li", { class: "tile" }, this.link, this.badge, make("div", { class: "acts" }, this.like, this.hide, this.why));
    this.item = null;
  }

  /** Shows an item. `marks`: href, side, liked, unfolded, differs; what is the same as before stays untouched. */
  show(item, { href, side, liked = false, unfolded = false, differs = false }) {
    const name = nameOf(item);
    const url = api.thumbnail(item.item_id, side, item.release);
    if (this.url !== url || !this.link.firstChild) {
      this.link.replaceChildren(kept(url, name));
      this.url = url;
    }
    const before = this.item;
    this.item = item;
    if (this.href !== href) this.link.href = this.href = href;
    if (before?.item_id !== item.item_id) this.element.dataset.id = item.item_id;
    this.badge.hidden = !item.copies?.length;
    if (item.copies?.length) {
      this.badge.textContent = unfolded ? "−" : `+${number(item.copies.length)}`;
      const label = t(unfolded ? "tile.fold" : "tile.unfold", { n: item.copies.length });
      this.badge.title = label;
      this.badge.setAttribute("aria-label", label);
      this.badge.setAttribute("aria-expanded", String(unfolded));
    }
    const marks = `tile${item.copyOf ? " copy" : ""}${differs ? " differs" : ""}${liked ? " liked" : ""}`;
    if (this.marks !== marks) {
      this.element.className = this.marks = marks;
      this.like.setAttribute("aria-pressed", String(liked));
    }
    if (this.named === name + document.documentElement.lang) return;
    this.named = name + document.documentElement.lang;
    for (const [button, word] of [[this.like, "tile.like"], [this.hide, "tile.hide"], [this.why, "tile.why"]]) {
      button.setAttribute("aria-label", t(word, { name }));
      button.title = t(`${word}.short`);
    }
  }

  /** Reached by the Tab key: the current one of the grid alone is. */
  reach(on) {
    if (this.reached === on) return;
    this.reached = on;
    for (const element of [this.link, this.badge, this.like, this.hide, this.why]) element.tabIndex = on ? 0 : -1;
  }

  place(x, y, cell) {
    const where = `${x},${y},${cell}`;
    if (this.where === where) return;
    this.where = where;
    const style = this.element.style;
    style.width = style.height = `${cell}px`;
    style.transform = `translate(${x}px, ${y}px)`;
  }

  /** What the grid says about where it is among all. */
  count(place, total) {
    const at = `${place}/${total}`;
    if (this.at === at) return;
    this.at = at;
    this.element.setAttribute("aria-posinset", String(place));
    this.element.setAttribute("aria-setsize", String(total));
  }
}
