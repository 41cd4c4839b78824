// Pictures of the person who searches: dropped, pasted, chosen or taken. They stay in memory.

import { byId, unique } from "./dom.js";

const files = new Map();

/** Keeps a file for searching with; returns the key to find it again by. */
export function hold(file) {
  const key = unique();
  files.set(key, { file, url: URL.createObjectURL(file) });
  return key;
}

export const held = (key) => files.get(key);

const pictureIn = (list) => [...(list ?? [])].find((file) => file.type.startsWith("image/") || file.type === "");

/** Listens to every way in which a picture may come. `come(file)` gets each; null: it was something else. */
export function listen(come) {
  const drop = byId("drop");
  let depth = 0;
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const over = (on) => {
    depth = on ? depth + 1 : Math.max(0, depth - 1);
    drop.hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => carries(event) && over(true));
  addEventListener("dragleave", (event) => carries(event) && over(false));
  addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    depth = 0;
    drop.hidden = true;
    if (!carries(event)) return;
    event.preventDefault();
    come(pictureIn(event.dataTransfer.files) ?? null);
  });
  addEventListener("paste", (event) => {
    const picture = pictureIn(event.clipboardData?.files);
    if (!picture) return;
    event.preventDefault();
    come(picture);
  });
  for (const [button, input] of [["choose", "file"], ["take", "camera"]]) {
    byId(button).addEventListener("click", () => byId(input).click());
    byId(input).addEventListener("change", (event) => {
      if (event.target.files[0]) come(event.target.files[0]);
      event.target.value = "";
    });
  }
}
