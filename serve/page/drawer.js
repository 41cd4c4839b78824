// On a narrow screen the controls are a drawer.

import { byId } from "./dom.js";

const narrow = matchMedia("(max-width: 60rem)");

export class Drawer {
  constructor() {
    this.panel = byId("controls");
    this.button = byId("drawer");
    this.button.addEventListener("click", () => this.turn(!this.open));
    byId("drawer-close").addEventListener("click", () => this.turn(false));
    this.panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.open) return;
      event.stopPropagation();
      this.turn(false);
    });
    document.addEventListener("pointerdown", (event) => {
      if (this.open && !this.panel.contains(event.target) && !this.button.contains(event.target)) this.turn(false, false);
    });
    narrow.addEventListener("change", () => this.turn(false, false));
    this.turn(false, false);
  }

  get open() {
    return narrow.matches && this.panel.classList.contains("open");
  }

  turn(open, focus = true) {
    this.panel.classList.toggle("open", open);
    this.panel.inert = narrow.matches && !open;
    document.body.classList.toggle("covered", open && narrow.matches);
    this.button.setAttribute("aria-expanded", String(open));
    if (focus) (open ? byId("drawer-close") : this.button).focus();
  }
}
