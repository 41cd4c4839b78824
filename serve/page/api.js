// The server's answers; what it refuses comes as a Problem.

import { asked, filterOf } from "./state.js";
import { held } from "./upload.js";
import { t } from "./words.js";

const BASE = new URL(".", document.baseURI).href;
const MOST_LIKED = 50; // as the server takes
const MOST_EXCLUDED = 1000;
const MOST_UNLIKED = 24; // those hidden before are only left out

/** A problem document (RFC 9457), or what stood in for one. */
export class Problem extends Error {
  constructor({ title, status = 0, detail = "", position = null }) {
    super(detail || title);
    Object.assign(this, { title, status, detail, position });
  }
}

async function ask(path, { query = {}, signal, ...options } = {}) {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  }
  let response;
  try {
    response = await fetch(url, { signal, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: t("problem.offline"), detail: t("problem.offline.remedy") });
  }
  if (response.ok) return response.json();
  let found = {};
  try {
    found = await response.json();
  } catch {
    // Not a document: the status is all there is.
  }
  const detail = typeof found.detail === "string" ? found.detail : "";
  throw new Problem({ title: t("problem.status", { status: String(response.status) }), ...found, detail, status: response.status });
}

const json = (body) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export const collection = (release, signal) => ask("v1/collection", { query: { release }, signal });
export const releases = (signal) => ask("v1/releases", { signal });
export const facets = (query, signal) => ask("v1/facets", { query, signal });
export const map = (query, signal) => ask("v1/map", { query, signal });
export const item = async (id, release) =>
  (await ask(`v1/items/${encodeURIComponent(id)}`, { query: { release } })).item;

export function thumbnail(id, side, release) {
  const of = release ? `&release=${encodeURIComponent(release)}` : "";
  return `${BASE}v1/items/${encodeURIComponent(id)}/thumbnail?side=${side}${of}`;
}

const seed = ({ id, box }) => (box ? { item_id: id, box } : id);

/** The page of results that a state asks for: `k` of them, after the cursor of the page before. */
export function results(state, { k = 60, after = null, release = state.release, signal } = {}) {
  const where = filterOf(state) || null;
  if (!asked(state)) {
    return ask("v1/items", { query: { where, text: state.text, k, after, release }, signal });
  }
  const body = {
    like: state.like.slice(-MOST_LIKED).map(seed),
    unlike: state.unlike.slice(-MOST_UNLIKED),
    exclude: state.unlike.slice(0, -MOST_UNLIKED).slice(-MOST_EXCLUDED),
    where,
    k,
    weights: state.weights,
    diversity: state.diversity,
    after,
    release,
  };
  // Pictures are encoded for one release: results of two are not mixed for them.
  if (state.interleave && !state.upload && !state.like.some(({ box }) => box)) body.interleave = state.interleave;
  if (!state.upload) return ask("v1/recommend", { ...json(body), signal });
  const picture = held(state.upload.key);
  if (!picture) return Promise.reject(new Problem({ title: t("upload.gone"), detail: t("upload.gone.remedy") }));
  const form = new FormData();
  form.append("picture", picture.file);
  form.append("settings", JSON.stringify(state.upload.box ? { ...body, box: state.upload.box } : body));
  return ask("v1/recommend/upload", { method: "POST", body: form, signal });
}

/** Events on their way, even as the page is being left. */
export function feedback(events) {
  const url = new URL("v1/feedback", document.baseURI).href;
  const sent = json({ events });
  const leaving = document.visibilityState === "hidden";
  if (leaving && navigator.sendBeacon?.(url, new Blob([sent.body], { type: "application/json" }))) return;
  fetch(url, { ...sent, keepalive: true }).catch(() => {});
}
