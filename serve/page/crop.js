// The large view of a picture, where a part of it can be marked to search with.

import * as api from "./api.js";
import { icon, iconButton, make } from "./dom.js";
import { outline } from "./seeds.js";
import { held } from "./upload.js";
import { t } from "./words.js";

const SMALLEST = 0.04; // of a side; less is a click
const STEP = 0.02;

const clamp = (x) => Math.min(1, Math.max(0, x));

export class Crop {
  /** `search(seed, box)` is asked for with the part, or with null for the whole picture. */
  constructor(dialog, { sides, search }) {
    Object.assign(this, { dialog, sides, search });
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => this.back?.focus?.({ preventScroll: true }));
  }

  open(seed, release) {
    this.back = document.activeElement;
    this.seed = seed;
    this.box = seed.box;
    const url = seed.upload ? held(seed.upload).url : api.thumbnail(seed.id, Math.max(...this.sides()), seed.release ?? release);
    this.image = make("img", { src: url, alt: t("crop.picture"), draggable: false });
    this.stage = make("div", { class: "stage", tabIndex: 0, role: "group", aria: { label: t("crop.stage") } }, this.image);
    this.stage.addEventListener("pointerdown", (event) => this.start(event));
    this.stage.addEventListener("keydown", (event) => this.pressed(event));
    const done = (box) => {
      this.dialog.close();
      this.search(this.seed, box);
    };
    this.part = make("button", { type: "button", class: "main", onclick: () => done(this.box) }, icon("crop"), t("crop.part"));
    const whole = make("button", { type: "button", onclick: () => done(null) }, t("crop.whole"));
    const close = iconButton("close", t("close"), () => this.dialog.close(), { class: "plain close" });
    this.dialog.replaceChildren(close, this.stage, make("p", { class: "note" }, t("crop.hint")), make("div", { class: "row" }, this.part, whole));
    this.draw();
    this.dialog.showModal();
    this.stage.focus({ preventScroll: true });
  }

  draw() {
    this.stage.querySelector(".outline")?.remove();
    if (this.box) this.stage.append(outline(this.box));
    this.part.disabled = !this.box;
  }

  at(event) {
    const frame = this.image.getBoundingClientRect();
    return [clamp((event.clientX - frame.left) / frame.width), clamp((event.clientY - frame.top) / frame.height)];
  }

  start(event) {
    if (event.button) return;
    event.preventDefault();
    this.stage.focus({ preventScroll: true });
    this.stage.setPointerCapture(event.pointerId);
    const [x, y] = this.at(event);
    const before = this.box;
    const inside = before && x > before[0] && x < before[2] && y > before[1] && y < before[3];
    const move = (next) => {
      const [u, v] = this.at(next);
      this.box = inside ? shifted(before, u - x, v - y) : [Math.min(x, u), Math.min(y, v), Math.max(x, u), Math.max(y, v)];
      this.draw();
    };
    const end = () => {
      this.stage.removeEventListener("pointermove", move);
      if (this.box && (this.box[2] - this.box[0] < SMALLEST || this.box[3] - this.box[1] < SMALLEST)) this.box = null;
      this.draw();
    };
    this.stage.addEventListener("pointermove", move);
    this.stage.addEventListener("pointerup", end, { once: true });
    this.stage.addEventListener("pointercancel", end, { once: true });
  }

  /** Arrows move the box, with Shift they size it; the first makes one. */
  pressed(event) {
    const [dx, dy] = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key] ?? [0, 0];
    if (event.key === "Enter" && this.box) {
      event.preventDefault();
      this.part.click();
    }
    if (!dx && !dy) return;
    event.preventDefault();
    if (!this.box) this.box = [0.25, 0.25, 0.75, 0.75];
    else if (event.shiftKey) this.box = sized(this.box, dx, dy);
    else this.box = shifted(this.box, dx, dy);
    this.draw();
  }
}

function shifted([left, top, right, bottom], dx, dy) {
  const x = Math.min(Math.max(dx, -left), 1 - right);
  const y = Math.min(Math.max(dy, -top), 1 - bottom);
  return [left + x, top + y, right + x, bottom + y];
}

const sized = ([left, top, right, bottom], dx, dy) => [
  left,
  top,
  clamp(Math.max(left + SMALLEST, right + dx)),
  clamp(Math.max(top + SMALLEST, bottom + dy)),
];
