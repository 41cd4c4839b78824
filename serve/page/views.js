// Which view is seen, and what leads to the others.

import { byId } from "./dom.js";

const PARTS = [["results", "grid"], ["map", "map"], ["compare", "compare"]];

export function drawViews({ store, about: { info, releases } }) {
  const { state } = store;
  const views = byId("views");
  for (const [id, view] of PARTS) byId(id).hidden = state.view !== view;
  for (const link of views.children) {
    const { view } = link.dataset;
    link.hidden = view === "map" ? !info?.map : view === "compare" && releases.length < 2;
    link.href = store.href({ view });
    if (state.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  views.hidden = [...views.children].filter((link) => !link.hidden).length < 2;
  document.body.dataset.view = state.view;
  if (document.activeElement !== byId("text")) byId("text").value = state.text;
}
