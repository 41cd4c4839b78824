// Links to what is seen.

import { make } from "./dom.js";
import { note } from "./notice.js";
import { t } from "./words.js";

/** Copies the link of a store's state, and says that an uploaded picture is not part of it. */
export async function share(store) {
  const link = location.origin + store.href();
  try {
    await navigator.clipboard.writeText(link);
    note(t(store.state.upload ? "share.upload" : "share.done"));
  } catch {
    note(t("share.failed"), make("input", { type: "text", readOnly: true, value: link, onfocus: (event) => event.target.select() }));
  }
}
