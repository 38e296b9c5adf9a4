/** Settings of a notebook session. They are the session's, so they live as long as the process. */
import { InputError } from "../core/index.js";
import type { PlotlyBuild, Theme } from "../viz/index.js";

/** How `show` draws from now on. */
export interface NotebookSettings {
  /**
   * `each`: every output carries the browser code, some 40 kB, and stays alive alone. `once`: only the next output does,
   * and the others need it on the same page. Default `each`.
   */
  readonly runtime?: "each" | "once";
  /**
   * Which outputs with a figure of plotly.js carry it, some 0.6 MB, or 1.4 MB for the rarer traces. `once`: the first,
   * and the others find it on the same page. `each`: all. `never`: none, and simpler pictures stand for them. Default
   * `once`. Setting it lets the next figure carry it again.
   */
  readonly plotly?: "each" | "never" | "once";
  /** The look of all views; `auto` follows the page. Default `auto`. */
  readonly theme?: Theme | "auto";
}

/** What `show` asks: changed by {@link configure} and by the output that carries the browser code. */
interface Session {
  runtime: "each" | "once";
  plotly: "each" | "never" | "once";
  theme: Theme | "auto";
  /** Whether an output has carried the browser code since `runtime` was set to `once`. */
  isCarried: boolean;
  /** The figures that have carried plotly.js since `plotly` was set, by build. */
  carriers: Map<PlotlyBuild, string>;
}

const session: Session = {
  runtime: "each",
  plotly: "once",
  theme: "auto",
  isCarried: false,
  carriers: new Map(),
};

const choices: Readonly<Record<keyof NotebookSettings, readonly string[]>> = {
  runtime: ["each", "once"],
  plotly: ["each", "never", "once"],
  theme: ["auto", "dark", "light"],
};

/**
 * Changes how `show` draws in this notebook session; what is left out stays.
 *
 * @throws InputError for an unknown setting or value.
 */
export function configure(settings: NotebookSettings): void {
  for (const [name, value] of Object.entries(settings)) check(name, value);
  session.runtime = settings.runtime ?? session.runtime;
  session.theme = settings.theme ?? session.theme;
  if (settings.runtime !== undefined) session.isCarried = false;
  session.plotly = settings.plotly ?? session.plotly;
  if (settings.plotly !== undefined) session.carriers = new Map();
}

/** Tells whether the next output must carry the browser code. */
export function needsRuntime(): boolean {
  return session.runtime === "each" || !session.isCarried;
}

/** Tells whether outputs share the browser code that one of them carries. */
export function sharesRuntime(): boolean {
  return session.runtime === "once";
}

/** Takes note that an output has carried the browser code. */
export function noteRuntime(): void {
  session.isCarried = true;
}

/**
 * Tells whether an output must carry a build of plotly.js.
 *
 * The figure that carried it first carries it again, so that running its cell once more does not lose it.
 */
export function needsPlotly(build: PlotlyBuild, figure: string): boolean {
  if (session.plotly !== "once") return session.plotly === "each";
  const carriers = [session.carriers.get("all"), ...(build === "all" ? [] : [session.carriers.get(build)])];
  return carriers.every((carrier) => carrier === undefined) || carriers.includes(figure);
}

/** Takes note that a figure has carried a build of plotly.js. */
export function notePlotly(build: PlotlyBuild, figure: string): void {
  session.carriers.set(build, figure);
}

/** Returns the theme of the session. */
export function sessionTheme(): Theme | "auto" {
  return session.theme;
}

function check(name: string, value: unknown): void {
  const known = Object.entries(choices).find(([key]) => key === name)?.[1];
  if (known?.includes(String(value)) === true) return;
  throw new InputError({
    where: "configure",
    got: `${name}: ${JSON.stringify(value)}`,
    expected:
      known === undefined
        ? `one of ${Object.keys(choices).join(", ")}`
        : known.map((choice) => `"${choice}"`).join(" or "),
    fix: "Leave out what should stay as it is.",
  });
}
