/** Every derivative rule against finite differences, over generated shapes: one session for many cases. */
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { Engine } from "../../src/runtime/index.js";
import { CheckBatch } from "../unit/autodiff/batch.js";
import { type Draw, draws } from "../unit/autodiff/draw.js";
import { caseOf, composed, type MakeCase, ruleCases } from "../unit/autodiff/rule-cases.js";

const engine = Engine.create({ threads: 1 });
afterAll(() => engine.close());

const makers: readonly (readonly [string, MakeCase])[] = [
  ...Object.entries(ruleCases).flatMap(([op, make]) => (make === undefined ? [] : [[op, make] as const])),
  ...Object.entries(composed),
];

async function check(name: string, make: MakeCase, list: readonly Draw[]): Promise<void> {
  const batch = new CheckBatch();
  for (const draw of list) batch.add(caseOf(name, make, draw), draw);
  const outcomes = await batch.run(engine);
  expect(outcomes.filter(({ error }) => !(error <= 1)).map(({ text }) => text)).toEqual([]);
}

describe("derivative rules agree with finite differences, in reverse and forward mode, once and twice", () => {
  it.each(makers)("%s", async (name, make) => {
    await fc.assert(
      fc.asyncProperty(fc.array(draws, { minLength: 1, maxLength: 8, size: "max" }), (list) => check(name, make, list)),
      { numRuns: 2 },
    );
  });
});
