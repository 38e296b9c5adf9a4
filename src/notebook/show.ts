/** `show`: one call that draws any result in whatever runs the code. */
import { randomUUID } from "node:crypto";
import { interruptible, type LongCallOptions, type OnProgress, printsItself, stderrProgress } from "../core/index.js";
import { displaySymbol, headline, type SaveOptions, type View } from "../viz/index.js";
import { viewBundle } from "./bundle.js";
import { hostDisplay } from "./display.js";
import { type Showable, toView } from "./to-view.js";
import { startWaiting } from "./waiting.js";

/** What `show` gives back: it prints itself in one line and can be saved. */
export class Shown {
  static {
    printsItself(Shown.prototype);
    // Kernels that draw the last expression must not draw again what was shown.
    Object.defineProperty(Shown.prototype, displaySymbol, {
      value(this: Shown) {
        return { "text/plain": this.toString() };
      },
    });
  }

  /** The view that was shown. */
  readonly view: View;

  constructor(view: View) {
    this.view = view;
  }

  /** Writes the view to `x.html`, `x.svg`, `x.png`, `x.txt` or `x.json` and returns the absolute path. */
  save(path: string, options: SaveOptions = {}): Promise<string> {
    return this.view.save(path, options);
  }

  /** Returns the view, so that what was shown can be shown again or put on a sheet. */
  toView(): View {
    return this.view;
  }

  /** Returns the one line that a notebook prints under the picture. */
  toString(): string {
    return headline(this.view.spec);
  }
}

/** What `show` takes: a value, a promise of one, or a function that is told where to report progress. */
export type ShowInput =
  | Showable
  | PromiseLike<Showable>
  | ((onProgress: OnProgress) => Showable | PromiseLike<Showable>);

/** Options of {@link show}. */
export interface ShowOptions {
  /** Shows outputs above 4 MB, too. */
  readonly force?: boolean;
}

/**
 * Shows `value`, or what it resolves to: as a picture in a notebook, as text elsewhere.
 *
 * Takes a view, a tensor, any result with `toView()`, a promise of one, or a function that returns one. While it is
 * awaited, the cell says how long it has taken; a function also gets an `onProgress` to pass on, which draws a bar, and
 * the result so far where it can be drawn: `await show((onProgress) => trainer.train({ onProgress, … }))` is a curve that
 * grows. In a notebook the same output also carries the text form.
 *
 * @throws InputError when `value` is nothing that can be drawn; MemoryError when its output would exceed 4 MB.
 */
export async function show(value: ShowInput, options: ShowOptions = {}): Promise<Shown> {
  const display = hostDisplay();
  if (display === undefined) {
    const result = await (typeof value === "function" ? value(terminalProgress()) : value);
    const view = toView(result);
    process.stdout.write(`${view.toText()}\n`);
    return new Shown(view);
  }
  const waiting = startWaiting(display, randomUUID(), interruptible<LongCallOptions>({}).signal);
  try {
    const view = toView(await (typeof value === "function" ? value(waiting.onProgress) : value));
    await waiting.finish(viewBundle(view, options));
    return new Shown(view);
  } catch (error) {
    await waiting.fail();
    throw error;
  }
}

function terminalProgress(): OnProgress {
  return process.stderr.isTTY ? stderrProgress() : () => undefined;
}
