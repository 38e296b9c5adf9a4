/** Batches of shuffled activations: which tokens, in which order, in how much memory. */
import { describe, expect, test } from "vitest";
import { ActivationBatches } from "../../../src/dictionary/training/batches.js";
import { type ActivationSource, BlockPlan, type Piece } from "../../../src/dictionary/training/source.js";
import { numbersOf, refusal } from "./support.js";

/** A source whose only number of token t of unit u is `1000 u + t`. */
function counted(unitTokens: readonly number[], readsAhead = false): ActivationSource & { readonly reads: Piece[][] } {
  const reads: Piece[][] = [];
  return {
    reads,
    hooks: [{ name: "x", width: 1 }],
    unitTokens,
    about: {},
    readsAhead,
    read: (pieces) => {
      reads.push([...pieces]);
      const all = pieces.flatMap(({ unit, from, to }) =>
        Array.from({ length: to - from }, (_, i) => 1000 * unit + from + i),
      );
      return Promise.resolve(new Map([["x", Float32Array.from(all)]]));
    },
  };
}

const units = [3, 0, 5, 2, 4, 1, 5];
const everyToken = units.flatMap((count, unit) => Array.from({ length: count }, (_, i) => 1000 * unit + i));

async function read(batches: ActivationBatches, index: number): Promise<readonly number[]> {
  return numbersOfRaw((await batches.at(index))["x"]);
}

function numbersOfRaw(raw: unknown): readonly number[] {
  const { data } = raw as { readonly data: Float32Array };
  return Array.from(data);
}

describe("the plan of blocks", () => {
  test("goes through every token once before any a second time, in another order", () => {
    const plan = new BlockPlan({ unitTokens: units }, 5);
    const tokens = (from: number, to: number): number[] =>
      plan.pieces(from, to - from).flatMap(({ unit, from: a, to: b }) => everyIn(unit, a, b));
    const everyIn = (unit: number, a: number, b: number): number[] =>
      Array.from({ length: b - a }, (_, i) => 1000 * unit + a + i);
    const first = tokens(0, 20);
    const second = tokens(20, 40);
    expect([...first].sort((a, b) => a - b)).toEqual(everyToken);
    expect([...second].sort((a, b) => a - b)).toEqual(everyToken);
    expect(second).not.toEqual(first);
    expect([0, 7, 14, 21, 28].flatMap((from) => tokens(from, from + 7))).toEqual(tokens(0, 35));
  });

  test("a block longer than a pass holds tokens twice", () => {
    const plan = new BlockPlan({ unitTokens: [2, 1] }, 0);
    const count = plan.pieces(1, 7).reduce((sum, { from, to }) => sum + to - from, 0);
    expect(count).toBe(7);
  });
});

describe("batches", () => {
  const options = { batch: 4, bufferTokens: 10, seed: 1 };

  test("hold each token of a block once, in an order that is not the data's", async () => {
    const source = counted(units);
    const batches = new ActivationBatches(source, options);
    expect(batches.blockTokens).toBe(8);
    const block = [...(await read(batches, 0)), ...(await read(batches, 1))];
    const raw = numbersOf0(await batches.block(0));
    expect([...block].sort((a, b) => a - b)).toEqual([...raw].sort((a, b) => a - b));
    expect(block).not.toEqual(raw);
    expect(source.reads).toHaveLength(1);
  });

  test("are the same whatever was asked for before", async () => {
    const inOrder = new ActivationBatches(counted(units), options);
    const expected: (readonly number[])[] = [];
    for (let i = 0; i < 9; i++) expected.push(await read(inOrder, i));
    for (const index of [7, 3, 8, 0]) {
      expect(await read(new ActivationBatches(counted(units), options), index)).toEqual(expected[index]);
      expect(await read(inOrder, index)).toEqual(expected[index]);
    }
    expect(await read(new ActivationBatches(counted(units), { ...options, seed: 2 }), 0)).not.toEqual(expected[0]);
  });

  test("read the next block ahead where the source allows it", async () => {
    const source = counted(units, true);
    const batches = new ActivationBatches(source, options);
    await read(batches, 0);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(source.reads).toHaveLength(2);
    await read(batches, 2);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(source.reads).toHaveLength(3);
  });

  test("are scaled for each hook point", async () => {
    const batches = new ActivationBatches(counted(units), options);
    const plain = await read(batches, 0);
    batches.scaleBy(new Map([["x", 0.5]]));
    expect(await read(batches, 0)).toEqual(plain.map((value) => value / 2));
  });

  test("the buffer is what memory and data allow", () => {
    const wide = { ...counted([1000]), hooks: [{ name: "x", width: 25 }] };
    const of = (more: object): number => new ActivationBatches(wide, { batch: 8, seed: 0, ...more }).blockTokens;
    expect(of({})).toBe(1000);
    expect(of({ memoryLimit: 100 * 101 })).toBe(96);
    expect(of({ memoryLimit: 1 })).toBe(8);
  });

  test("a buffer or a batch larger than the data is refused with what fits", async () => {
    const make = (more: object) => () => new ActivationBatches(counted(units), { ...options, ...more });
    expect(await refusal(make({ bufferTokens: 21 }))).toContain(
      "trainDictionary: bufferTokens: got 21 tokens, of data with 20 that count; expected at most 20.",
    );
    expect(await refusal(make({ batch: 30 }))).toContain("trainDictionary: batch: got 30 tokens");
    expect(await refusal(make({ bufferTokens: 3 }))).toContain("at least one batch of 4");
  });
});

function numbersOf0(vectors: ReadonlyMap<string, Float32Array>): readonly number[] {
  return Array.from(vectors.get("x") ?? []);
}

test("tensors are read token by token", async () => {
  const { tensorSource } = await import("../../../src/dictionary/training/tensor-source.js");
  const { Tensor } = await import("../../../src/tensor/index.js");
  const a = Tensor.of(new Float32Array([1, 2, 3, 4, 5, 6]), [3, 2]);
  const b = Tensor.of(new Float64Array([7, 8, 9]), [3, 1]);
  const source = tensorSource({ a, b });
  const read = await source.read(
    [
      { unit: 2, from: 0, to: 1 },
      { unit: 0, from: 0, to: 1 },
    ],
    {},
  );
  expect(Array.from(read.get("a") ?? [])).toEqual([5, 6, 1, 2]);
  expect(Array.from(read.get("b") ?? [])).toEqual([9, 7]);
  expect(numbersOf(a)).toEqual([1, 2, 3, 4, 5, 6]);
  const nan = Tensor.of(new Float32Array([1, 2, 3, Number.NaN]), [2, 2]);
  expect(await refusal(() => tensorSource({ nan }))).toContain("activations of nan, vector 1: got NaN in dimension 1");
  expect(await refusal(() => tensorSource({ a, c: Tensor.of(new Float32Array(4), [2, 2]) }))).toContain(
    "tensors of 3, 2 vectors",
  );
  expect(await refusal(() => tensorSource({}))).toContain("got no tensor");
  expect(await refusal(() => tensorSource({ flat: Tensor.of(new Float32Array(4), [4]) }))).toContain("[token, width]");
});
