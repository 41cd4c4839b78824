// The keys that the page knows, and the list of them.

import { byId, iconButton, make, typing } from "./dom.js";
import { t } from "./words.js";

const KEYS = [
  ["← ↑ → ↓", "help.move"],
  ["Enter", "help.open"],
  ["L", "help.like"],
  ["H", "help.hide"],
  ["I", "help.why"],
  ["C", "help.copies"],
  ["/", "help.search"],
  ["M", "help.map"],
  ["Esc", "help.close"],
  ["?", "help.help"],
];

export function openHelp(info) {
  const dialog = byId("help");
  const rows = KEYS.filter(([key]) => key !== "M" || info?.map).flatMap(([key, word]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, t(word))]);
  const close = iconButton("close", t("close"), () => dialog.close(), { class: "plain close" });
  dialog.replaceChildren(close, make("h2", {}, t("help.title")), make("p", {}, t("help.about")), make("dl", { class: "keys" }, rows));
  if (!dialog.open) dialog.showModal();
}

/** Keys that work wherever the focus is, apart from where one types. */
export function listen({ search, help, map, escape }) {
  byId("help").addEventListener("click", (event) => event.target === event.currentTarget && event.currentTarget.close());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") escape(event);
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    const run = { "/": search, "?": help, m: map }[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  });
}
