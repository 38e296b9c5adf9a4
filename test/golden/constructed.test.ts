/**
 * Three transformers whose circuits are known by construction: what they compute, by arithmetic written here anew, and
 * that their claimed circuits are the true ones, by ablating every component and by multiplying weights.
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bigramProbability, bigramVocabulary } from "../../scripts/constructed/bigram-mlp.js";
import { constructions, writeConstruction } from "../../scripts/constructed/make.js";
import type { Circuit } from "../../scripts/constructed/sketch.js";
import { createRandom } from "../../src/core/index.js";
import { tasks } from "../../src/data/index.js";
import { loadSafetensors } from "../../src/io/index.js";
import { at, type Edit, edit, loadModel, type Model } from "../../src/model/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { fixture } from "../helpers/fixtures.js";

const names = ["induction", "selector-copy", "bigram-mlp"] as const;
type Name = (typeof names)[number];

function circuitOf(name: Name): Circuit {
  return JSON.parse(readFileSync(fixture("constructed", name, "circuit.json"), "utf8")) as Circuit;
}

const models = new Map<Name, Model>();
beforeAll(async () => {
  for (const name of names) models.set(name, await loadModel(fixture("constructed", name)));
});
afterAll(async () => {
  await Promise.all([...models.values()].map((model) => model.close()));
});

function model(name: Name): Model {
  const found = models.get(name);
  if (found === undefined) throw new Error(`${name} did not load`);
  return found;
}

/** Rows of logits at every position. */
type Logits = readonly (readonly number[])[];

/** The softmax-weighted sum of one-hot vectors. */
function attend(scores: readonly number[], targets: readonly (number | undefined)[], size: number): number[] {
  const most = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - most));
  const total = weights.reduce((a, b) => a + b, 0);
  const sum = Array.from({ length: size }, () => 0);
  for (const [j, target] of targets.entries())
    if (target !== undefined) sum[target] = (sum[target] ?? 0) + (weights[j] ?? 0) / total;
  return sum;
}

/** Logits of the induction model without the components in `without`. */
function inductionLogits(tokens: readonly number[], without: readonly string[] = []): Logits {
  const has = (name: string): boolean => !without.includes(name);
  const seen = tokens.map((token) => (has("embed") ? token : undefined));
  const prev = tokens.map((_, i) => {
    if (!has("a0.h0")) return Array.from({ length: 24 }, () => 0);
    const scores = tokens.slice(0, i + 1).map((_token, j) => (has("pos_embed") && j === i - 1 ? 100 : 0));
    return attend(scores, seen.slice(0, i + 1), 24);
  });
  return tokens.map((token, i) => {
    const scores = tokens.slice(0, i + 1).map((_, j) => {
      const guard = j === 0 && has("pos_embed") ? -1 : 0;
      return has("embed") ? 100 * ((prev[j]?.[token] ?? 0) + guard) : 0;
    });
    const found = attend(scores, seen.slice(0, i + 1), 24);
    return found.map((share) => (has("a1.h1") ? 20 * share : 0));
  });
}

/** Logits of the selector model. */
function selectorLogits(tokens: readonly number[], without: readonly string[] = []): Logits {
  const has = (name: string): boolean => !without.includes(name);
  return tokens.map((token, i) => {
    const slot = token >= 8 && has("embed") && has("pos_embed") ? token - 8 : undefined;
    const scores = tokens.slice(0, i + 1).map((_, j) => (j === slot ? 100 : 0));
    const features = tokens.slice(0, i + 1).map((one) => (one < 8 && has("embed") ? one : undefined));
    return attend(scores, features, 12).map((share) => (has("a1.h0") ? 20 * share : 0));
  });
}

/** Logits of the bigram model. */
function bigramLogits(tokens: readonly number[], without: readonly string[] = []): Logits {
  const isWhole = !without.includes("embed") && !without.includes("m0");
  return tokens.map((token) =>
    Array.from({ length: 32 }, (_, next) => (isWhole ? Math.fround(Math.log(bigramProbability(token, next))) : 0)),
  );
}

const closedForms: { readonly [N in Name]: typeof inductionLogits } = {
  induction: inductionLogits,
  "selector-copy": selectorLogits,
  "bigram-mlp": bigramLogits,
};

/** Inputs on which every component of the circuit matters. */
const inputs: { readonly [N in Name]: readonly (readonly number[])[] } = {
  induction: [
    [3, 7, 11, 2, 19, 3, 7, 11, 2],
    [0, 1, 2, 0, 1, 2, 0, 1, 2],
    [5, 4, 3, 2, 1, 0, 23, 22, 5],
    [9, 9, 9, 8, 9, 8, 8, 1, 9],
  ],
  "selector-copy": [
    [0, 1, 2, 3, 8],
    [7, 7, 5, 7, 10],
    [4, 3, 2, 6, 11],
    [6, 1, 1, 0, 9],
  ],
  "bigram-mlp": [
    [0, 31, 7, 7],
    [12, 5, 30, 1],
  ],
};

/** Returns the greatest distance of a run's logits from a closed form. */
function distance(logits: Tensor, expected: readonly Logits[]): number {
  const flat = expected.flat(2);
  expect(logits.data.length).toBe(flat.length);
  return Math.max(...flat.map((value, i) => Math.abs(value - Number(logits.data[i]))));
}

/** The edit that removes a component of `circuit.json`. */
function removal(component: string): Edit {
  if (component === "embed") return edit.zero(at.embed());
  if (component === "pos_embed") return edit.zero(at.posEmbed());
  const [, layer, head] = /^[am](\d)(?:\.h(\d))?$/.exec(component) ?? [];
  return head === undefined
    ? edit.zero(at.mlpOut(Number(layer)))
    : edit.zero(at.z(Number(layer)), { head: Number(head) });
}

describe.each(names)("%s", (name) => {
  const { components, edges } = circuitOf(name);
  const forms = (without: readonly string[] = []): readonly Logits[] =>
    inputs[name].map((row) => closedForms[name](row, without));

  it("is what its script writes, byte for byte, and at most 200 kB", async () => {
    const folder = mkdtempSync(join(tmpdir(), "limpid-constructed-"));
    try {
      const construction = constructions().find((one) => one.name === name);
      if (construction === undefined) throw new Error(`no script makes ${name}`);
      await writeConstruction(folder, construction);
      for (const file of ["config.json", "circuit.json", "model.safetensors"])
        expect(readFileSync(fixture("constructed", name, file)).equals(readFileSync(join(folder, file))), file).toBe(
          true,
        );
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(statSync(fixture("constructed", name, "model.safetensors")).size).toBeLessThanOrEqual(200_000);
  });

  it("has a page that names every component", () => {
    const page = readFileSync(fixture("constructed", name, "README.md"), "utf8");
    for (const component of components) expect(page).toContain(`\`${component.name}\``);
  });

  it("computes its closed form at every position", async () => {
    const { logits } = await model(name).run(inputs[name]);
    expect(distance(logits, forms())).toBeLessThan(1e-5);
  });

  it("lists every component that the model has", () => {
    const { nLayers, nHeads, attnOnly, positionalEmbedding } = model(name).config;
    const blocks = Array.from({ length: nLayers }, (_, layer) => [
      ...Array.from({ length: nHeads }, (_head, head) => `a${layer}.h${head}`),
      ...(attnOnly ? [] : [`m${layer}`]),
    ]).flat();
    const all = ["embed", ...(positionalEmbedding === "standard" ? ["pos_embed"] : []), ...blocks];
    expect(components.map((component) => component.name)).toEqual(all);
  });

  it.each(components.filter(({ kind }) => kind === "circuit").map((component) => component.name))(
    "without %s, computes the closed form without it",
    async (component) => {
      const { logits } = await model(name).with(removal(component)).run(inputs[name]);
      expect(distance(logits, forms([component]))).toBeLessThan(1e-5);
      expect(distance(logits, forms()), "and that is another one").toBeGreaterThan(1);
    },
  );

  it.each(components.filter(({ kind }) => kind === "zero").map((component) => component.name))(
    "without %s, keeps every bit of every activation",
    async (component) => {
      const whole = await model(name).run(inputs[name], { capture: "*" });
      const without = await model(name).with(removal(component)).run(inputs[name], { capture: "*" });
      expect(without.logits.data).toEqual(whole.logits.data);
      for (const hook of model(name).hookNames())
        expect(numbers(without.cache.get(hook)), hook).toEqual(numbers(whole.cache.get(hook)));
    },
  );

  it("has the edges that its weights have, and no others", async () => {
    const weights = await loadSafetensors(fixture("constructed", name, "model.safetensors"));
    const found = pathEdges(weightEdges(weights, components));
    expect(found.sort()).toEqual(edges.map(({ from, to, input }) => `${from} → ${to}.${input}`).sort());
  });
});

/** Values with −0 as 0. */
function numbers(tensor: Tensor): number[] {
  return Array.from(tensor.data as Iterable<number | bigint>, (value) => Number(value) + 0);
}

/** A matrix as rows. */
type Matrix = readonly (readonly number[])[];

/** The weights of a checkpoint by name. */
type Weights = Readonly<Record<string, Tensor>>;

/** Returns a matrix, or one head's of a stack of them. */
function matrix(weights: Weights, key: string, head = 0): Matrix {
  const tensor = weights[key];
  if (tensor === undefined) throw new Error(`no weight ${key}`);
  const [rows = 0, columns = 0] = tensor.shape.slice(-2);
  return Array.from({ length: rows }, (_, row) => {
    const from = (head * rows + row) * columns;
    return Array.from(tensor.data.slice(from, from + columns), Number);
  });
}

/** Everything that a component writes into the stream, and all that it reads, as matrices. */
function portsOf(weights: Weights, component: string): { writes: Matrix; reads: Readonly<Record<string, Matrix>> } {
  const weight = (key: string, head?: number): Matrix => matrix(weights, key, head);
  if (component === "embed") return { writes: weight("embed.W_E"), reads: {} };
  if (component === "pos_embed") return { writes: weight("pos_embed.W_pos"), reads: {} };
  if (component === "logits") return { writes: [], reads: { logits: weight("unembed.W_U") } };
  const [, kind, layer, head = ""] = /^([am])(\d)(?:\.h(\d))?$/.exec(component) ?? [];
  const block = `blocks.${layer}.${kind === "a" ? "attn" : "mlp"}`;
  if (kind === "m") return { writes: weight(`${block}.W_out`), reads: { in: weight(`${block}.W_in`) } };
  const reads = Object.fromEntries(
    ["q", "k", "v"].map((x) => [x, weight(`${block}.W_${x.toUpperCase()}`, Number(head))]),
  );
  return { writes: weight(`${block}.W_O`, Number(head)), reads };
}

/** Edges between components whose writing and reading weights have a product other than 0. */
function weightEdges(weights: Weights, components: Circuit["components"]): (readonly [string, string, string])[] {
  const order = [...components.map((component) => component.name), "logits"];
  const layerOf = (component: string): number => Number(/^[am](\d)/.exec(component)?.[1] ?? -1);
  const isLater = (from: string, to: string): boolean =>
    order.indexOf(to) > order.indexOf(from) &&
    !(from.startsWith("a") && to.startsWith("a") && layerOf(from) === layerOf(to));
  return order.flatMap((from) =>
    order
      .filter((to) => isLater(from, to))
      .flatMap((to) => {
        const { writes } = portsOf(weights, from);
        return Object.entries(portsOf(weights, to).reads)
          .filter(([, reads]) => !isZero(writes, reads))
          .map(([input]) => [from, to, input] as const);
      }),
  );
}

function isZero(a: Matrix, b: Matrix): boolean {
  return a.every((row) =>
    (b[0] ?? []).every((_, column) => row.every((value, i) => value * (b[i]?.[column] ?? 0) === 0)),
  );
}

/** Those edges that lie on a path to the logits. */
function pathEdges(edges: readonly (readonly [string, string, string])[]): string[] {
  const reached = new Set(["logits"]);
  for (let grew = true; grew; ) {
    const before = reached.size;
    for (const [from, to] of edges) if (reached.has(to)) reached.add(from);
    grew = reached.size > before;
  }
  return edges.filter(([, to]) => reached.has(to)).map(([from, to, input]) => `${from} → ${to}.${input}`);
}

describe("induction, on repeated sequences of distinct tokens", () => {
  it("predicts every token of the second time with probability 1 up to 1e-7", async () => {
    const random = createRandom(1);
    const blocks = Array.from({ length: 40 }, () =>
      random.shuffle(Array.from({ length: 24 }, (_, id) => id)).slice(0, 12),
    );
    const rows = blocks.map((block) => [...block, ...block]);
    const { logits } = await model("induction").run(rows);
    const probabilities = logits.softmax("dVocabOut");
    for (const [row, tokens] of rows.entries())
      for (let pos = 12; pos < 23; pos++) {
        const right = probabilities.at({ batch: row, pos, dVocabOut: tokens[pos + 1] ?? -1 }) as Tensor;
        expect(1 - right.item()).toBeLessThan(1e-7);
      }
  });

  it("answers every pair of the repeated-sequence task, and the corrupted ones the other way", async () => {
    const pairs = tasks.repeated(model("induction"), { n: 64, length: 12 });
    const clean = await model("induction").run(pairs.clean, { logits: "last" });
    expect(pairs.score(clean.logits)).toMatchObject({ accuracy: 1, preference: 1, logitDiff: 20 });
    const corrupted = await model("induction").run(pairs.corrupted, { logits: "last" });
    expect(pairs.score(corrupted.logits)).toMatchObject({ accuracy: 0, preference: 0, logitDiff: -20 });
  });

  it("attends where the circuit says: one token back, and right after the last time", async () => {
    const block = [3, 7, 11, 2, 19, 0];
    const { cache } = await model("induction").run([[...block, ...block]], { capture: at.pattern("all") });
    for (let pos = 6; pos < 12; pos++) {
      const previous = cache.get("pattern", 0).at({ batch: 0, head: 0, queryPos: pos, keyPos: pos - 1 }) as Tensor;
      const matched = cache.get("pattern", 1).at({ batch: 0, head: 1, queryPos: pos, keyPos: pos - 5 }) as Tensor;
      expect(previous.item()).toBeCloseTo(1, 6);
      expect(matched.item()).toBeCloseTo(1, 6);
    }
  });

  it("loses the match, and nothing of layer 0, when the previous-token head is cut from the induction head's key", async () => {
    const tokens = [[3, 7, 11, 3, 7, 11]];
    const cut = model("induction").with(edit.zero(at.k(1), { head: 1 }));
    const { logits, cache } = await cut.run(tokens, { capture: at.z(0) });
    const whole = await model("induction").run(tokens, { capture: at.z(0) });
    expect(cache.get("z", 0).data).toEqual(whole.cache.get("z", 0).data);
    // Nothing matches, so the head looks at every token alike.
    const last = logits.at({ batch: 0, pos: 5 }) as Tensor;
    for (const token of [3, 7, 11]) expect((last.at({ dVocabOut: token }) as Tensor).item()).toBeCloseTo(20 / 3, 4);
  });
});

describe("selector-copy", () => {
  it("answers all 16,384 inputs, each with probability 1 up to 1e-7", async () => {
    const rows = Array.from({ length: 8 ** 4 * 4 }, (_, n) => [
      ...Array.from({ length: 4 }, (_slot, i) => Math.floor(n / 8 ** i) % 8),
      8 + Math.floor(n / 8 ** 4),
    ]);
    const { logits } = await model("selector-copy").run(rows, { logits: "last" });
    const { data } = logits.softmax("dVocabOut");
    const least = Math.min(...rows.map((row, i) => Number(data[12 * i + (row[(row[4] ?? 8) - 8] ?? 0)])));
    expect(1 - least).toBeLessThan(1e-7);
  });

  it("keeps every bit of its logits without the decoy, whose output nothing reads", async () => {
    const rows = inputs["selector-copy"];
    const whole = await model("selector-copy").run(rows, { capture: [at.attnOut(0), at.z(1)] });
    const without = await model("selector-copy")
      .with(removal("a0.h0"))
      .run(rows, { capture: [at.attnOut(0), at.z(1)] });
    expect(without.logits.data).toEqual(whole.logits.data);
    expect(without.cache.get("z", 1).data).toEqual(whole.cache.get("z", 1).data);
    expect((whole.cache.get("attn_out", 0).abs().max() as Tensor).item()).toBeCloseTo(1, 6);
    expect((without.cache.get("attn_out", 0).abs().max() as Tensor).item()).toBe(0);
  });
});

describe("bigram-mlp", () => {
  it("gives the table's row at every position, bit for bit", async () => {
    const tokens = Array.from({ length: bigramVocabulary }, (_, id) => id);
    const { logits } = await model("bigram-mlp").run([tokens]);
    const table = tokens.flatMap((token) =>
      tokens.map((next) => Math.fround(Math.log(bigramProbability(token, next)))),
    );
    expect(Array.from(logits.data)).toEqual(table);
  });

  it("is a distribution: logits are log-probabilities as they stand", async () => {
    const { logits } = await model("bigram-mlp").run([[4, 17, 9]]);
    for (const value of (logits.exp().sum("dVocabOut") as Tensor).data) expect(Number(value)).toBeCloseTo(1, 5);
  });

  it("has one neuron on for each token, its own", async () => {
    const tokens = [5, 0, 31];
    const { cache } = await model("bigram-mlp").run([tokens], { capture: at.post(0) });
    for (const [pos, token] of tokens.entries()) {
      const { data } = cache.get("post", 0).at({ batch: 0, pos }) as Tensor;
      expect(Array.from(data, Number)).toEqual(Array.from({ length: 32 }, (_, i) => (i === token ? 1 : 0)));
    }
  });
});
