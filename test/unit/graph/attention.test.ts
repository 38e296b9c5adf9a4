import { describe, expect, it } from "vitest";
import { dataOf, GraphBuilder, type GraphDType, Ops } from "../../../src/graph/index.js";
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

function maskOf(setting: Setting): boolean[][] {
  const total = setting.past + positions;
  const allowed = Array.from({ length: positions }, (_, i) =>
    Array.from({ length: total }, (_, j) => (setting.mask === undefined ? true : (i * total + j) % 4 !== 1)),
  );
  if (setting.mask !== undefined) allowed[1] = Array<boolean>(total).fill(false);
  return allowed;
}

const added = (index: number): number => 0.1 * (index % 3);

interface Oracle {
  readonly modes: readonly number[][];
  readonly output: number[];
}

/** Attention by its definition, one number at a time. */
function oracle(q: readonly number[], k: readonly number[], v: readonly number[], setting: Setting): Oracle {
  const total = setting.past + positions;
  const scale = setting.scale ?? 1 / Math.sqrt(keyWidth);
  const modes: number[][] = [[], [], [], []];
  const output: number[] = [];
  const allowed = maskOf(setting);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const g = b * groups + Math.floor(h / (heads / groups));
      for (let i = 0; i < positions; i++) {
        const row = Array.from({ length: total }, (_, j) => {
          let dot = 0;
          for (let c = 0; c < keyWidth; c++) {
            dot +=
              (q[((b * heads + h) * positions + i) * keyWidth + c] ?? 0) * (k[(g * total + j) * keyWidth + c] ?? 0);
          }
          const raw = dot * scale;
          const capped = setting.softcap === undefined ? raw : setting.softcap * Math.tanh(raw / setting.softcap);
          const hidden = allowed[i]?.[j] === false || (setting.isCausal === true && j > i + setting.past);
          const masked = hidden ? -Infinity : capped + (setting.mask === "float" ? added(i * total + j) : 0);
          modes[0]?.push(raw);
          modes[1]?.push(capped);
          modes[2]?.push(masked);
          return masked;
        });
        const top = Math.max(...row);
        const weights = row.map((score) => (top === -Infinity ? 0 : Math.exp(score - top)));
        const sum = weights.reduce((a, w) => a + w, 0);
        const pattern = weights.map((weight) => (sum === 0 ? 0 : weight / sum));
        modes[3]?.push(...pattern);
        for (let c = 0; c < valueWidth; c++) {
          output.push(pattern.reduce((z, p, j) => z + p * (v[(g * total + j) * valueWidth + c] ?? 0), 0));
        }
      }
    }
  }
  return { modes, output };
}

/** `[batch, head, pos, width]` data to `[batch, pos, head*width]` and back (`axisA` and `axisB` swapped). */
function swapHeads(data: readonly number[], sizes: readonly [number, number, number, number]): number[] {
  const [b, h, s, d] = sizes;
  return Array.from({ length: data.length }, (_, index) => {
    const [c, head, pos, at] = [
      index % d,
      Math.floor(index / d) % h,
      Math.floor(index / d / h) % s,
      Math.floor(index / d / h / s),
    ];
    return data[((at * h + head) * s + pos) * d + c] ?? b;
  });
}

function worst(actual: ArrayLike<number | bigint> | undefined, expected: readonly number[]): number {
  expect(actual?.length).toBe(expected.length);
  return Math.max(
    ...Array.from(actual ?? [], (value, index) => {
      const wanted = expected[index] ?? Number.NaN;
      return Object.is(Number(value), wanted) ? 0 : Math.abs(Number(value) - wanted);
    }),
  );
}

async function check(dtype: GraphDType, setting: Setting, mode: 0 | 1 | 2 | 3, tolerance: number): Promise<void> {
  const { past, flat = false } = setting;
  const total = past + positions;
  const keyDim = past === 0 ? "pos" : "past+pos";
  const builder = new GraphBuilder();
  const ops = new Ops(builder);
  const feeds: Record<string, Feeds[string]> = {};
  const feed = (name: string, type: GraphDType, shape: readonly (string | number)[], data: readonly number[]) => {
    feeds[name] = { data: dataOf(type, data) };
    return builder.input(name, type, shape);
  };
  const all = {
    q: noise(batch * heads * positions * keyWidth, 1),
    k: noise(batch * groups * total * keyWidth, 2),
    v: noise(batch * groups * total * valueWidth, 3),
  };
  const part = (data: readonly number[], width: number, from: number, to: number): number[] =>
    Array.from({ length: batch * groups }, (_, g) =>
      data.slice((g * total + from) * width, (g * total + to) * width),
    ).flat();
  const now = { k: part(all.k, keyWidth, past, total), v: part(all.v, valueWidth, past, total) };
  const shaped = (data: readonly number[], h: number, width: number): number[] =>
    flat ? swapHeads(data, [batch, h, positions, width]) : [...data];
  const shape = (h: number, width: number): readonly (string | number)[] =>
    flat ? ["batch", "pos", h * width] : ["batch", h, "pos", width];
  const q = feed("q", dtype, shape(heads, keyWidth), shaped(all.q, heads, keyWidth));
  const k = feed("k", dtype, shape(groups, keyWidth), shaped(now.k, groups, keyWidth));
  const v = feed("v", dtype, shape(groups, valueWidth), shaped(now.v, groups, valueWidth));
  const bits = maskOf(setting).flat();
  const mask =
    setting.mask === "bool"
      ? { mask: feed("mask", "bool", ["pos", keyDim], bits.map(Number)) }
      : setting.mask === "float"
        ? {
            mask: feed(
              "mask",
              dtype,
              ["pos", keyDim],
              bits.map((bit, index) => (bit ? added(index) : -Infinity)),
            ),
          }
        : {};
  const pasts =
    past === 0
      ? {}
      : {
          pastKey: feed("pk", dtype, ["batch", groups, "past", keyWidth], part(all.k, keyWidth, 0, past)),
          pastValue: feed("pv", dtype, ["batch", groups, "past", valueWidth], part(all.v, valueWidth, 0, past)),
        };
  const { scale, softcap, isCausal } = setting;
  const result = ops.attention({
    q,
    k,
    v,
    ...mask,
    ...pasts,
    ...(scale === undefined ? {} : { scale }),
    ...(softcap === undefined ? {} : { softcap }),
    ...(isCausal === undefined ? {} : { isCausal }),
    ...(flat ? { qHeads: heads, kvHeads: groups } : {}),
    qkMatmulOutputMode: mode,
    present: true,
  });
  const { output, presentKey, presentValue, qk } = result;
  if (presentKey === undefined || presentValue === undefined || qk === undefined) throw new Error("missing outputs");
  const graph = builder.build({ output, presentKey, presentValue, qk });
  const results = await runGraph(graph, feeds, { bindings: { batch, pos: positions, past } });
  const expected = oracle(all.q, all.k, all.v, setting);
  const outputs = flat ? swapHeads(expected.output, [batch, heads, positions, valueWidth]) : expected.output;
  expect(worst(results["output"]?.data, outputs)).toBeLessThanOrEqual(tolerance);
  expect(
    worst(
      results["presentKey"]?.data,
      all.k.map((x) => (dtype === "float32" ? Math.fround(x) : x)),
    ),
  ).toBe(0);
  expect(
    worst(
      results["presentValue"]?.data,
      all.v.map((x) => (dtype === "float32" ? Math.fround(x) : x)),
    ),
  ).toBe(0);
  expect(worst(results["qk"]?.data, expected.modes[mode] ?? [])).toBeLessThanOrEqual(tolerance * 4);
  expect(results["qk"]?.shape).toEqual([batch, heads, positions, total]);
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
