/** For each feature, the n examples with the greatest keys, each with the tokens around it. */

/** One firing of a feature. */
export interface Firing {
  readonly feature: number;
  readonly value: number;
  readonly row: number;
  readonly position: number;
  /** Slot in the batch's flattened grid. */
  readonly slot: number;
}

/** Columns of a {@link Kept}, as tensors hold them. */
export interface KeptColumns {
  readonly keys: Float64Array;
  readonly values: Float32Array;
  readonly rows: Int32Array;
  readonly positions: Int32Array;
  /** `[…, width]`. */
  readonly tokens: Int32Array;
  readonly acts: Float32Array;
}

/** Names of the columns. */
export const columnNames: readonly (keyof KeptColumns)[] = ["keys", "values", "rows", "positions", "tokens", "acts"];

/** A bounded store: a new example takes the place of the one with the least key. */
export class Kept {
  readonly perFeature: number;
  /** Slots of a window: the example in the middle. */
  readonly width: number;
  readonly columns: KeptColumns;
  /** Slot of the least key of each feature. */
  readonly #least: Int32Array;

  constructor(nFeatures: number, perFeature: number, context: number) {
    const slots = nFeatures * perFeature;
    this.perFeature = perFeature;
    this.width = 2 * context + 1;
    this.columns = {
      keys: new Float64Array(slots).fill(Number.NEGATIVE_INFINITY),
      values: new Float32Array(slots),
      rows: new Int32Array(slots).fill(-1),
      positions: new Int32Array(slots).fill(-1),
      tokens: new Int32Array(slots * this.width).fill(-1),
      acts: new Float32Array(slots * this.width),
    };
    this.#least = Int32Array.from({ length: nFeatures }, (_, feature) => feature * perFeature);
  }

  /** Bytes of one feature's examples. */
  static bytes(perFeature: number, context: number): number {
    return perFeature * (20 + 8 * (2 * context + 1));
  }

  /** Puts back columns that were saved. */
  restore(saved: Readonly<Record<keyof KeptColumns, ArrayLike<number>>>): void {
    for (const name of columnNames) this.columns[name].set(saved[name]);
    this.#least.forEach((_, feature) => this.#findLeast(feature));
  }

  /** Tells whether a key would be kept. */
  wants(feature: number, key: number): boolean {
    return this.perFeature > 0 && key > (this.columns.keys[this.#least[feature] as number] as number);
  }

  /** Keeps an example; `window` fills the tokens around it and their activations. */
  put(key: number, firing: Firing, window: (tokens: Int32Array, acts: Float32Array) => void): void {
    const at = this.#least[firing.feature] as number;
    const { keys, values, rows, positions, tokens, acts } = this.columns;
    keys[at] = key;
    values[at] = firing.value;
    rows[at] = firing.row;
    positions[at] = firing.position;
    const own = [at * this.width, (at + 1) * this.width] as const;
    window(tokens.subarray(...own).fill(-1), acts.subarray(...own).fill(0));
    this.#findLeast(firing.feature);
  }

  /** Returns the filled slots of a feature, the greatest value first; equal values in the order of the data. */
  sorted(feature: number): readonly number[] {
    const { keys, values, rows, positions } = this.columns;
    const own = Array.from({ length: this.perFeature }, (_, i) => feature * this.perFeature + i);
    const at = (list: ArrayLike<number>, i: number): number => list[i] as number;
    return own
      .filter((slot) => at(keys, slot) > Number.NEGATIVE_INFINITY)
      .sort(
        (a, b) => at(values, b) - at(values, a) || at(rows, a) - at(rows, b) || at(positions, a) - at(positions, b),
      );
  }

  #findLeast(feature: number): void {
    const { keys } = this.columns;
    let least = feature * this.perFeature;
    for (let slot = least; slot < (feature + 1) * this.perFeature; slot++)
      if ((keys[slot] as number) < (keys[least] as number)) least = slot;
    this.#least[feature] = least;
  }
}
