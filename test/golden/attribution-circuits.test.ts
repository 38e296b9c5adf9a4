/** Circuits, composition and eigenvalues of whole models against numpy, and against what was built in. */
import { afterAll, describe, expect, it } from "vitest";
import {
  circuits,
  composition,
  copyingScores,
  eigenvalueScore,
  type FactoredMatrix,
  singularTokens,
} from "../../src/analysis/index.js";
import { loadSafetensors } from "../../src/io/index.js";
import { loadModel, type Model } from "../../src/model/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { fixture } from "../helpers/fixtures.js";

const models = new Map<string, Promise<Model>>();
function open(...path: readonly string[]): Promise<Model> {
  const key = path.join("/");
  const known = models.get(key) ?? loadModel(fixture(...path));
  models.set(key, known);
  return known;
}
afterAll(async () => {
  for (const model of models.values()) await (await model).close();
});

/** `max|a − b| / max(1e-3, max|b|)`, by place alone. */
function deviation(actual: Tensor, expected: Tensor): number {
  const [a, b] = [Array.from(actual.contiguous().data, Number), Array.from(expected.data, Number)];
  expect(a.length).toBe(b.length);
  const scale = b.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
  return a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - (b[i] ?? Number.NaN))), 0) / scale;
}

/** Eigenvalues as numpy wrote them, `[…, eigen, 2]`. */
function pairs(matrix: FactoredMatrix): Tensor {
  const { re, im } = matrix.eigenvalues();
  const [x, y] = [re.contiguous().data, im.contiguous().data];
  const data = new Float64Array(2 * re.size);
  for (let i = 0; i < re.size; i++) data.set([Number(x[i]), Number(y[i])], 2 * i);
  return Tensor.of(data, [2 * re.size], ["flat"]);
}

describe.each(["gpt2", "llama-gqa-bias", "gemma2", "tl-vocab-out"])("%s", (name) => {
  const golden = loadSafetensors(fixture("architectures", name, "circuits.safetensors"));
  const expected = async (key: string): Promise<Tensor> => {
    const found = (await golden)[key];
    if (found === undefined) throw new Error(`no ${key}`);
    return found;
  };

  it("has numpy's norms, singular values and eigenvalues", async () => {
    const model = await open("architectures", name);
    const [ov, qk] = [await circuits.OV(model), await circuits.QK(model)];
    expect(deviation(ov.norm(), await expected("ov_norm"))).toBeLessThan(1e-6);
    expect(deviation(qk.norm(), await expected("qk_norm"))).toBeLessThan(1e-6);
    expect(deviation(ov.S, await expected("ov_values"))).toBeLessThan(1e-6);
    expect(deviation((await circuits.fullOV(model)).S, await expected("full_ov_values"))).toBeLessThan(1e-6);
    expect(deviation((await circuits.fullQK(model)).S, await expected("full_qk_values"))).toBeLessThan(1e-6);
    expect(deviation(pairs(ov), await expected("ov_eigen"))).toBeLessThan(1e-5);
  });

  it("has the same circuit when one layer or head is named", async () => {
    const model = await open("architectures", name);
    const all = await circuits.OV(model);
    expect((await circuits.OV(model, 1)).AB.maxAbsDiff(all.at({ layer: 1 }).AB)).toBe(0);
    expect((await circuits.OV(model, 1, 2)).AB.maxAbsDiff(all.at({ layer: 1, head: 2 }).AB)).toBe(0);
    const full = await circuits.fullQK(model, 0, 1);
    expect(full.AB.maxAbsDiff((await circuits.fullQK(model)).at({ layer: 0, head: 1 }).AB)).toBeLessThan(1e-6);
  });

  it.each(["Q", "K", "V"] as const)("has numpy's %s-composition scores", async (kind) => {
    const model = await open("architectures", name);
    const { scores } = await composition(model, { kind });
    expect(deviation(scores, await expected(`composition_${kind.toLowerCase()}`))).toBeLessThan(1e-6);
  });

  if (name !== "tl-vocab-out")
    it("has numpy's eigenvalues of the full circuit, and its copying scores", async () => {
      const model = await open("architectures", name);
      expect(deviation(pairs(await circuits.fullOV(model)), await expected("full_ov_eigen"))).toBeLessThan(1e-5);
      expect(deviation(await copyingScores(model), await expected("copying"))).toBeLessThan(1e-5);
      const other = eigenvalueScore((await circuits.fullOV(model)).eigenvalues());
      expect(deviation(other, await expected("copying"))).toBeLessThan(1e-5);
    });
});

describe("models whose circuits are known by construction", () => {
  it("the induction head reads the previous-token head through its keys, and through nothing else", async () => {
    const model = await open("constructed", "induction");
    const k = await composition(model, { kind: "K" });
    expect(k.top(1)).toEqual([
      { from: "L0H0", to: "L1H1", score: expect.closeTo(k.top(1)[0]?.score ?? 0, 9) as number },
    ]);
    expect(k.top(1)[0]?.score).toBeGreaterThan(0.05);
    expect(
      k
        .top(10)
        .slice(1)
        .every(({ score }) => score === 0),
    ).toBe(true);
    for (const kind of ["Q", "V"] as const)
      expect((await composition(model, { kind })).top().every(({ score }) => score === 0)).toBe(true);
  });

  it("a head that copies has only positive eigenvalues; heads of zeros have the score 0", async () => {
    const model = await open("constructed", "induction");
    const scores = (await copyingScores(model)).toArray() as number[][];
    // L1H1 writes 20 times the token that it looks at; L0H0 writes into a subspace that no logit reads.
    expect(scores[1]?.[1]).toBeCloseTo(1, 9);
    expect(scores[0]?.[1]).toBe(0);
    expect(scores[1]?.[0]).toBe(0);
  });

  it("singular vectors of the copying head read and write the same token", async () => {
    const model = await open("constructed", "induction");
    const { vectors } = await singularTokens(model, await circuits.OV(model, 1, 1), { vectors: 3, tokens: 1 });
    expect(vectors).toHaveLength(3);
    for (const { left, right, value } of vectors) {
      expect(value).toBeGreaterThan(0);
      expect(left[0]?.id).toBe(right[0]?.id);
    }
  });
});

describe("composition", () => {
  it("subtracts the mean of random matrices on request, from pairs that can compose alone", async () => {
    const model = await open("architectures", "gpt2");
    const [plain, less] = [
      await composition(model, { kind: "K" }),
      await composition(model, { kind: "K", baseline: "random", samples: 4, seed: 7 }),
    ];
    expect(plain.baseline).toBe(0);
    expect(less.baseline).toBeGreaterThan(0.1);
    expect(less.baseline).toBeLessThan(0.6);
    const [a, b] = [plain.scores, less.scores];
    expect(
      b
        .at({ fromLayer: 0, toLayer: 1 })
        .add(less.baseline)
        .maxAbsDiff(a.at({ fromLayer: 0, toLayer: 1 })),
    ).toBeLessThan(1e-12);
    expect(b.at({ fromLayer: 1, toLayer: 0 }).abs().max().item()).toBe(0);
    const again = await composition(model, { kind: "K", baseline: "random", samples: 4, seed: 7 });
    expect(again.baseline).toBe(less.baseline);
    expect(String(less)).toMatch(
      /^K-composition of ".*", 6 heads, less 0\.\d{4} of random matrices\n {2}L0H\d → L1H\d/,
    );
  });

  it("draws earlier heads against later ones", async () => {
    const model = await open("architectures", "gpt2");
    const result = await composition(model, { kind: "V" });
    const { spec } = result.toView();
    expect(spec.view).toBe("heatmap");
    if (spec.view !== "heatmap") return;
    expect(spec.y.labels).toEqual(["L0H0", "L0H1", "L0H2"]);
    expect(spec.x.labels).toEqual(["L1H0", "L1H1", "L1H2"]);
    expect(result.labels).toHaveLength(6);
  });
});

describe("refusals", () => {
  it("name the layer, the head and the shape", async () => {
    const model = await open("architectures", "gpt2");
    await expect(circuits.OV(model, 9)).rejects.toThrow(
      "circuits: layer: got 9; expected a whole number from 0 to 1. Leave it out for every layer.",
    );
    await expect(circuits.QK(model, 0, -1)).rejects.toThrow(
      /circuits: head: got -1; expected a whole number from 0 to 2/,
    );
    await expect(singularTokens(model, await circuits.OV(model))).rejects.toThrow(
      /singularTokens: got FactoredMatrix \[layer=2, head=3, left=15, right=15\].*expected one matrix of 15 rows and columns, between two places of the stream\. Name a layer and a head: circuits\.OV\(model, 1, 0\)\./,
    );
    const wide = await open("architectures", "tl-vocab-out");
    await expect(copyingScores(wide)).rejects.toThrow(/29.*11|11.*29/);
  });
});

it("a readout prints and draws itself as a table", async () => {
  const model = await open("architectures", "gpt2");
  const readout = await singularTokens(model, await circuits.OV(model, 0, 0), {
    vectors: 2,
    tokens: 3,
    right: "embedding",
  });
  expect(readout.toString().split("\n")).toHaveLength(3);
  const { spec } = readout.toView();
  expect(spec.view).toBe("table");
  const [first] = readout.vectors;
  // The two ends of a direction are each other's, with the sign turned.
  expect(first?.left[0]?.score).toBeGreaterThan(0);
  expect(first?.leftNegative[0]?.score).toBeLessThan(0);
});
