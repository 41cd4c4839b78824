// How long it took from what was done to results, and to their pictures, on the screen: as measures of the browser's.

const painted = (then) => requestAnimationFrame(() => setTimeout(then));

/** Measures `nitari:results` and `nitari:pictures` from `start`, for what is in `root` now. */
export function timed(start, root) {
  const mark = (name) => painted(() => performance.measure(name, { start, end: performance.now() }));
  mark("nitari:results");
  Promise.allSettled([...root.querySelectorAll("img")].map((image) => image.decode())).then(() => mark("nitari:pictures"));
}
