/** `show`: one call that draws any result in whatever runs the code. */
import { printsItself } from "../core/index.js";
import { headline, type View } from "../viz/index.js";
import { hostDisplay } from "./display.js";
import { type Showable, toView } from "./to-view.js";

/** What `show` gives back: it prints itself in one line and can be saved. */
export class Shown {
  static {
    printsItself(Shown.prototype);
  }

  /** The view that was shown. */
  readonly view: View;

  constructor(view: View) {
    this.view = view;
  }

  /** Writes the view to `x.html`, `x.svg`, `x.txt` or `x.json` and returns the absolute path. */
  save(path: string): Promise<string> {
    return this.view.save(path);
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

/**
 * Shows `value`, or what it resolves to: as a picture in a notebook, as text elsewhere.
 *
 * Takes a view, a tensor, or any result with `toView()`. In a notebook the same output also carries the text form.
 *
 * @throws InputError when `value` is nothing that can be drawn.
 */
export async function show(value: Showable | PromiseLike<Showable>): Promise<Shown> {
  const view = toView(await value);
  const display = hostDisplay();
  if (display === undefined) process.stdout.write(`${view.toText()}\n`);
  else await display({ "text/html": view.toHtml(), "text/plain": view.toText() });
  return new Shown(view);
}
