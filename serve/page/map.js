// The map of the collection: every picture near those it is like. It is moved and zoomed by mouse, fingers and keys.

import * as api from "./api.js";
import { aborted, iconButton, make, settled } from "./dom.js";
import { Pictures } from "./pictures.js";
import { Plane } from "./plane.js";
import { filterOf } from "./state.js";
import { number, t } from "./words.js";

const LIMIT = 2500; // points in sight
const DEEPEST = 120; // screens of map

export class Atlas {
  /** `open(id)` is told what was chosen, `came(release)` what the points are of. */
  constructor(root, { open, fail, came }) {
    Object.assign(this, { root, open, fail, came });
    this.canvas = make("canvas", { tabIndex: 0, role: "application" });
    this.count = make("p", { class: "note count", role: "status" });
    this.tools = make("div", { class: "zoom" });
    root.append(this.canvas, this.tools, this.count);
    this.plane = new Plane(this.canvas, new Pictures(() => this.redraw()));
    this.controller = new AbortController();
    this.fetch = settled(() => this.load(), 120);
    this.fingers = new Map();
    new ResizeObserver(() => this.resized()).observe(this.canvas);
    this.listen();
  }

  get visible() {
    return !this.root.hidden && this.canvas.clientWidth > 0;
  }

  show(state, info) {
    this.canvas.setAttribute("aria-label", t("map.help"));
    const step = (factor) => () => this.zoom(factor, this.plane.width / 2, this.plane.height / 2);
    this.tools.replaceChildren(
      iconButton("plus", t("map.in"), step(1.6)),
      iconButton("minus", t("map.out"), step(1 / 1.6)),
      iconButton("whole", t("map.whole"), () => this.whole()),
    );
    this.plane.sides = [...info.thumbnails].sort((a, b) => a - b);
    this.plane.marked = new Set(state.like.map((seed) => seed.id));
    const key = JSON.stringify([filterOf(state), state.release]);
    if (this.key !== key) {
      this.plane.points.clear();
      this.key = key;
    }
    this.state = state;
    this.resized();
  }

  resized() {
    if (!this.visible || !this.state) return;
    this.plane.resize();
    if (!this.placed) this.whole();
    this.moved();
  }

  whole() {
    this.placed = true;
    this.plane.view = { x: 0.5, y: 0.5, scale: Math.min(this.plane.width, this.plane.height) * 0.94 };
    this.moved();
  }

  moved() {
    this.redraw();
    this.fetch();
  }

  redraw() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.visible) this.plane.draw();
    });
  }

  async load() {
    if (!this.visible) return;
    this.controller.abort();
    this.controller = new AbortController();
    const box = this.plane.box().map((value) => value.toFixed(5)).join(",");
    try {
      const found = await api.map({ box, limit: LIMIT, where: filterOf(this.state), release: this.state.release }, this.controller.signal);
      if (this.plane.release !== found.release) this.plane.points.clear();
      this.plane.release = found.release;
      // Points of before are kept: a picture in sight does not go away as one comes nearer.
      const fresh = new Map(found.points.map((point) => [point[0], point]));
      if (this.plane.points.size < 20000) for (const [id, point] of this.plane.points) if (!fresh.has(id)) fresh.set(id, point);
      this.plane.points = fresh;
      this.count.textContent = t("map.count", { n: Math.min(found.total, found.points.length), total: number(found.total) });
      this.redraw();
      this.came(found.release);
    } catch (problem) {
      if (!aborted(problem)) this.fail(problem);
    }
  }

  zoom(factor, px, py) {
    const { view } = this.plane;
    const [x, y] = this.plane.toMap(px, py);
    const least = Math.min(this.plane.width, this.plane.height) * 0.5;
    view.scale = Math.min(least * 2 * DEEPEST, Math.max(least, view.scale * factor));
    view.x = x - (px - this.plane.width / 2) / view.scale;
    view.y = y - (py - this.plane.height / 2) / view.scale;
    this.held();
  }

  pan(dx, dy) {
    this.plane.view.x -= dx / this.plane.view.scale;
    this.plane.view.y -= dy / this.plane.view.scale;
    this.held();
  }

  /** The centre stays on the map. */
  held() {
    const { view } = this.plane;
    view.x = Math.min(1, Math.max(0, view.x));
    view.y = Math.min(1, Math.max(0, view.y));
    this.moved();
  }

  place(event) {
    const frame = this.canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  listen() {
    const { canvas, fingers } = this;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      this.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0018)), ...this.place(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, this.place(event));
      if (fingers.size === 1) this.travelled = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (fingers.has(event.pointerId)) this.dragged(event);
      else this.hover(this.plane.at(...this.place(event)));
    });
    const up = (event) => {
      const click = event.type === "pointerup" && fingers.size === 1 && this.travelled < 6;
      fingers.delete(event.pointerId);
      const hit = click && this.plane.at(...this.place(event));
      if (hit) this.open(hit[0]);
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("keydown", (event) => this.pressed(event));
    canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && this.aim());
    canvas.addEventListener("blur", () => this.hover(null));
  }

  dragged(event) {
    const before = [...this.fingers.values()];
    const [px, py] = this.fingers.get(event.pointerId);
    const [x, y] = this.place(event);
    this.fingers.set(event.pointerId, [x, y]);
    this.travelled += Math.hypot(x - px, y - py);
    if (this.fingers.size === 1) {
      this.pan(x - px, y - py);
      return;
    }
    const spread = ([[ax, ay], [bx, by]]) => [Math.hypot(ax - bx, ay - by), (ax + bx) / 2, (ay + by) / 2];
    const [was, wx, wy] = spread(before);
    const [is, ix, iy] = spread([...this.fingers.values()]);
    this.pan(ix - wx, iy - wy);
    this.zoom(is / Math.max(1, was), ix, iy);
  }

  hover(hit) {
    if (hit?.[0] === this.plane.hovered?.[0]) return;
    this.plane.hovered = hit;
    this.canvas.classList.toggle("over", Boolean(hit));
    this.redraw();
  }

  aim() {
    this.plane.draw();
    this.hover(this.plane.at(this.plane.width / 2, this.plane.height / 2, true));
  }

  pressed(event) {
    const step = 80;
    const pans = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    const zooms = { "+": 1.6, "=": 1.6, "-": 1 / 1.6 };
    if (event.key in pans) this.pan(...pans[event.key]);
    else if (event.key in zooms) this.zoom(zooms[event.key], this.plane.width / 2, this.plane.height / 2);
    else if (event.key === "0") this.whole();
    else if (event.key === "Enter" && this.plane.hovered) this.open(this.plane.hovered[0]);
    else return;
    event.preventDefault();
    if (event.key !== "Enter") this.aim();
  }
}
