// Starts the page, and connects what lies outside the results: search, views, keys, uploads.

import { byId, settled } from "./dom.js";
import { Drawer } from "./drawer.js";
import { listen as listenKeys, openHelp } from "./help.js";
import { Page } from "./page.js";
import { NOTHING } from "./state.js";
import { listen as listenUploads } from "./upload.js";
import { fill } from "./words.js";

fill();
const page = new Page();
const { store } = page;
const drawer = new Drawer();

const own = (event) => !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0;

byId("brand").addEventListener("click", (event) => {
  if (!own(event)) return;
  event.preventDefault();
  store.push({ ...NOTHING, release: store.state.release });
});

byId("views").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || !own(event)) return;
  event.preventDefault();
  page.why.close();
  if (store.state.view !== link.dataset.view) store.push({ view: link.dataset.view });
});

const text = byId("text");
let composing = false;
const words = (how) => {
  const typed = text.value.trim();
  if (composing || typed === store.state.text) return;
  const change = { text: typed, like: [], upload: null, view: "grid" };
  if (how === "live" && store.state.text) store.replace(change, "slide");
  else store.push(change, "slide");
};
const live = settled(() => words("live"), 250);
text.addEventListener("compositionstart", () => (composing = true));
text.addEventListener("compositionend", () => {
  composing = false;
  live();
});
text.addEventListener("input", live);
byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  words("enter");
});

listenUploads((file) => page.upload(file));
listenKeys({
  search: () => {
    if (!byId("search").hidden) return text.focus();
    if (!drawer.open && byId("controls").inert) drawer.turn(true, false);
    return byId("where").focus();
  },
  help: () => openHelp(page.info),
  map: () => page.info?.map && store.push({ view: store.state.view === "map" ? "grid" : "map" }),
  escape: () => (drawer.open ? drawer.turn(false) : page.why.close()),
});

page.refresh("pop");
