/** Cross-entropy and its derivative against the formula. */
import { expect, test } from "vitest";
import { gradients } from "../../../src/autodiff/index.js";
import { GraphBuilder, Ops } from "../../../src/graph/index.js";
import { crossEntropy } from "../../../src/train/index.js";
import { runGraph } from "../../helpers/run-graph.js";
import { Generator } from "./golden.js";
import { messageOf } from "./support.js";

const [batch, pos, classes] = [2, 3, 5];

async function run(labels: readonly number[]): Promise<Readonly<Record<string, readonly number[]>>> {
  const builder = new GraphBuilder();
  const ops = new Ops(builder);
  const logits = builder.input("logits", "float32", ["batch", pos, classes]);
  const { loss, perToken, rule } = crossEntropy(ops, logits, builder.input("labels", "int32", ["batch", pos]));
  const [gradient = loss] = gradients(builder, ops.mul(loss, 3), [logits], { custom: [rule] });
  const graph = builder.build({ loss, perToken, gradient });
  const feeds = {
    logits: { data: new Generator(1).tensor([batch, pos, classes], 4).data as Float32Array },
    labels: { data: Int32Array.from(labels) },
  };
  const results = await runGraph(graph, feeds, { bindings: { batch } });
  return Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => [name, Array.from(data as Float32Array)]),
  );
}

function expected(labels: readonly number[]): Readonly<Record<string, readonly number[]>> {
  const logits = Array.from(new Generator(1).tensor([batch, pos, classes], 4).data as Float32Array);
  const count = Math.max(1, labels.filter((label) => label >= 0).length);
  const rows = labels.map((label, i) => {
    const row = logits.slice(i * classes, (i + 1) * classes).map(Math.exp);
    const sum = row.reduce((a, b) => a + b, 0);
    const chances = row.map((value) => value / sum);
    return { label, chances, loss: label < 0 ? 0 : -Math.log(chances[label] ?? 0) };
  });
  return {
    loss: [rows.reduce((sum, row) => sum + row.loss, 0) / count],
    perToken: rows.map((row) => row.loss),
    gradient: rows.flatMap(({ label, chances }) =>
      chances.map((chance, i) => (label < 0 ? 0 : (3 * (chance - (i === label ? 1 : 0))) / count)),
    ),
  };
}

test.each([
  ["every label", [0, 4, 2, 2, 1, 3]],
  ["labels of which some do not count", [0, -1, 2, -100, 1, 3]],
  ["no label at all", [-1, -1, -1, -1, -1, -1]],
])("loss and derivative are the formula's for %s", async (_, labels) => {
  const [got, want] = [await run(labels), expected(labels)];
  for (const name of ["loss", "perToken", "gradient"]) {
    expect(got[name]).toHaveLength(want[name]?.length ?? -1);
    got[name]?.forEach((value, i) => expect(value).toBeCloseTo(want[name]?.[i] ?? Number.NaN, 5));
  }
});

test("labels of another shape are refused", () => {
  const builder = new GraphBuilder();
  const logits = builder.input("logits", "float32", [2, 3, 5]);
  const labels = builder.input("labels", "int32", [3, 2]);
  expect(messageOf(() => crossEntropy(new Ops(builder), logits, labels))).toContain(
    "crossEntropy: labels: got int32[3, 2] for logits float32[2, 3, 5]",
  );
});
