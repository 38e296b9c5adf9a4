/** Pointer and keys on a drawing: arrows move, Enter and clicks press, Esc frees. */
import { pointer, select } from "d3-selection";
import type { MoveKey, Targets } from "./targets.js";

/** What pointer and keys act on. */
export interface Pointed {
  readonly plot: HTMLElement;
  readonly svg: SVGSVGElement;
  /** The targets of the drawing as it is now. */
  targets(): Targets | undefined;
  chosen(): number | undefined;
  isLocked(): boolean;
  choose(target: number | undefined): void;
  press(): void;
  free(): void;
  /** Returns whether another key meant something. */
  key(name: string): boolean;
}

const moveKeys: readonly string[] = ["ArrowDown", "ArrowLeft", "ArrowRight", "ArrowUp", "End", "Home"];

/** Listens to pointer and keys. */
export function listen(on: Pointed): void {
  const targetOf = (event: Event): number | undefined => {
    const [x, y] = pointer(event, on.svg);
    return on.targets()?.at(x, y);
  };
  select(on.plot)
    .on("pointermove", (event: Event) => {
      if (!on.isLocked()) on.choose(targetOf(event));
    })
    .on("pointerleave blur", () => {
      if (!on.isLocked()) on.choose(undefined);
    })
    .on("click", (event: Event) => click(on, targetOf(event)))
    .on("keydown", (event: KeyboardEvent) => {
      if (key(on, event)) event.preventDefault();
    });
}

/** A click presses a target; on another one it moves the lock there, beside all of them it frees. */
function click(on: Pointed, target: number | undefined): void {
  if (target === undefined) return on.free();
  if (on.isLocked() && target !== on.chosen()) on.free();
  on.choose(target);
  on.press();
}

/** Tells whether the key meant something. */
function key(on: Pointed, { key: name, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  const targets = on.targets();
  if (targets === undefined || ctrlKey || metaKey || altKey) return false;
  if (moveKeys.includes(name)) {
    const from = on.chosen();
    on.choose(from === undefined ? 0 : targets.move(from, name as MoveKey));
  } else if (name === "Enter" || name === " ") on.press();
  else if (name === "Escape") on.free();
  else return on.key(name);
  return true;
}
