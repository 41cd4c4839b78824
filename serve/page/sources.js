// What the ways of being alike are called.

import { t } from "./words.js";

const KINDS = {
  encoder: "learned",
  hog: "shape",
  colour: "colour",
  color: "colour",
  histogram: "colour",
  coherence: "colour",
  dominant: "colour",
  pdq: "copy",
  phash: "copy",
  signature: "copy",
  visual_words: "details",
  pixels: "pixels",
  vgg: "pretrained",
  pretrained: "pretrained",
  efficientnet_lite0: "pretrained",
  text: "words",
};

const friendly = (name) => (Object.hasOwn(KINDS, name) ? t(`source.${KINDS[name]}`) : name);

/** {source: what to call it}; where two would be called alike, their own names are added. */
export function titles(names) {
  const first = names.map(friendly);
  const shared = (title) => first.filter((other) => other === title).length > 1;
  return Object.fromEntries(names.map((name, i) => [name, shared(first[i]) && first[i] !== name ? `${first[i]} (${name})` : first[i]]));
}

export const hint = (name) => (Object.hasOwn(KINDS, name) ? t(`source.${KINDS[name]}.hint`) : "");
