/**
 * Where activations come from, whatever they are read from: units (rows of text, pieces of files) that are read as a
 * whole, in an order that a seed fixes.
 */
import type { LongCallOptions } from "../../core/index.js";
import { rowOrder } from "../../train/index.js";

/** A hook point whose values are trained on. */
export interface SourceHook {
  /** Full name. */
  readonly name: string;
  /** Numbers of one token. */
  readonly width: number;
}

/** Part of a unit: its tokens from `from` up to `to`. */
export interface Piece {
  readonly unit: number;
  readonly from: number;
  readonly to: number;
}

/** Activations by hook name, one vector after the other. */
export type Vectors = ReadonlyMap<string, Float32Array>;

/** Activations that can be read again and again. */
export interface ActivationSource {
  readonly hooks: readonly SourceHook[];
  /** Tokens that count in each unit. */
  readonly unitTokens: ArrayLike<number>;
  /** What decides the activations, as plain data: runs are continued only where it is equal. */
  readonly about: Readonly<Record<string, unknown>>;
  /** Whether reading may go on while a step runs: files, not the model, which needs the same processors. */
  readonly readsAhead: boolean;
  /** How BOS and the length of rows were chosen, where the source knows. */
  readonly contextSize?: number;
  readonly prependBos?: boolean;
  /** The model that activations are of, where the source knows. */
  readonly model?: { readonly name: string; readonly identity?: string };
  /** Reads pieces one after another into vectors in that order. */
  read(pieces: readonly Piece[], options: LongCallOptions): Promise<Vectors>;
}

/** Returns the tokens of one pass over a source. */
export function tokensOf({ unitTokens }: Pick<ActivationSource, "unitTokens">): number {
  let sum = 0;
  for (let i = 0; i < unitTokens.length; i++) sum += unitTokens[i] ?? 0;
  return sum;
}

/** Cuts the endless sequence of shuffled passes over a source into blocks. */
export class BlockPlan {
  readonly #counts: ArrayLike<number>;
  readonly #perPass: number;
  readonly #orderOf: (pass: number) => Uint32Array;

  constructor(source: Pick<ActivationSource, "unitTokens">, seed: number) {
    const rows = source.unitTokens.length;
    this.#counts = source.unitTokens;
    this.#perPass = tokensOf(source);
    this.#orderOf = rowOrder({ rows, batch: rows, seed });
  }

  /** Returns the pieces that tokens `start` to `start + count` of the sequence lie in. */
  pieces(start: number, count: number): readonly Piece[] {
    const pieces: Piece[] = [];
    const end = start + count;
    for (let pass = Math.floor(start / this.#perPass); pass * this.#perPass < end; pass++)
      pieces.push(...this.#ofPass(pass, start - pass * this.#perPass, end - pass * this.#perPass));
    return pieces;
  }

  /** Pieces of one pass between two of its places. */
  #ofPass(pass: number, start: number, end: number): readonly Piece[] {
    const pieces: Piece[] = [];
    let place = 0;
    for (const unit of this.#orderOf(pass)) {
      const count = this.#counts[unit] ?? 0;
      const [from, to] = [Math.max(0, start - place), Math.min(count, end - place)];
      if (from < to) pieces.push({ unit, from, to });
      place += count;
      if (place >= end) break;
    }
    return pieces;
  }
}
