/** Lenses of every architecture against plain loops, and their last row against PyTorch's logits. */
import { afterAll, describe, expect, it } from "vitest";
import { type LensPrompt, type LensSite, type LogitLensResult, lens } from "../../src/analysis/index.js";
import { loadSafetensors } from "../../src/io/index.js";
import { at, edit, loadModel, type Model } from "../../src/model/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { architectureNames, fixture } from "../helpers/fixtures.js";
import { divergence, logProbs, readoutOracle } from "../helpers/readout-oracle.js";

const models = new Map<string, Promise<Model>>();
function open(name: string): Promise<Model> {
  const known = models.get(name) ?? loadModel(fixture("architectures", name));
  models.set(name, known);
  return known;
}
afterAll(async () => {
  for (const model of models.values()) await (await model).close();
});

const prompt = [3, 1, 4, 1, 5, 9];
const topK = 4;

function row(tensor: Tensor, index: Readonly<Record<string, number>>): number[] {
  return Array.from(tensor.at(index).contiguous().data, Number);
}

function value(tensor: Tensor, layer: number, pos: number): number {
  return tensor.at({ layer, pos }).item();
}

/** What each row should be: log-probabilities by row and position. */
async function expectedRows(model: Model, hooks: readonly string[]): Promise<number[][][]> {
  const read = await readoutOracle(model);
  const { cache } = await model.run([prompt], { capture: [...new Set(hooks)] });
  return hooks.map((hook) => prompt.map((_, pos) => logProbs(read(row(cache.get(hook), { batch: 0, pos })))));
}

function hookOf(label: string, layers: number): string {
  if (label === "embed") return "blocks.0.hook_resid_pre";
  if (label === "final") return `blocks.${layers - 1}.hook_resid_post`;
  const [layer = "", ...site] = label.split("_");
  const name = site.join("_");
  return `blocks.${layer}.hook_${name.endsWith("out") ? name : `resid_${name}`}`;
}

function best(logs: readonly number[], count: number): number[] {
  return logs
    .map((x, i) => [x, i] as const)
    .sort((a, b) => b[0] - a[0] || a[1] - b[1])
    .slice(0, count)
    .map(([, i]) => i);
}

interface Place {
  readonly layer: number;
  readonly pos: number;
  readonly tolerance: number;
}

/** One place of a result against log-probabilities of the row and of the final layer. */
function checkPlace(found: LensPrompt, logQ: number[], logP: number[], { layer, pos, tolerance }: Place): void {
  const near = (tensor: Tensor, expected: number): void => {
    const actual = value(tensor, layer, pos);
    expect(Math.abs(actual - expected)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(expected)));
  };
  near(found.kl, divergence(logP, logQ));
  near(found.reverseKl, divergence(logQ, logP));
  near(found.entropy, -logQ.reduce((sum, x) => sum + Math.exp(x) * x, 0));
  const target = best(logP, 1)[0] ?? -1;
  near(found.targetProbability, Math.exp(logQ[target] ?? 0));
  near(found.rank, logQ.filter((x) => x > (logQ[target] ?? 0)).length);
  const [mine, theirs] = [best(logQ, topK), best(logP, topK)];
  near(found.overlap, mine.filter((id) => theirs.includes(id)).length / topK);
  expect(found.top[layer]?.[pos]?.map(({ id }) => id)).toEqual(mine);
  for (const { id, probability } of found.top[layer]?.[pos] ?? [])
    expect(Math.abs(probability - Math.exp(logQ[id] ?? 0))).toBeLessThanOrEqual(tolerance);
}

async function checkLens(model: Model, result: LogitLensResult, tolerance: number): Promise<void> {
  const { nLayers } = model.config;
  const hooks = [...result.labels.map((label) => hookOf(label, nLayers)), hookOf("final", nLayers)];
  const expected = await expectedRows(model, hooks);
  const final = expected.at(-1) ?? [];
  for (const layer of result.labels.keys())
    for (const pos of prompt.keys())
      checkPlace(result.prompt(0), expected[layer]?.[pos] ?? [], final[pos] ?? [], { layer, pos, tolerance });
}

function sitesOf(model: Model): readonly LensSite[] {
  const sites: readonly LensSite[] = ["resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post"];
  return sites.filter((site) => model.hookNames().includes(`blocks.0.hook_${site}`));
}

describe.each([...architectureNames])("%s", (name) => {
  it("agrees with plain loops in float64, at every site", async () => {
    const model = (await open(name)).withPrecision("float64");
    await checkLens(model, await lens.logitLens(model, prompt, { topK, sites: sitesOf(model) }), 1e-6);
  });

  it("ends in the model's own prediction, bit for bit as a run gives it and close to PyTorch's", async () => {
    const model = await open(name);
    const golden = await loadSafetensors(fixture("architectures", name, "golden.safetensors"));
    const [tokens, logits] = [golden["none/tokens"], golden["none/logits"]];
    if (tokens === undefined || logits === undefined) throw new Error("no golden logits");
    const [batch = 0, pos = 0] = tokens.shape;
    const rows = Array.from({ length: batch }, (_, i) =>
      Array.from(tokens.data.slice(i * pos, (i + 1) * pos) as Iterable<number>, Number),
    );
    const result = await lens.logitLens(model, rows, { topK: model.config.dVocabOut });
    const last = result.labels.length - 1;
    const run = await model.run(rows);
    const size = model.config.dVocabOut;
    for (let i = 0; i < batch; i++)
      for (let p = 0; p < pos; p++) {
        const own = logProbs(row(run.logits, { batch: i, pos: p }));
        const torch = logProbs(
          Array.from(logits.data.slice((i * pos + p) * size, (i * pos + p + 1) * size) as Iterable<number>, Number),
        );
        for (const { id, probability } of result.prompt(i).top[last]?.[p] ?? []) {
          expect(Math.abs(Math.log(probability) - (own[id] ?? 0))).toBeLessThanOrEqual(1e-5);
          expect(Math.abs(Math.log(probability) - (torch[id] ?? 0))).toBeLessThanOrEqual(1e-4);
        }
        expect(value(result.prompt(i).kl, last, p)).toBeLessThanOrEqual(1e-6);
        expect(value(result.prompt(i).rank, last, p)).toBe(0);
        expect(value(result.prompt(i).overlap, last, p)).toBe(1);
      }
  });
});

describe("views", () => {
  it.each(["gpt2", "pythia", "tl-lnpre"])(
    "%s: folded and centred, the lens agrees with plain loops over those weights",
    async (name) => {
      const view = (await open(name))
        .withPrecision("float64")
        .processed({ foldLn: true, centerWritingWeights: true, centerUnembed: true, foldValueBiases: true });
      await checkLens(view, await lens.logitLens(view, prompt, { topK }), 1e-6);
    },
  );

  it("edited, the lens reads the edited stream", async () => {
    const model = (await open("gpt2"))
      .withPrecision("float64")
      .with(edit.zero(at.z(0), { head: 1 }), edit.scale(at.mlpOut(1), 3));
    const result = await lens.logitLens(model, prompt, { topK });
    await checkLens(model, result, 1e-6);
    expect(result.provenance.edits).toEqual(["zero", "scale"]);
  });
});
