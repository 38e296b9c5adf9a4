/** The results of a run until they are asked for. */
import { InputError } from "../../core/index.js";
import type { Engine, RawTensor } from "../../runtime/index.js";

/**
 * Holds the results of one run by output name.
 *
 * What is taken stays as it is. What was never taken can be given back to the engine, which then writes later results
 * into its memory: captured activations are many, and few are looked at.
 */
export class Shelf {
  readonly #untaken: Map<string, RawTensor>;
  readonly #taken = new Map<string, RawTensor>();

  constructor(results: Iterable<readonly [string, RawTensor]>) {
    this.#untaken = new Map(results);
  }

  /** Returns the shape of a result, or `undefined` when there is none of that name. */
  shape(name: string): readonly number[] | undefined {
    return (this.#untaken.get(name) ?? this.#taken.get(name))?.shape;
  }

  /**
   * Returns a result, the same one each time.
   *
   * @throws InputError when it was given back.
   */
  take(name: string): RawTensor {
    const result = this.#untaken.get(name) ?? this.#taken.get(name);
    if (result === undefined) throw released(name);
    this.#untaken.delete(name);
    this.#taken.set(name, result);
    return result;
  }

  /** Gives back everything that was not taken. */
  release(engine: Engine): void {
    engine.recycle(this.#untaken.values());
    this.#untaken.clear();
  }
}

function released(name: string): InputError {
  return new InputError({
    where: `run: ${name.replace(/^capture:/, "")}`,
    got: "a result that run.release() gave back",
    expected: "one that is still there",
    fix: "Read it before releasing the run, or run again.",
  });
}
