// Under the controls: which release is served, the theme, the language, the help.

import { releaseTitle } from "./compare.js";
import { icon, make } from "./dom.js";
import { toggle } from "./theme.js";
import { current, languages, speak, t } from "./words.js";

export function drawFoot(root, { state, releases, store, help }) {
  const button = (symbol, text, label, onclick, id) => make("button", { type: "button", class: "plain text", id, title: label, onclick }, icon(symbol), text ? make("span", {}, text) : null);
  const other = Object.keys(languages).find((name) => name !== current());
  const turn = button("language", t("language.turn"), t("language.turn"), () => speak(other), "language");
  turn.lang = other;
  const theme = button("moon", "", t("theme.turn"), toggle, "theme");
  const about = button("help", "", t("help.open.label"), help, "about");
  for (const [element, word] of [[theme, "theme.turn"], [about, "help.open.label"]]) element.setAttribute("aria-label", t(word));
  const parts = [];
  if (releases.length > 1) {
    const choice = make("select", { id: "release", onchange: (event) => store.push({ release: event.target.value || null }) });
    for (const release of releases) {
      const value = release.current ? "" : release.id;
      choice.append(make("option", { value, selected: release.id === (state.release ?? releases.find((one) => one.current)?.id) }, releaseTitle(release)));
    }
    parts.push(make("label", { htmlFor: "release" }, t("release.label")), choice);
  }
  root.replaceChildren(...parts, make("div", { class: "row" }, turn, theme, about));
}
