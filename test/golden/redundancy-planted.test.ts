/** Models with a part that is known to be of no use: which measurements find it, and which scores miss it. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadSafetensors, writeSafetensors } from "../../src/io/index.js";
import { type Model } from "../../src/model/index.js";
import { evaluateParts, finerCut, type Part, partName, type Score } from "../../src/redundancy/index.js";
import { orderOf, ranksOf } from "../../src/redundancy/report/ranks.js";
import { partScore, summarizeScore } from "../../src/redundancy/report/sections.js";
import { similarityScores } from "../../src/redundancy/report/similarity-scores.js";
import { Tensor } from "../../src/tensor/index.js";
import { fixture } from "../helpers/fixtures.js";
import { scratchModels } from "../helpers/scratch-models.js";

const { folder, open } = scratchModels("planted");

type Weights = readonly (readonly [string, Tensor])[];

/** The embedded model with other weights and as many layers as they have. */
async function plant(name: string, change: (weights: Weights) => Weights): Promise<Model> {
  const source = fixture("tiny");
  const target = join(folder, name);
  mkdirSync(target);
  cpSync(join(source, "tokenizer.json"), join(target, "tokenizer.json"));
  const weights = change(Object.entries(await loadSafetensors(join(source, "model.safetensors"))));
  await writeSafetensors(join(target, "model.safetensors"), weights);
  const layers = 1 + Math.max(...weights.map(([key]) => layerOf(key) ?? 0));
  const config = JSON.parse(readFileSync(join(source, "config.json"), "utf8")) as Record<string, unknown>;
  const key = ["n_layer", "n_layers", "num_hidden_layers"].find((one) => one in config) ?? "n_layers";
  writeFileSync(join(target, "config.json"), JSON.stringify({ ...config, [key]: layers }));
  return open(target);
}

const layerPattern = /(^|\.)(h|blocks|layers)\.(\d+)\./;

function layerOf(name: string): number | undefined {
  const found = layerPattern.exec(name)?.[3];
  return found === undefined ? undefined : Number(found);
}

function renamed(name: string, layer: number): string {
  return name.replace(layerPattern, (_all, before: string, word: string) => `${before}${word}.${layer}.`);
}

function zeros({ shape }: Tensor): Tensor {
  return Tensor.of(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
}

async function textRows(count: number): Promise<readonly (readonly number[])[]> {
  const { tokens } = await loadSafetensors(fixture("masks", "tiny", "text.safetensors"));
  const data = Array.from((tokens?.data ?? []) as Int32Array, Number);
  return Array.from({ length: count }, (_, i) => data.slice(256 * i, 256 * i + 128));
}

/** The name of the part that a score lets go first. */
function firstOf({ parts, values }: Score): string {
  return partName(parts[orderOf(values)[0] ?? 0] ?? { kind: "block", layer: -1 });
}

function sublayers(layers: number): readonly Part[] {
  return Array.from({ length: layers }, (_, layer) => layer).flatMap((layer): Part[] => [
    { kind: "attention", layer },
    { kind: "mlp", layer },
  ]);
}

function blocks(layers: number): readonly Part[] {
  return Array.from({ length: layers }, (_, layer): Part => ({ kind: "block", layer }));
}

describe("an MLP that adds nothing", () => {
  test("goes first by every score with residual, by magnitude, and greedily; without residual it is missed", async () => {
    const model = await plant("identity", (weights) =>
      weights.map(([name, tensor]) =>
        layerOf(name) === 3 && /mlp\.(c_proj|W_out|b_out|down_proj|dense_4h_to_h)/.test(name)
          ? ([name, zeros(tensor)] as const)
          : ([name, tensor] as const),
      ),
    );
    const rows = await textRows(4);
    const [similarity, bare, magnitude] = await similarityScores(model, rows, sublayers(6));
    if (similarity === undefined || bare === undefined || magnitude === undefined)
      throw new Error("a score is missing");
    expect(firstOf(similarity)).toBe("blocks.3.mlp");
    expect(firstOf(magnitude)).toBe("blocks.3.mlp");
    expect(bare.values[7]).toBeCloseTo(1, 6);
    expect(firstOf(bare)).not.toBe("blocks.3.mlp");
    const cut = await finerCut(model, rows, { most: 1 });
    expect(cut.parts.map(partName)).toEqual(["blocks.3.mlp"]);
    expect(cut.steps[0]?.distance).toBeLessThan(1e-6);
    const { full, sets } = await evaluateParts(model, rows, [[{ kind: "mlp", layer: 3 }]]);
    expect(sets[0]?.loss).toBeCloseTo(full.loss, 6);
  });
});

describe("a layer that adds nothing", () => {
  test("goes first by block influence and by loss, and is the model without it bit for bit", async () => {
    const model = await plant("dead", (weights) =>
      weights.map(([name, tensor]) =>
        layerOf(name) === 2 && /(c_proj|W_O|b_O|W_out|b_out|o_proj|down_proj)/.test(name)
          ? ([name, zeros(tensor)] as const)
          : ([name, tensor] as const),
      ),
    );
    const rows = await textRows(4);
    const [influence] = await similarityScores(model, rows, blocks(6));
    expect(influence === undefined ? "" : firstOf(influence)).toBe("blocks.2");
    const { full, sets } = await evaluateParts(
      model,
      rows,
      blocks(6).map((part) => [part]),
    );
    expect(sets[2]?.loss).toBe(full.loss);
    expect(sets[2]?.kl.value).toBe(0);
    sets.forEach(({ kl }, layer) => {
      if (layer !== 2) expect(kl.value).toBeGreaterThan(0);
    });
  });
});

describe("a layer that was put in twice", () => {
  test("is found by the loss: without either copy the model is the trained one; scores miss it, and say so", async () => {
    // Layers 0 1 2 2 3 4 5 of the trained model.
    const model = await plant("twice", (weights) =>
      weights.flatMap(([name, tensor]) => {
        const layer = layerOf(name);
        if (layer === undefined || layer < 2) return [[name, tensor] as const];
        const later = [renamed(name, layer + 1), tensor] as const;
        return layer === 2 ? [[name, tensor] as const, later] : [later];
      }),
    );
    expect(model.config.nLayers).toBe(7);
    const rows = await textRows(8);
    const all = blocks(7);
    const { sets } = await evaluateParts(
      model,
      rows,
      all.map((part) => [part]),
    );
    const losses = sets.map(({ loss }) => loss);
    const order = orderOf(losses);
    expect(new Set(order.slice(0, 2))).toEqual(new Set([2, 3]));
    expect(losses[2]).toBeCloseTo(losses[3] ?? Number.NaN, 5);
    expect(Number(sets[2]?.relative.value)).toBeLessThan(0);
    // Without a copy it is the trained model.
    const trained = await open("tiny");
    const { full } = await evaluateParts(trained, rows, []);
    expect(losses[2]).toBeCloseTo(full.loss, 4);
    // Block influence sees two layers that turn the stream, and nothing of their being the same: a report says so by name.
    const [influence] = await similarityScores(model, rows, all);
    if (influence === undefined) throw new Error("a score is missing");
    const measured = new Map(all.map((part, i) => [partName(part), partScore(part, sets[i] ?? full)]));
    const summary = summarizeScore(influence, measured);
    const ranks = ranksOf(influence.values);
    expect(Math.max(ranks[2] ?? 0, ranks[3] ?? 0)).toBeGreaterThan(2);
    expect(summary.spearman).toBeLessThan(0.9);
    for (const layer of [2, 3]) {
      const gap = Math.abs((ranks[layer] ?? 0) - (ranksOf(losses)[layer] ?? 0));
      expect(summary.misjudged.some(({ part }) => part === `blocks.${layer}`)).toBe(gap >= 2);
    }
  });
});
