// Why a result is here: how alike it is by each source, its rank in each, what it stands for, and what is known of it.

import * as api from "./api.js";
import { icon, iconButton, make } from "./dom.js";
import { columnTitle } from "./facets.js";
import { titles } from "./sources.js";
import { nameOf, picture, sideFor } from "./tile.js";
import { number, t } from "./words.js";

const MOST_COPIES = 12;

export class Why {
  /** `act(name, item)` as in the grid; `look(seed)` opens the large view. */
  constructor(root, { act, look, closed }) {
    Object.assign(this, { root, act, look, closed });
    this.item = null;
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
  }

  get open() {
    return !this.root.hidden;
  }

  show(item, { where, liked, sides, weights }, focus = false) {
    this.item = item;
    const name = nameOf(item);
    const button = (word, symbol, run, className = "") => make("button", { type: "button", class: className, onclick: run }, icon(symbol), t(word));
    const heading = make("h2", { tabIndex: -1 }, name.split("/").at(-1));
    const close = iconButton("close", t("close"), () => this.close(), { class: "plain close" });
    const like = button("why.like", "heart", () => this.act("like", item), liked ? "liked" : "");
    like.setAttribute("aria-pressed", String(liked));
    const parts = [
      close,
      make("div", { class: "portrait" }, picture(api.thumbnail(item.item_id, sideFor(288, sides), item.release), name)),
      heading,
      make("div", { class: "row wrap" }, button("why.more", "search", () => this.act("open", item), "main"), like, button("why.hide", "hide", () => this.act("hide", item)), button("why.part", "crop", () => this.look({ id: item.item_id, box: null, release: item.release }))),
      this.likeness(item, weights),
      this.copies(item, sides),
      where ? make("section", {}, make("h3", {}, t("why.where")), make("code", {}, where)) : null,
      this.attributes(item),
    ];
    this.root.replaceChildren(...parts.filter(Boolean));
    this.root.hidden = false;
    if (focus) heading.focus();
  }

  likeness(item, weights) {
    const similarity = item.similarity ?? {};
    const order = Object.keys(weights ?? {}); // as the sliders have it
    const names = Object.keys(similarity).sort((a, b) => order.indexOf(a) - order.indexOf(b));
    if (item.copyOf) return make("p", { class: "note" }, t("why.copy"));
    if (!names.length) return make("p", { class: "note" }, t("why.browsing"));
    const called = titles(names);
    const rows = names.map((name) => {
      const value = similarity[name];
      const bar = make("span", { class: "bar-of" });
      bar.style.setProperty("--part", `${100 * Math.min(1, Math.max(0, value))}%`);
      const rank = item.rank?.[name];
      const distance = item.distance?.[name];
      const about = weights?.[name] !== undefined ? t("why.weight", { weight: number(weights[name], 2) }) : "";
      const place = make("small", { title: distance === undefined ? "" : t("why.distance", { distance: number(distance, 4) }) });
      place.textContent = [rank ? t("why.rank", { rank }) : t("why.unranked"), about].filter(Boolean).join(" · ");
      return make("li", {}, make("span", { class: "name" }, called[name]), make("span", { class: "value" }, number(value, 2)), bar, place);
    });
    return make("section", {}, make("h3", {}, t("why.title", { score: number(item.score, 2) })), make("ul", { class: "bars", role: "list" }, rows), make("p", { class: "note" }, t("why.scale")));
  }

  copies(item, sides) {
    if (!item.copies?.length) return null;
    const thumbs = item.copies.slice(0, MOST_COPIES).map((id) => make("li", {}, make("button", { type: "button", class: "look", title: t("why.more"), onclick: () => this.act("open", { item_id: id }) }, picture(api.thumbnail(id, sideFor(56, sides), item.release), id))));
    return make("section", {}, make("h3", {}, t("why.copies", { n: item.copies.length })), make("ul", { class: "strip", role: "list" }, thumbs));
  }

  attributes(item) {
    const known = Object.entries(item.attributes ?? {}).filter(([, value]) => value !== null && value !== "");
    const text = (value) => (typeof value === "number" ? number(value, 3) : typeof value === "object" ? JSON.stringify(value) : String(value));
    const rows = known.flatMap(([name, value]) => [make("dt", {}, columnTitle(name)), make("dd", {}, text(value))]);
    return make("section", {}, make("h3", {}, t("why.attributes")), make("dl", {}, rows, make("dt", {}, "id"), make("dd", {}, make("code", {}, item.item_id))));
  }

  close() {
    if (!this.open) return;
    const inside = this.root.contains(document.activeElement);
    this.root.hidden = true;
    this.closed(this.item, inside);
  }
}
