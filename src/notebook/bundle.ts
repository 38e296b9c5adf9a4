/** A view as one output of this session: with the browser code, plotly.js and the theme that the settings ask for. */
import { createLogger, sha256 } from "../core/index.js";
import { plotlyBuildOf, View } from "../viz/index.js";
import { needsPlotly, needsRuntime, notePlotly, noteRuntime, sessionTheme, sharesRuntime } from "./configure.js";
import type { DisplayBundle } from "./display.js";

/**
 * Returns the forms of a view as this session wants them.
 *
 * @throws MemoryError when the output would exceed 4 MB and `force` is not set.
 */
export function viewBundle(view: View, { force = false }: { readonly force?: boolean } = {}): DisplayBundle {
  const theme = sessionTheme();
  const themed = theme === "auto" ? view : new View({ ...view.spec, theme });
  const plotly = plotlyFor(view);
  const html = themed.toHtml({
    runtime: needsRuntime(),
    allViews: sharesRuntime(),
    plotly: plotly.isNeeded,
    force,
    onWarning: warn,
  });
  noteRuntime();
  plotly.note();
  return { "text/html": html, "text/plain": view.toText() };
}

/** Whether a view must carry plotly.js, and how to take note that it has. */
function plotlyFor(view: View): { readonly isNeeded: boolean; readonly note: () => void } {
  const build = plotlyBuildOf(view.spec);
  if (build === undefined) return { isNeeded: false, note: () => undefined };
  const figure = sha256(JSON.stringify(view.spec));
  const isNeeded = needsPlotly(build, figure);
  return { isNeeded, note: () => isNeeded && notePlotly(build, figure) };
}

function warn(message: string): void {
  createLogger().warnOnce("large-output", message);
}
