import { describe, expect, it } from "vitest";
import { type Dim, dataOf, GraphBuilder, type GraphDType, Ops, type Value } from "../../../src/graph/index.js";
import { type AttentionProblem, attentionOracle } from "../../helpers/attention-oracle.js";
import { type Feeds, runGraph } from "../../helpers/run-graph.js";

const [batch, heads, groups, positions, keyWidth, valueWidth] = [2, 4, 2, 3, 5, 7];

interface Setting {
  readonly past: number;
  readonly scale?: number;
  readonly softcap?: number;
  readonly isCausal?: boolean;
  readonly mask?: "bool" | "float";
  readonly flat?: boolean;
}

/** Deterministic numbers that look random. */
function noise(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.sin(index * 1.7 + seed * 0.9) * 2);
}

/** What the mask adds: some keys are hidden, and all of them from query 1. */
function addedOf({ past, mask }: Setting): number[][] {
  const total = past + positions;
  return Array.from({ length: positions }, (_, i) =>
    Array.from({ length: total }, (_unused, j) => {
      const index = i * total + j;
      if (mask === undefined) return 0;
      if (i === 1 || index % 4 === 1) return -Infinity;
      return mask === "float" ? 0.1 * (index % 3) : 0;
    }),
  );
}

function problemOf(setting: Setting): AttentionProblem {
  const { past, scale = 1 / Math.sqrt(keyWidth), softcap, isCausal = false } = setting;
  const total = past + positions;
  return {
    sizes: { batch, heads, groups, positions, past, keyWidth, valueWidth },
    q: noise(batch * heads * positions * keyWidth, 1),
    k: noise(batch * groups * total * keyWidth, 2),
    v: noise(batch * groups * total * valueWidth, 3),
    scale,
    softcap,
    isCausal,
    added: addedOf(setting),
  };
}

/** `[batch, head, pos, width]` data as `[batch, pos, head*width]`. */
function flatten(data: readonly number[], count: number, width: number): number[] {
  return Array.from({ length: data.length }, (_, index) => {
    const [c, head] = [index % width, Math.floor(index / width) % count];
    const row = Math.floor(index / width / count);
    const [pos, b] = [row % positions, Math.floor(row / positions)];
    return data[((b * count + head) * positions + pos) * width + c] ?? Number.NaN;
  });
}

/** Positions `from` to `to` of `[batch, group, total, width]` data. */
function part(data: readonly number[], width: number, from: number, to: number): number[] {
  const total = data.length / (batch * groups * width);
  const rows = Array.from({ length: batch * groups }, (_, g) => g * total);
  return rows.flatMap((row) => data.slice((row + from) * width, (row + to) * width));
}

/** Declares the inputs of a case and remembers what to feed. */
class Case {
  readonly builder = new GraphBuilder();
  readonly ops = new Ops(this.builder);
  readonly feeds: Record<string, Feeds[string]> = {};
  readonly setting: Setting;
  readonly dtype: GraphDType;

  constructor(setting: Setting, dtype: GraphDType) {
    this.setting = setting;
    this.dtype = dtype;
  }

  feed(name: string, shape: readonly Dim[], data: readonly number[], dtype: GraphDType = this.dtype): Value {
    this.feeds[name] = { data: dataOf(dtype, data) };
    return this.builder.input(name, dtype, shape);
  }

  heads(name: string, data: readonly number[], count: number, width: number): Value {
    if (this.setting.flat !== true) return this.feed(name, ["batch", count, "pos", width], data);
    return this.feed(name, ["batch", "pos", count * width], flatten(data, count, width));
  }

  mask(added: readonly (readonly number[])[]): { mask?: Value } {
    const { mask, past } = this.setting;
    const shape = ["pos", past === 0 ? "pos" : "past+pos"];
    const values = added.flat();
    if (mask === undefined) return {};
    if (mask === "float") return { mask: this.feed("mask", shape, values) };
    return {
      mask: this.feed(
        "mask",
        shape,
        values.map((value) => Number(value === 0)),
        "bool",
      ),
    };
  }

  past({ k, v }: AttentionProblem): { pastKey?: Value; pastValue?: Value } {
    const { past } = this.setting;
    if (past === 0) return {};
    return {
      pastKey: this.feed("pk", ["batch", groups, "past", keyWidth], part(k, keyWidth, 0, past)),
      pastValue: this.feed("pv", ["batch", groups, "past", valueWidth], part(v, valueWidth, 0, past)),
    };
  }
}

type Mode = 0 | 1 | 2 | 3;

function buildCase(setting: Setting, dtype: GraphDType, problem: AttentionProblem, mode: Mode) {
  const own = new Case(setting, dtype);
  const { past, flat, scale, softcap, isCausal } = setting;
  const total = past + positions;
  const { output, presentKey, presentValue, qk } = own.ops.attention({
    q: own.heads("q", problem.q, heads, keyWidth),
    k: own.heads("k", part(problem.k, keyWidth, past, total), groups, keyWidth),
    v: own.heads("v", part(problem.v, valueWidth, past, total), groups, valueWidth),
    ...own.mask(problem.added),
    ...own.past(problem),
    ...(scale === undefined ? {} : { scale }),
    ...(softcap === undefined ? {} : { softcap }),
    ...(isCausal === undefined ? {} : { isCausal }),
    ...(flat === true ? { qHeads: heads, kvHeads: groups } : {}),
    qkMatmulOutputMode: mode,
    present: true,
  });
  if (presentKey === undefined || presentValue === undefined || qk === undefined) throw new Error("missing outputs");
  return { graph: own.builder.build({ output, presentKey, presentValue, qk }), feeds: own.feeds };
}

function worst(actual: ArrayLike<number | bigint> | undefined, expected: readonly number[]): number {
  expect(actual?.length).toBe(expected.length);
  const errors = Array.from(actual ?? [], (value, index) => {
    const wanted = expected[index] ?? Number.NaN;
    return Object.is(Number(value), wanted) ? 0 : Math.abs(Number(value) - wanted);
  });
  return Math.max(...errors);
}

async function check(dtype: GraphDType, setting: Setting, mode: Mode, tolerance: number): Promise<void> {
  const problem = problemOf(setting);
  const { graph, feeds } = buildCase(setting, dtype, problem, mode);
  const bindings = { batch, pos: positions, past: setting.past };
  const { output, presentKey, presentValue, qk } = await runGraph(graph, feeds, { bindings });
  const expected = attentionOracle(problem);
  const outputs = setting.flat === true ? flatten(expected.output, heads, valueWidth) : expected.output;
  const stored = (data: readonly number[]): number[] => Array.from(dataOf(dtype, data), Number);
  expect(worst(output?.data, outputs)).toBeLessThanOrEqual(tolerance);
  expect(worst(presentKey?.data, stored(problem.k))).toBe(0);
  expect(worst(presentValue?.data, stored(problem.v))).toBe(0);
  expect(worst(qk?.data, expected.modes[mode] ?? [])).toBeLessThanOrEqual(tolerance * 4);
  expect(qk?.shape).toEqual([batch, heads, positions, setting.past + positions]);
}

const settings: readonly Setting[] = [
  { past: 0 },
  { past: 0, scale: 0.3, isCausal: true },
  { past: 2, isCausal: true },
  { past: 2, isCausal: true, flat: true },
  { past: 0, mask: "float" },
  { past: 2, mask: "float", isCausal: true, softcap: 3 },
  { past: 0, softcap: 2, scale: 1 },
];

describe.each([
  ["float32", 2e-6],
  ["float64", 1e-14],
] as const)("attention in %s", (dtype, tolerance) => {
  it.each(settings.map((setting) => [JSON.stringify(setting), setting] as const))(
    "is its definition for %s",
    async (_, setting) => {
      for (const mode of [0, 3] as const) await check(dtype, setting, mode, tolerance);
    },
  );

  it("gives the pattern under a bool mask, zero where everything is hidden", async () => {
    await check(dtype, { past: 2, mask: "bool", isCausal: true }, 3, tolerance);
  });

  it("soft-caps before it masks", async () => {
    await check(dtype, { past: 0, mask: "float", softcap: 3 }, 1, tolerance);
    await check(dtype, { past: 0, mask: "float", softcap: 3 }, 2, tolerance);
  });
});

describe("attention's checks", () => {
  it("names all operands when heads do not fit", () => {
    const builder = new GraphBuilder();
    const q = builder.input("q", "float32", ["batch", 3, "pos", 4]);
    const k = builder.input("k", "float32", ["batch", 2, "pos", 4]);
    expect(() => new Ops(builder).attention({ q, k, v: k })).toThrow(
      /got q \[batch=batch, head=3, .*q heads a multiple of k heads/,
    );
  });

  it("asks for a scale when the head width is symbolic", () => {
    const builder = new GraphBuilder();
    const q = builder.input("q", "float32", ["batch", 2, "pos", "width"]);
    expect(() => new Ops(builder).attention({ q, k: q, v: q })).toThrow("Pass `scale`.");
  });

  it("refuses the fused op in float64 and past keys without present ones", () => {
    const builder = new GraphBuilder();
    const q = builder.input("q", "float64", [1, 2, 3, 4]);
    expect(() => builder.op("Attention", [q, q, q])).toThrow("got float64 for input 0; expected float32");
    const x = builder.input("x", "float32", [1, 2, 3, 4]);
    expect(() => builder.op("Attention", [x, x, x, undefined, x, x])).toThrow("at least 3 outputs");
  });
});
