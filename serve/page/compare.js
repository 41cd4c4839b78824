// Two releases side by side: the same question, and which results differ.

import * as api from "./api.js";
import { aborted, make } from "./dom.js";
import { asked } from "./state.js";
import { Tile, sideFor } from "./tile.js";
import { number, t } from "./words.js";

const COUNT = 48;

export const releaseTitle = ({ id, created, current }) => {
  const date = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" }).format(new Date(created));
  return `${date} · ${id.split("-").at(-1)}${current ? ` · ${t("release.current")}` : ""}`;
};

export class Compare {
  constructor(root, store, { act, href, fail, came }) {
    Object.assign(this, { root, store, act, href, fail, came });
    this.controller = new AbortController();
    root.addEventListener("click", (event) => {
      const part = event.target.closest("[data-act]");
      if (!part || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const item = this.items?.get(part.closest(".tile").dataset.id);
      if (item) act(part.dataset.act, item, event);
    });
  }

  async show(state, info, releases) {
    this.controller.abort();
    this.controller = new AbortController();
    const { signal } = this.controller;
    const right = state.against ?? releases.find(({ id }) => id !== (state.release ?? info.release))?.id ?? state.release;
    let pages;
    try {
      pages = await Promise.all([state.release, right].map((release) => api.results(state, { k: COUNT, release, signal })));
    } catch (problem) {
      if (!aborted(problem)) this.fail(problem);
      return;
    }
    const unlike = new Set(state.unlike);
    const shown = (page) => page.results.map((result, i) => ({ ...result, place: i + 1, arm: null, release: page.release, copyOf: null }));
    const lists = pages.map((page) => shown(page).filter((result) => !unlike.has(result.item_id)));
    const ids = lists.map((list) => new Set(list.map((item) => item.item_id)));
    this.items = new Map(lists.flat().map((item) => [item.item_id, item]));
    const shared = lists[0].filter((item) => ids[1].has(item.item_id)).length;
    const liked = new Set(state.like.map((seed) => seed.id));
    const column = (list, release, other, field) => {
      const choice = make("select", { aria: { label: t("compare.release") }, onchange: (event) => this.store.push({ [field]: event.target.value }) });
      choice.append(...releases.map((one) => make("option", { value: one.id, selected: one.id === release }, releaseTitle(one))));
      const tiles = list.map((item) => {
        const tile = new Tile();
        tile.show(item, { href: this.href(item), side: sideFor(140, info.thumbnails), liked: liked.has(item.item_id), differs: !other.has(item.item_id) });
        return tile.element;
      });
      const spaces = releases.find(({ id }) => id === release)?.spaces ?? [];
      return make("div", { class: "pair" }, choice, make("p", { class: "note" }, spaces.join(", ")), make("ul", { class: "tiles", role: "list" }, tiles));
    };
    this.root.replaceChildren(
      make("p", { class: "verdict" }, t("compare.shared", { n: shared, all: Math.max(lists[0].length, lists[1].length), part: number((100 * shared) / Math.max(1, lists[0].length)) })),
      asked(state) || state.text ? "" : make("p", { class: "note" }, t("compare.hint")),
      make("div", { class: "pairs" }, column(lists[0], pages[0].release, ids[1], "release"), column(lists[1], pages[1].release, ids[0], "against")),
    );
    this.came(pages[0].release);
  }
}
