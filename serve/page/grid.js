// Results as a grid of any length: only the rows in sight, and some around them, are in the document.

import { make, settled } from "./dom.js";
import { Tile, sideFor } from "./tile.js";

const FEWEST = 3; // columns
const MARGIN = 1.2; // screens above and below that are kept ready
const CALM = 400; // ms after other results come before what is out of sight is made ready
const AHEAD = 2.5; // screens before the end at which more is asked for

export class Grid {
  /** `act(name, item, event)` is told what was done to an item; `near()` that the end comes; `seen(items)` what is in sight. */
  constructor(root, { act, near, seen, href }) {
    Object.assign(this, { root, act, near, href });
    this.items = [];
    this.tiles = new Map(); // of what is in the document, by item id
    this.spare = [];
    this.liked = new Set();
    this.sides = [256];
    this.current = 0;
    this.more = false;
    this.frame = 0;
    this.resting = 0;
    const look = settled(() => this.root.isConnected && !this.root.closest("[hidden]") && seen(this.visible()), 250);
    const draw = () => {
      this.frame ||= requestAnimationFrame(() => this.draw());
      look();
    };
    this.look = look;
    addEventListener("scroll", draw, { passive: true });
    new ResizeObserver(draw).observe(root.parentElement);
    addEventListener("resize", draw);
    root.addEventListener("click", (event) => this.clicked(event));
    root.addEventListener("pointerdown", (event) => {
      const link = event.pointerType === "mouse" && event.button === 0 && event.target.closest("[data-act=open]");
      if (link) act("ahead", this.items.find((item) => item.item_id === link.closest(".tile").dataset.id), event);
    });
    root.addEventListener("keydown", (event) => this.pressed(event));
    root.addEventListener("focusin", (event) => {
      const tile = event.target.closest(".tile");
      if (tile) this.point(this.items.findIndex((item) => item.item_id === tile.dataset.id));
    });
  }

  /** Shows these items; `more` says whether others will follow. Tiles of items that stay are moved, not made anew. */
  show(items, { more = false, moving = false, first = false } = {}) {
    this.items = items;
    this.more = more;
    this.unfolded = new Set();
    for (const { copyOf } of items) if (copyOf) this.unfolded.add(copyOf);
    if (first) this.rest(CALM);
    if (first) this.current = 0;
    this.current = Math.max(0, Math.min(this.current, items.length - 1));
    for (const box of this.root.querySelectorAll(".ghost")) box.remove();
    this.root.classList.toggle("moving", moving);
    this.draw();
    this.look();
  }

  /** For some time nothing but what is in sight is drawn or asked for: that comes first. */
  rest(time) {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      this.resting = 0;
      this.draw();
    }, time);
  }

  measure() {
    const style = getComputedStyle(this.root);
    const gap = parseFloat(style.getPropertyValue("--gap")) || 8;
    const target = parseFloat(style.getPropertyValue("--cell")) || 176;
    const width = this.root.clientWidth;
    const columns = Math.max(FEWEST, Math.floor((width + gap) / (target + gap)));
    const cell = Math.floor((width - gap * (columns - 1)) / columns);
    Object.assign(this, { columns, gap, cell, step: cell + gap, start: (width - columns * (cell + gap) + gap) / 2 });
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (this.root.closest("[hidden]")) return;
    this.measure();
    const { columns, step, items } = this;
    const rows = Math.ceil(items.length / columns);
    this.root.style.height = `${Math.max(0, (rows + (this.more ? 1 : 0)) * step - this.gap)}px`;
    const top = -this.root.getBoundingClientRect().top;
    const margin = this.resting ? 0 : innerHeight * MARGIN;
    const from = Math.max(0, Math.floor((top - margin) / step)) * columns;
    const to = Math.min(items.length, Math.ceil((top + innerHeight + margin) / step) * columns);
    this.put(from, to);
    if (this.more && !this.resting && top + innerHeight * (1 + AHEAD) > rows * step) this.near();
  }

  put(from, to) {
    const wanted = new Map();
    for (let i = from; i < to; i += 1) wanted.set(this.items[i].item_id, i);
    const focused = document.activeElement?.closest?.(".tile");
    if (focused && this.root.contains(focused) && this.items[this.current]?.item_id === focused.dataset.id) {
      wanted.set(focused.dataset.id, this.current);
    }
    for (const [id, tile] of this.tiles) {
      if (wanted.has(id)) continue;
      this.tiles.delete(id);
      tile.element.remove();
      this.spare.push(tile);
    }
    const side = sideFor(this.cell, this.sides);
    let cursor = this.root.firstElementChild;
    for (const [id, i] of [...wanted].sort((a, b) => a[1] - b[1])) {
      const item = this.items[i];
      let tile = this.tiles.get(id);
      if (!tile) this.tiles.set(id, (tile = this.spare.pop() ?? new Tile()));
      tile.show(item, { href: this.href(item), side, liked: this.liked.has(id), unfolded: this.unfolded.has(id) });
      tile.place(this.start + (i % this.columns) * this.step, Math.floor(i / this.columns) * this.step, this.cell);
      tile.count(i + 1, this.more ? -1 : this.items.length);
      tile.reach(i === this.current);
      if (tile.element === cursor) cursor = cursor.nextElementSibling;
      else this.root.insertBefore(tile.element, cursor);
    }
    this.spare.length = Math.min(this.spare.length, 200);
  }

  /** Empty boxes, while the first results are on their way. */
  ghosts() {
    if (this.root.closest("[hidden]")) return;
    this.measure();
    const rows = Math.ceil(innerHeight / this.step);
    const boxes = Array.from({ length: rows * this.columns }, (_, i) => {
      const box = make("li", { class: "tile ghost", aria: { hidden: "true" } });
      box.style.width = box.style.height = `${this.cell}px`;
      box.style.transform = `translate(${this.start + (i % this.columns) * this.step}px, ${Math.floor(i / this.columns) * this.step}px)`;
      return box;
    });
    this.root.replaceChildren(...boxes);
  }

  visible() {
    const from = document.querySelector(".bar").getBoundingClientRect().bottom;
    return [...this.tiles.values()]
      .filter(({ element }) => {
        const box = element.getBoundingClientRect();
        const middle = (box.top + box.bottom) / 2;
        return middle > from && middle < innerHeight;
      })
      .map((tile) => tile.item);
  }

  clicked(event) {
    const part = event.target.closest("[data-act]");
    if (!part) return;
    if (part.dataset.act === "open" && (event.metaKey || event.ctrlKey || event.shiftKey)) return; // as any link
    event.preventDefault();
    const id = part.closest(".tile").dataset.id;
    this.act(part.dataset.act, this.items.find((item) => item.item_id === id), event);
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor((innerHeight - 80) / this.step)) * this.columns;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns, PageUp: -page, PageDown: page };
    const ends = { Home: 0, End: this.items.length - 1 };
    const acts = { l: "like", h: "hide", i: "why", c: "unfold" };
    if (event.key in steps || event.key in ends) {
      const to = event.key in ends ? ends[event.key] : this.current + steps[event.key];
      if (to >= 0 && to < this.items.length) this.focus(to);
      event.preventDefault();
    } else if (event.key in acts && this.items[this.current]) {
      const item = this.items[this.current];
      if (event.key === "c" && !item.copies?.length) return;
      event.preventDefault();
      this.act(acts[event.key], item, event);
    }
  }

  point(index) {
    if (index < 0 || index === this.current) return;
    this.tiles.get(this.items[this.current]?.item_id)?.reach(false);
    this.current = index;
    this.tiles.get(this.items[index].item_id)?.reach(true);
    this.act("point", this.items[index]);
  }

  /** Keeps the current item where it is on the screen while `change` makes the grid wider or narrower. */
  still(change) {
    const where = () => this.root.getBoundingClientRect().top + Math.floor(this.current / this.columns) * this.step;
    const before = where();
    change();
    this.draw();
    if (before > -this.step && before < innerHeight) scrollBy({ top: where() - before, behavior: "instant" });
  }

  /** Whether nobody moved the focus to something else on the page. */
  get free() {
    const { activeElement } = document;
    return !activeElement || activeElement === document.body || this.root.contains(activeElement);
  }

  /** Moves the focus to an item, bringing it into sight first where `scroll`. */
  focus(index = this.current, scroll = true) {
    if (!this.items.length) return;
    this.point(index);
    if (scroll) this.reveal(index);
    this.draw();
    this.tiles.get(this.items[index].item_id)?.link.focus({ preventScroll: true });
  }

  reveal(index) {
    const at = Math.floor(index / this.columns) * this.step;
    const top = this.root.getBoundingClientRect().top + scrollY;
    const bar = document.querySelector(".bar").offsetHeight + this.gap;
    const low = top + at - bar;
    const high = top + at + this.cell + this.gap - innerHeight;
    if (scrollY > low) scrollTo({ top: Math.max(0, low), behavior: "instant" });
    else if (scrollY < high) scrollTo({ top: high, behavior: "instant" });
  }
}
