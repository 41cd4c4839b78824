// What the page says, in the reader's language.

import { en } from "./words/en.js";
import { ja } from "./words/ja.js";

export const languages = { en, ja };
const KEPT = "nitari.language";
const listeners = new Set();
let language = preferred();

function preferred() {
  let kept = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    // Storage is closed to this page: the browser's language decides.
  }
  const wanted = [kept, ...(navigator.languages ?? [navigator.language])].filter(Boolean);
  return wanted.map((name) => name.slice(0, 2).toLowerCase()).find((name) => name in languages) ?? "en";
}

export const current = () => language;

/** The text of a word, `{name}` filled in. One with forms is chosen by `n`. */
export function t(word, values = {}) {
  let text = languages[language][word] ?? languages.en[word];
  if (text === undefined) throw new Error(`There is no word '${word}'. Add it to words/en.js and words/ja.js`);
  if (typeof text === "object") text = text[rules().select(values.n)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? number(values[name]) : values[name]));
}

export const has = (word) => word in languages.en;

export function number(value, digits = 0) {
  return kept(`number ${digits}`, () => new Intl.NumberFormat(language, { maximumFractionDigits: digits, minimumFractionDigits: digits })).format(value);
}

const formats = new Map(); // making one takes longer than all it formats

function kept(name, make) {
  const key = `${language} ${name}`;
  if (!formats.has(key)) formats.set(key, make());
  return formats.get(key);
}

const rules = () => kept("plural", () => new Intl.PluralRules(language));

/** Fills in the elements of the document that name their word. */
export function fill(root = document) {
  document.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-word]")) element.textContent = t(element.dataset.word);
  for (const element of root.querySelectorAll("[data-placeholder]")) element.placeholder = t(element.dataset.placeholder);
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t(element.dataset.label));
    if (element.matches("button")) element.title = t(element.dataset.label);
  }
}

export function speak(name) {
  language = name;
  try {
    localStorage.setItem(KEPT, name);
  } catch {
    // It lasts until the page is left.
  }
  fill();
  for (const listener of listeners) listener();
}

export const onLanguage = (listener) => listeners.add(listener);
