/** Whether the page around a view is dark: as the notebook host says, else as the system prefers. */
import type { Theme } from "../theme.js";

/** Returns the page's theme. */
export function pageTheme(): Theme {
  const { jpThemeLight, vscodeThemeKind = "" } = document.body.dataset;
  if (jpThemeLight !== undefined) return jpThemeLight === "false" ? "dark" : "light";
  if (vscodeThemeKind !== "") return /dark|high-contrast$/.test(vscodeThemeKind) ? "dark" : "light";
  return systemIsDark().matches ? "dark" : "light";
}

/** Calls `listener` when the page's theme may have changed. */
export function onPageTheme(listener: () => void): void {
  systemIsDark().addEventListener("change", listener);
  const attributeFilter = ["data-jp-theme-light", "data-vscode-theme-kind"];
  new MutationObserver(listener).observe(document.body, { attributes: true, attributeFilter });
}

function systemIsDark(): MediaQueryList {
  return matchMedia("(prefers-color-scheme: dark)");
}
