/** What a generated case is made of: shapes, choices and numbers, all from a few values that fast-check draws. */
import fc from "fast-check";

/** The choices behind one case. */
export interface Draw {
  /** Sizes 0 to 4. */
  readonly shape: readonly number[];
  /** Small choices; cases take as many as they need. */
  readonly bits: readonly number[];
  readonly seed: number;
  /** Whether sizes other than 1 are symbols in the graph. */
  readonly symbolic: boolean;
}

/** Draws of rank 1 to 4 in which every size may be 0 or 1. */
export const draws: fc.Arbitrary<Draw> = fc.record({
  shape: fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 2, max: 4 }) },
      { weight: 2, arbitrary: fc.constant(1) },
      {
        weight: 1,
        arbitrary: fc.constant(0),
      },
    ),
    { minLength: 1, maxLength: 4 },
  ),
  bits: fc.array(fc.nat(99), { minLength: 12, maxLength: 12 }),
  seed: fc.nat(1_000_000),
  symbolic: fc.boolean(),
});

/** Reads a draw. */
export class Choices {
  readonly draw: Draw;
  #next = 0;

  constructor(draw: Draw) {
    this.draw = draw;
  }

  /** A whole number from 0 to `count - 1`. */
  below(count: number): number {
    return (this.draw.bits[this.#next++ % this.draw.bits.length] ?? 0) % count;
  }

  yes(): boolean {
    return this.below(2) === 1;
  }

  /** One of a list. */
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  get shape(): readonly number[] {
    return this.draw.shape;
  }

  /** The shape without sizes of 0. */
  get full(): readonly number[] {
    return this.draw.shape.map((size) => Math.max(size, 1));
  }

  /** A shape that broadcasts with `shape`: some sizes are 1, some leading axes are missing. */
  smaller(shape: readonly number[]): readonly number[] {
    const cut = this.below(4) === 0 ? this.below(shape.length + 1) : 0;
    return shape.map((size) => (this.below(3) === 0 ? 1 : size)).slice(cut);
  }

  /** An order of `count` things. */
  order(count: number): readonly number[] {
    const left = Array.from({ length: count }, (_, index) => index);
    return Array.from({ length: count }, () => left.splice(this.below(left.length), 1)[0] ?? 0);
  }
}

/** A small generator of its own, so that equal draws give equal numbers. */
function generator(seed: number): () => number {
  let state = (seed * 2654435761 + 1013904223) >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

/**
 * `count` numbers within `[low, high]`, no two of them closer than a `count`-th of that, none at 0: so that no kink is
 * near.
 */
export function apart(count: number, seed: number, [low, high]: readonly [number, number]): number[] {
  const random = generator(seed);
  const slots = Array.from({ length: count }, (_, index) => ({ index, key: random() })).sort((a, b) => a.key - b.key);
  const width = (high - low) / Math.max(count, 1);
  return slots.map(({ index }) => {
    const value = low + (index + 0.37) * width;
    return Math.abs(value) < 0.2 * width ? value + 0.5 * width : value;
  });
}

/** `count` numbers from the normal distribution. */
export function normal(count: number, seed: number): number[] {
  const random = generator(seed + 17);
  return Array.from({ length: count }, () => {
    const radius = Math.sqrt(-2 * Math.log(random() + 1e-12));
    return radius * Math.cos(2 * Math.PI * random());
  });
}
