/** Dictionaries of several layers as one object. */
import { InputError, printsItself } from "../core/index.js";
import type { Edit } from "../model/index.js";
import type { Dictionary } from "./dictionary.js";
import type { SpliceOptions } from "./splice.js";

/** One dictionary for each of some layers, such as the transcoders of all MLPs. Immutable. */
export class DictionarySet implements Iterable<Dictionary> {
  static {
    printsItself(this.prototype);
  }

  readonly name: string;
  /** In the order of their layers. */
  readonly dictionaries: readonly Dictionary[];

  /**
   * Puts a set together.
   *
   * @throws InputError when it is empty, when two write to the same hook point, or one writes outside the blocks.
   */
  constructor(name: string, dictionaries: readonly Dictionary[]) {
    const layers = dictionaries.map((one) => layerOf(name, one));
    if (dictionaries.length === 0) throw badSet(name, "no dictionary", "at least one");
    const twice = dictionaries.find((one, i) => dictionaries.findIndex((o) => o.writeHook === one.writeHook) !== i);
    if (twice !== undefined) throw badSet(name, `two that write to ${twice.writeHook}`, "one for each hook point");
    this.name = name;
    this.dictionaries = dictionaries
      .map((one, i) => ({ one, layer: layers[i] ?? 0 }))
      .sort((a, b) => a.layer - b.layer)
      .map(({ one }) => one);
  }

  /** Layers that have a dictionary, rising. */
  get layers(): readonly number[] {
    return this.dictionaries.map((one) => layerOf(this.name, one));
  }

  /**
   * Returns the dictionary of a layer.
   *
   * @throws InputError when the set has none for it.
   */
  layer(layer: number): Dictionary {
    const found = this.dictionaries[this.layers.indexOf(layer)];
    if (found !== undefined) return found;
    throw badSet(this.name, `layer ${layer}`, `one of layers ${this.layers.join(", ")}`);
  }

  /** Returns the edits that put every dictionary of the set into a model: `model.with(...set.splice())`. */
  splice(options: SpliceOptions = {}): readonly Edit[] {
    return this.dictionaries.map((one) => one.splice(options));
  }

  /** Yields the dictionaries in the order of their layers. */
  [Symbol.iterator](): Iterator<Dictionary> {
    return this.dictionaries[Symbol.iterator]();
  }

  /** Returns a line for the set and one for each dictionary. */
  toString(): string {
    const lines = this.dictionaries.map((one) => `  ${one.writeHook}: ${one.nFeatures} features, ${one.kind}`);
    return [`DictionarySet ${this.name}: layers ${this.layers.join(", ")}`, ...lines].join("\n");
  }
}

function layerOf(name: string, { writeHook }: Dictionary): number {
  const layer = /^blocks\.(\d+)\./.exec(writeHook)?.[1];
  if (layer !== undefined) return Number(layer);
  throw badSet(name, `a dictionary that writes to ${writeHook}`, "hook points inside blocks");
}

function badSet(name: string, got: string, expected: string): InputError {
  return new InputError({
    where: `dictionary set ${name}`,
    got,
    expected,
    fix: "Check which dictionaries were put together.",
  });
}
