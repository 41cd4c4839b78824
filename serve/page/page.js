// The page: a state from the URL becomes a question, its answers become what is seen.

import { About } from "./about.js";
import { Compare } from "./compare.js";
import { Crop } from "./crop.js";
import { aborted, byId, make, settled } from "./dom.js";
import { Facets } from "./facets.js";
import { FIRST, Feed } from "./feed.js";
import { Feedback } from "./feedback.js";
import { drawFoot } from "./foot.js";
import { Grid } from "./grid.js";
import { openHelp } from "./help.js";
import { Atlas } from "./map.js";
import { clearProblem, note, say, showProblem, waiting } from "./notice.js";
import { Seeds } from "./seeds.js";
import { share } from "./share.js";
import { Sliders } from "./sliders.js";
import { Store, asked, filterOf, toSearch } from "./state.js";
import { timed } from "./timing.js";
import { hold } from "./upload.js";
import { drawViews } from "./views.js";
import { Why } from "./why.js";
import { fill, number, onLanguage, t } from "./words.js";

const FEEDS = 12; // of history entries, kept for going back at once

export class Page {
  constructor() {
    this.store = new Store();
    this.feeds = new Map();
    this.about = new About();
    this.turn = 0;
    const act = (name, item, event) => this.act(name, item, event);
    const href = (item) => this.store.href(this.towards(item.item_id));
    const look = (seed) => this.crop.open(seed, this.of(this.feed));
    const came = (release) => this.noticed(release);
    const fail = (problem) => this.fail(problem);
    this.feedback = new Feedback();
    this.grid = new Grid(byId("grid"), { act, href, near: () => this.near(), seen: (items) => this.feed && this.feedback.shown(items, this.feed.id) });
    this.seeds = new Seeds(byId("seeds"), this.store, { look, share: () => share(this.store) });
    this.sliders = new Sliders(byId("sliders"), this.store);
    this.facets = new Facets(byId("facets"), this.store, (total) => ((this.total = total), this.tell()));
    this.crop = new Crop(byId("large"), { sides: () => this.info.thumbnails, search: (seed, box) => this.part(seed, box) });
    this.why = new Why(byId("why"), { act, look, closed: (item, inside) => this.grid.still(() => inside && this.back(item)) });
    this.compare = new Compare(byId("compare"), this.store, { act, href, fail, came });
    this.atlas = new Atlas(byId("map"), { open: (id) => this.follow({ item_id: id }), fail, came });
    this.store.onChange((state, how) => this.refresh(how));
    onLanguage(() => this.info && (this.build(), this.refresh("language")));
    this.store.leave = () => this.keep();
    addEventListener("scroll", settled(() => this.keep(), 200), { passive: true });
  }

  /** What following a picture changes. */
  towards(id) {
    return { like: [{ id, box: null }], upload: null, text: "", view: "grid" };
  }

  get info() {
    return this.about.info;
  }

  async load(state) {
    if (await this.about.load(state.release)) this.build();
  }

  /** The release that the pictures of a feed are of. */
  of(feed) {
    return feed?.release ?? this.store.state.release ?? this.info?.release;
  }

  /** Another release is served than the page was drawn for: the controls change, what was asked stays. */
  async noticed(release) {
    if (!(await this.about.noticed(release))) return;
    const { state } = this.store;
    this.build();
    drawViews(this);
    this.seeds.update(state, this.of(this.feed));
    if (state.view === "compare") this.compare.show(state, this.info, this.about.releases);
  }

  /** Draws what depends on the collection and the language. */
  build() {
    const { info } = this;
    const { state } = this.store;
    document.title = `${info.collection} · nitari`;
    byId("collection").textContent = info.collection;
    byId("search").hidden = !info.text;
    byId("uploads").hidden = !info.uploads;
    this.grid.sides = this.seeds.sides = info.thumbnails;
    this.sliders.build(state, info);
    this.facets.build(state, info);
    drawFoot(byId("foot"), { state, releases: this.about.releases, store: this.store, help: () => openHelp(info) });
    fill(byId("views"));
  }

  async refresh(how = "push") {
    const turn = (this.turn += 1);
    const { state, entry } = this.store;
    clearProblem();
    drawViews(this);
    let feed = this.feeds.get(entry.key);
    if (feed !== this.feed) this.feed?.stop();
    if (!feed) this.feeds.set(entry.key, (feed = this.begun(state)));
    if (this.feeds.size > FEEDS) this.feeds.delete(this.feeds.keys().next().value);
    const still = how === "refine" && this.feed;
    const count = Math.max(FIRST, still ? Math.min(this.feed.items.length, 240) : how === "pop" ? entry.loaded : 0);
    const results = state.view === "grid";
    waiting(true);
    try {
      const coming = Promise.all([this.load(state), results ? feed.fill(count) : null]);
      if (this.info) this.seeds.update(state, this.of(feed));
      this.sliders.update(state);
      if (results && !this.grid.items.length) this.grid.ghosts();
      await coming;
    } catch (problem) {
      if (turn !== this.turn || aborted(problem)) return;
      this.feeds.delete(entry.key);
      await this.load(state).catch(() => {}); // the controls are there to put it right
      drawViews(this);
      this.seeds.update(state, this.of(feed));
      this.grid.show([]);
      byId("end").hidden = true;
      this.fail(problem);
      return;
    } finally {
      if (turn === this.turn) waiting(false);
    }
    if (turn !== this.turn) return;
    drawViews(this);
    this.feed = feed;
    this.seeds.update(state, this.of(feed));
    if (state.view === "grid") this.show(how, entry);
    else if (state.view === "map") this.atlas.show(state, this.info);
    else this.compare.show(state, this.info, this.about.releases);
    this.facets.update(state);
    this.tell();
    this.noticed(feed.news());
  }

  /** The feed of a state: the one that was begun as the button went down, or a new one. */
  begun(state) {
    const { ahead } = this;
    this.ahead = null;
    if (ahead && toSearch(ahead.state) === toSearch(state) && !state.upload) return ahead;
    ahead?.stop();
    return new Feed(state);
  }

  show(how, entry) {
    const { feed, grid } = this;
    const inGrid = grid.root.contains(document.activeElement);
    const first = !["refine", "pop", "slide", "language"].includes(how);
    grid.liked = new Set(feed.state.like.map((seed) => seed.id));
    if (how === "pop") grid.current = entry.at ?? 0;
    grid.show(feed.items, { more: !feed.done, first });
    const top = how === "pop" ? entry.y : first || how === "slide" ? 0 : scrollY;
    if (top !== scrollY) scrollTo({ top, behavior: "instant" });
    if (this.focusNext && grid.free) grid.focus();
    else if (inGrid) setTimeout(() => grid.free && grid.focus(grid.current, false));
    this.focusNext = false;
    if (this.why.open) this.explain(feed.items.find((item) => item.item_id === this.why.item.item_id) ?? null);
    this.ended();
    if (this.since) timed(this.since, grid.root);
    this.since = null;
  }

  ended() {
    const end = byId("end");
    end.hidden = !this.feed.done || this.feed.items.length === 0;
    end.textContent = t("end.all");
    if (this.feed.items.length) return;
    const { state } = this.feed;
    const narrowed = filterOf(state) || state.text;
    const widen = [t("facets.clear"), () => this.store.push({ picks: {}, where: "", text: "" })];
    const what = narrowed || asked(state) ? t("empty.detail") : t("empty.collection");
    showProblem({ title: t("empty.title"), detail: `${what} ${this.feed.why ?? ""}`.trim(), calm: true }, null, narrowed ? [widen] : []);
  }

  async near() {
    const { feed } = this;
    if (!feed || feed.done || feed.loading || !feed.items.length) return;
    try {
      await feed.more();
    } catch (problem) {
      if (aborted(problem) || feed !== this.feed) return;
      showProblem(problem, () => (clearProblem(), this.near()));
      return;
    }
    if (feed !== this.feed) return;
    this.grid.show(feed.items, { more: !feed.done });
    this.ended();
    this.noticed(feed.news());
  }

  follow(item, question = null) {
    this.feedback.tell("clicked", item, question);
    this.why.close();
    this.store.push(this.towards(item.item_id));
  }

  async act(name, item, event) {
    const { state } = this.store;
    const { item_id: id } = item;
    if (name === "ahead") {
      this.ahead?.stop();
      this.ahead = new Feed({ ...state, ...this.towards(id) });
      return this.ahead.fill(FIRST).catch(() => {}); // what is wrong is told when it is asked for
    }
    this.since = event?.timeStamp ?? performance.now();
    if (event?.type === "keydown" || event?.detail === 0) this.focusNext = true;
    if (name === "point") return this.why.open && this.explain(item);
    if (name === "why") return this.explain(item, true);
    if (name === "unfold") return this.unfold(item);
    if (name === "open") return this.follow(item, this.feed?.id);
    const liked = state.like.some((seed) => seed.id === id);
    if (name === "like" && liked) return this.store.push({ like: state.like.filter((seed) => seed.id !== id) }, "refine");
    if (name === "like") {
      this.feedback.tell("liked", item, this.feed?.id ?? null);
      const change = { like: [...state.like, { id, box: null }], unlike: state.unlike.filter((other) => other !== id), text: "" };
      return this.store.push(change, asked(state) ? "refine" : "push");
    }
    this.feedback.tell("hidden", item, this.feed?.id ?? null);
    this.hide(id);
  }

  hide(id) {
    const { state } = this.store;
    const change = { unlike: [...state.unlike.filter((other) => other !== id), id], like: state.like.filter((seed) => seed.id !== id) };
    if (this.why.item?.item_id === id) this.why.close();
    this.feed?.drop(id);
    this.grid.show(this.feed?.items ?? [], { more: !this.feed?.done, moving: true });
    const undo = () => this.store.push({ unlike: this.store.state.unlike.filter((other) => other !== id) }, "refine");
    note(t("hidden.note"), make("button", { type: "button", onclick: undo }, t("hidden.undo")));
    this.store.push(change, "refine");
  }

  async unfold(item) {
    const { feed } = this;
    try {
      const shown = await feed.unfold(item);
      if (feed !== this.feed) return;
      this.grid.show(feed.items, { more: !feed.done, moving: true });
      if (this.focusNext) this.grid.focus(feed.items.indexOf(item) + (shown ? 1 : 0));
    } catch (problem) {
      this.fail(problem);
    }
    this.focusNext = false;
  }

  explain(item, focus = false) {
    if (!item) return this.why.close();
    const { state } = this.store;
    const weights = state.weights ?? this.sliders.defaults;
    const show = () => this.why.show(item, { where: this.feed?.where, liked: state.like.some((seed) => seed.id === item.item_id), sides: this.info.thumbnails, weights }, focus);
    return this.why.open ? show() : this.grid.still(show);
  }

  back(item) {
    const at = this.grid.items.findIndex((other) => other.item_id === item?.item_id);
    this.grid.focus(at < 0 ? this.grid.current : at);
  }

  /** Searches by a part of a picture that is a seed already, or becomes the only one. */
  part(seed, box) {
    const { state } = this.store;
    if (seed.upload) return this.store.push({ upload: { key: seed.upload, box }, view: "grid" });
    const known = state.like.some((other) => other.id === seed.id);
    const like = known ? state.like.map((other) => (other.id === seed.id ? { id: seed.id, box } : other)) : [{ id: seed.id, box }];
    this.why.close();
    return this.store.push({ like, text: "", view: "grid", ...(known ? {} : { upload: null }) });
  }

  upload(file) {
    const size = (bytes) => number(bytes / 1e6, 1);
    if (!file) return note(t("upload.none"));
    if (!this.info?.uploads) return note(t("upload.off"));
    if (file.size > this.info.upload_limit) return note(t("upload.large", { size: size(file.size), limit: size(this.info.upload_limit) }));
    this.since = performance.now();
    return this.store.push({ upload: { key: hold(file), box: null }, like: [], text: "", view: "grid" });
  }

  tell() {
    const { state } = this.store;
    const word = asked(state) ? "status.like" : state.text ? "status.words" : "status.all";
    if (this.total !== undefined) say(state.view === "grid" ? t(word, { n: this.total }) : t("status.all", { n: this.total }));
  }

  fail(problem) {
    const { state } = this.store;
    const place = typeof problem.position === "number" ? this.facets.fail(problem, state) : null;
    const widen = [t("facets.clear"), () => this.store.push({ picks: {}, where: "" })];
    const over = [t("seeds.clear"), () => this.store.push({ like: [], unlike: [], upload: null, weights: null, release: null })];
    showProblem(problem, () => this.refresh("push"), filterOf(state) ? [widen] : asked(state) || state.release ? [over] : [], place);
    say("");
  }

  keep() {
    if (this.store.state.view === "grid" && this.feed) this.store.keep(scrollY, this.feed.items.length, this.grid.current);
  }
}
