/** What the model laws share: fixtures opened once per file, comparison bit for bit, rows of random token ids. */
import fc from "fast-check";
import { afterAll, expect } from "vitest";
import { loadModel, type Model, type ModelConfig } from "../../src/model/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { fixture } from "../helpers/fixtures.js";

/** Bound for what section 7 of the design does not promise bit for bit. */
export const kernelTolerance = 2e-5;

/** Opens architecture fixtures, each once, and closes them when the file is done. */
export function fixtureModels(): (name: string) => Promise<Model> {
  const opened = new Map<string, Promise<Model>>();
  afterAll(async () => {
    for (const model of opened.values()) await (await model).close();
  });
  return (name) => {
    const model = opened.get(name) ?? loadModel(fixture("architectures", name));
    opened.set(name, model);
    return model;
  };
}

/** Asserts equal shapes and equal bits, and names the tensor. */
export function expectSame(actual: Tensor, expected: Tensor, name: string): void {
  expect(actual.shape, name).toEqual(expected.shape);
  expect(differences(actual, expected), `${name}: elements that differ`).toBe(0);
}

/** How many elements differ; NaN equals NaN. */
export function differences(a: Tensor, b: Tensor): number {
  const [left, right] = [numbers(a), numbers(b)];
  return (
    left.filter((value, i) => !Object.is(value, right[i]) && value !== right[i]).length +
    Math.abs(left.length - right.length)
  );
}

/** Elements as numbers, in order. */
export function numbers(tensor: Tensor): number[] {
  return Array.from(tensor.contiguous().data as Iterable<number | bigint>, Number);
}

/** A tensor of float32 numbers. */
export function floats(data: readonly number[], shape: readonly number[], axes: readonly string[]): Tensor {
  return Tensor.of(Float32Array.from(data), shape, axes);
}

/** Rows of token ids of one length. */
export function equalRows(config: ModelConfig, rows: number, length: number): fc.Arbitrary<number[][]> {
  const id = fc.nat(config.dVocab - 1);
  return fc.array(fc.array(id, { minLength: length, maxLength: length }), { minLength: rows, maxLength: rows });
}

/** Rows of token ids of unequal lengths, of which one has `longest` tokens. */
export function unequalRows(config: ModelConfig, longest: number): fc.Arbitrary<number[][]> {
  const row = (minLength: number, maxLength: number): fc.Arbitrary<number[]> =>
    fc.array(fc.nat(config.dVocab - 1), { minLength, maxLength });
  return fc.tuple(row(longest, longest), row(2, longest - 1), row(1, 2)).map((rows) => rows.map((ids) => [...ids]));
}

/** The part of a batch's activation that belongs to the given slots of one row. */
export function atSlots(value: Tensor, row: number, slots: readonly number[]): Tensor {
  const positions = value.axes.filter((axis) => axis === "pos" || axis === "queryPos" || axis === "keyPos");
  const selection = Object.fromEntries(positions.map((axis) => [axis, slots]));
  return value.at({ batch: row, ...selection }) as Tensor;
}
