/** Which rows of a data set a batch holds: every row once in each epoch, in an order that the seed fixes. */
import { createRandom, InputError } from "../core/index.js";

/** Options of {@link rowOrder}. */
export interface RowOrderOptions {
  /** Rows of the data set. */
  readonly rows: number;
  /** Rows of one batch. A batch may hold the end of an epoch and the start of the next. */
  readonly batch: number;
  readonly seed: number;
}

/**
 * Returns a function from the number of a batch to the rows in it.
 *
 * Each epoch is shuffled afresh. Any batch can be asked for, in any order; in sequence it costs one shuffle an epoch.
 *
 * @throws InputError when a number is not a whole one of 1 or more.
 */
export function rowOrder({ rows, batch, seed }: RowOrderOptions): (index: number) => Uint32Array {
  for (const [name, value] of Object.entries({ rows, batch })) if (!isCount(value)) throw badCount(name, value);
  const orders = new Map<number, Uint32Array>();
  const orderOf = (epoch: number): Uint32Array => {
    const known = orders.get(epoch);
    if (known !== undefined) return known;
    for (const old of orders.keys()) if (Math.abs(old - epoch) > 1) orders.delete(old);
    const order = shuffledRows(rows, seed, epoch);
    orders.set(epoch, order);
    return order;
  };
  return (index) =>
    Uint32Array.from({ length: batch }, (_, i) => {
      const place = index * batch + i;
      return orderOf(Math.floor(place / rows))[place % rows] ?? 0;
    });
}

/** Neighbouring epochs get unrelated streams: the epoch picks one of the seed's own draws. */
function shuffledRows(rows: number, seed: number, epoch: number): Uint32Array {
  const own = createRandom(seed).int(0, 2 ** 32) * 2 ** 20 + epoch;
  const random = createRandom(own);
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  for (let last = rows - 1; last > 0; last--) {
    const other = random.int(0, last + 1);
    const [a, b] = [order[last] ?? 0, order[other] ?? 0];
    order[last] = b;
    order[other] = a;
  }
  return order;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

function badCount(name: string, value: number): InputError {
  return new InputError({
    where: `rowOrder: ${name}`,
    got: String(value),
    expected: "a whole number, 1 or more",
    fix: "Check the size of the data and of the batch.",
  });
}
