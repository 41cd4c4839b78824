// Light or dark: what the system prefers, unless somebody chose.

const KEPT = "nitari.theme";

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export function toggle() {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(KEPT, theme);
  } catch {
    // It lasts until the page is left.
  }
}

const chosen = kept();
if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
