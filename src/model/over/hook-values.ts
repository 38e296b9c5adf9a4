/** Values by hook name: what a reducer ends in. */
import { HookNotFoundError, nearestNames, printsItself } from "../../core/index.js";
import { getActName, type HookRef } from "../hooks/index.js";

/**
 * One value per hook point; tensors by hook name serve `edit.mean`, `edit.add` and `edit.replace` as they are.
 *
 * Names may be full, short (`"resid_post", 5`) or references (`at.residPost(5)`).
 */
export class HookValues<V> {
  static {
    printsItself(this.prototype);
  }

  readonly #values: ReadonlyMap<string, V>;
  readonly #what: string;

  constructor(values: ReadonlyMap<string, V>, what: string) {
    this.#values = values;
    this.#what = what;
  }

  /**
   * Returns the value at one hook point.
   *
   * @throws HookNotFoundError when it was not captured; the message lists the nearest names that were.
   */
  get(name: string | HookRef, layer?: number, layerType?: string): V {
    const full = typeof name === "string" ? this.#fullName(name, layer, layerType) : refName(name);
    const value = this.#values.get(full);
    if (value !== undefined) return value;
    throw new HookNotFoundError({
      where: `${this.#what}.get`,
      got: `"${full}", which was not captured`,
      expected: `a captured hook point; nearest: ${nearestNames(full, this.keys()).join(", ")}`,
      fix: `Add "${full}" to capture.`,
    });
  }

  /** Tells whether a full name has a value. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Full names, in the model's order. */
  keys(): readonly string[] {
    return [...this.#values.keys()];
  }

  /** Full names with their values, in the model's order. */
  entries(): readonly (readonly [string, V])[] {
    return [...this.#values.entries()];
  }

  /** Number of hook points. */
  get size(): number {
    return this.#values.size;
  }

  /** Returns the names in a line. */
  toString(): string {
    return `${this.#what} of ${this.size} hook points: ${this.keys().join(", ")}`;
  }

  #fullName(name: string, layer: number | undefined, layerType: string | undefined): string {
    return layer === undefined && this.#values.has(name) ? name : getActName(name, layer, layerType);
  }
}

function refName({ point, layers }: HookRef): string {
  return layers === undefined ? point : `blocks.${String(layers)}.${point}`;
}
