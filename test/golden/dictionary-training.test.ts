/** One step of every architecture against PyTorch in float64: loss, metrics, next buffers, every gradient. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { gradients } from "../../src/autodiff/index.js";
import {
  type ArchitectureConfig,
  architectureOf,
  type TrainingShape,
} from "../../src/dictionary/architectures/index.js";
import { GraphBuilder, Ops, type Value } from "../../src/graph/index.js";
import { loadSafetensors } from "../../src/io/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { deviation } from "../helpers/close.js";
import { fixture } from "../helpers/fixtures.js";
import { type Feeds, runGraph } from "../helpers/run-graph.js";

interface Case {
  readonly name: string;
  readonly config: ArchitectureConfig;
  readonly shape: TrainingShape;
  readonly scalars: Readonly<Record<string, number>>;
}

const folder = fixture("dictionaries", "architectures");
const cases = JSON.parse(readFileSync(`${folder}/cases.json`, "utf8")) as readonly Case[];
const goldens = await loadSafetensors(`${folder}/goldens.safetensors`);

/** Tensors of a case whose name begins with `part.`, without that. */
function parts(name: string, part: string): ReadonlyMap<string, Tensor> {
  const prefix = `${name}/${part}.`;
  return new Map(
    Object.entries(goldens).flatMap(([key, tensor]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), tensor] as const] : [],
    ),
  );
}

function golden(key: string): Tensor {
  const tensor = goldens[key];
  if (tensor === undefined) throw new Error(`no golden ${key}`);
  return tensor;
}

/** Runs one step's loss and gradients in the runtime; results by `loss`, `metric.…`, `next.…`, `gradient.…`. */
async function runCase({ name, config, shape, scalars }: Case): Promise<ReadonlyMap<string, Tensor>> {
  const builder = new GraphBuilder();
  const ops = new Ops(builder);
  const feeds: Record<string, Feeds[string]> = {};
  const declared = new Map<string, Value>();
  const input = (key: string, tensor: Tensor): Value => {
    const known = declared.get(key);
    if (known !== undefined) return known;
    feeds[key] = { data: tensor.data as Float32Array };
    const value = builder.input(key, "float32", tensor.shape);
    declared.set(key, value);
    return value;
  };
  const parameters = parts(name, "parameter");
  const x = input("x", golden(`${name}/x`));
  const target = shape.isTranscoder ? input("t", golden(`${name}/t`)) : x;
  const parameter = (key: string): Value => input(key, parameters.get(key) ?? golden(`${name}/parameter.${key}`));
  const built = architectureOf(config).build({
    ops,
    shape,
    input: x,
    target,
    parameter,
    buffer: (key) => input(`buffer.${key}`, golden(`${name}/buffer.${key}`)),
    scalar: (key) => input(`scalar.${key}`, Tensor.of(new Float32Array([scalars[key] ?? Number.NaN]), [])),
  });
  const names = [...parameters.keys()];
  const grads = gradients(builder, built.loss, names.map(parameter), { custom: built.custom });
  const prefixed = (prefix: string, record: Readonly<Record<string, Value>>) =>
    Object.entries(record).map(([key, value]) => [`${prefix}.${key}`, value] as const);
  const outputs = Object.fromEntries([
    ["loss", built.loss] as const,
    ...prefixed("metric", built.metrics),
    ...prefixed("next", built.buffers),
    ...names.map((key, i) => [`gradient.${key}`, grads[i] ?? built.loss] as const),
  ]);
  const graph = builder.build(outputs);
  const used = new Set(graph.inputs.map((one) => one.name));
  const results = await runGraph(graph, Object.fromEntries(Object.entries(feeds).filter(([key]) => used.has(key))));
  return new Map(
    Object.entries(results).map(([key, { data, shape: sizes }]) => [key, Tensor.of(data as Float32Array, sizes)]),
  );
}

/** `max|a − b| / max|b|`, also where all of b is small; 1e-4 stands in for less. */
function relative(actual: Tensor, expected: Tensor): number {
  const largest = Math.max(...Array.from(expected.data as ArrayLike<number>, Math.abs));
  return (deviation(actual, expected) * Math.max(1, largest)) / Math.max(1e-4, largest);
}

describe("one step of a dictionary against PyTorch", () => {
  test.each(cases.map((one) => [one.name, one] as const))("%s", async (name, one) => {
    const results = await runCase(one);
    const expected = Object.keys(goldens).filter((key) => key.startsWith(`${name}/`));
    for (const key of expected) {
      const own = key.slice(name.length + 1);
      if (!/^(loss$|metric\.|next\.|gradient\.)/.test(own)) continue;
      const got = results.get(own);
      expect(got, `${name}: ${own} is missing`).toBeDefined();
      if (got === undefined) continue;
      const want = golden(key);
      const flat = Tensor.of(Float32Array.from(got.data as Float32Array), want.shape);
      expect(relative(flat, want), `${name}: ${own}`).toBeLessThanOrEqual(1e-5);
    }
    const metrics = [...results.keys()].filter((key) => key.startsWith("metric."));
    for (const key of metrics) expect(expected, `${name}: ${key} is not in the golden`).toContain(`${name}/${key}`);
  });

  test("the goldens exercise what they name: dead features, both decoders, both sides of the quadratic", () => {
    const number = (key: string): number => Number(golden(key).data[0]);
    expect(number("topk-many-dead/metric.dead")).toBe(9);
    expect(number("topk-dead/metric.aux")).toBeGreaterThan(0);
    expect(number("topk/metric.aux")).toBe(0);
    expect(number("jumprelu/metric.l0")).toBeLessThan(8);
    expect(number("jumprelu-far/metric.l0")).toBeGreaterThan(4);
    for (const name of ["jumprelu", "jumprelu-far", "jumprelu-step", "jumprelu-tanh"])
      expect(
        Math.max(...Array.from(golden(`${name}/gradient.threshold`).data as ArrayLike<number>, Math.abs)),
      ).toBeGreaterThan(0);
  });
});
