/** Head detectors: brute force over captured patterns, heads that are known by construction, and wrong use. */
import { expect, test } from "vitest";
import { heads } from "../../../src/analysis/index.js";
import { createRandom } from "../../../src/core/index.js";
import { loadModel, type Model } from "../../../src/model/index.js";

async function using<T>(name: string, work: (model: Model) => Promise<T>): Promise<T> {
  const model = await loadModel(name);
  try {
    return await work(model);
  } finally {
    await model.close();
  }
}

/** Random ids that come twice. */
function repeatedRows(count: number, size: number, vocabulary: number): number[][] {
  return Array.from({ length: count }, (_, row) => {
    const random = createRandom(row);
    const block = Array.from({ length: size }, () => random.int(0, vocabulary));
    return [...block, ...block];
  });
}

/** The mean over queries of the attention on keys that pass, straight from the captured pattern. */
async function bruteForce(
  model: Model,
  rows: readonly (readonly number[])[],
  passes: (tokens: readonly number[], query: number, key: number) => boolean,
): Promise<{ mass: number; excess: number }[]> {
  const { cache } = await model.run(rows, { capture: "pattern", logits: "none" });
  const { nLayers, nHeads } = model.config;
  const found: { mass: number; excess: number }[] = [];
  for (let layer = 0; layer < nLayers; layer++) {
    const pattern = cache.get("pattern", layer).toArray() as unknown as number[][][][];
    for (let head = 0; head < nHeads; head++) {
      let [mass, excess, queries] = [0, 0, 0];
      rows.forEach((tokens, row) => {
        for (let query = 0; query < tokens.length; query++) {
          const keys = Array.from({ length: query + 1 }, (_, key) => key).filter((key) => passes(tokens, query, key));
          if (keys.length === 0) continue;
          const sum = keys.reduce((total, key) => total + (pattern[row]?.[head]?.[query]?.[key] ?? 0), 0);
          mass += sum;
          excess += sum - keys.length / (query + 1);
          queries += 1;
        }
      });
      found.push({ mass: mass / queries, excess: excess / queries });
    }
  }
  return found;
}

const rules: Readonly<Record<string, (tokens: readonly number[], query: number, key: number) => boolean>> = {
  previousToken: (_, query, key) => key === query - 1,
  duplicateToken: (tokens, query, key) => key < query && tokens[key] === tokens[query],
  induction: (tokens, query, key) => key < query && key > 0 && tokens[key - 1] === tokens[query],
  firstToken: (_, query, key) => query > 0 && key === 0,
  currentToken: (_, query, key) => query > 0 && key === query,
};

test("every pattern's scores are the sums over the captured attention", async () => {
  await using("tiny", async (model) => {
    const rows = repeatedRows(3, 9, 500);
    const scores = await heads.detect(model, rows);
    for (const [name, passes] of Object.entries(rules)) {
      const want = await bruteForce(model, rows, passes);
      const { mass, excess } = scores.get(name);
      want.forEach((one, i) => {
        expect(Number(mass.data[i])).toBeCloseTo(one.mass, 6);
        expect(Number(excess.data[i])).toBeCloseTo(one.excess, 6);
      });
    }
  });
});

test("2-gram heads need two equal tokens", async () => {
  await using("tiny", async (model) => {
    const rows = [[5, 6, 7, 9, 6, 5, 6, 8]];
    const scores = await heads.detect(model, rows, { patterns: { bigram: heads.ngram(2) } });
    const want = await bruteForce(
      model,
      rows,
      (t, q, k) => k < q && k > 1 && t[k - 1] === t[q] && t[k - 2] === t[q - 1],
    );
    expect(scores.get("bigram").queries).toBe(1);
    want.forEach((one, i) => expect(Number(scores.get("bigram").mass.data[i])).toBeCloseTo(one.mass, 6));
  });
});

test("entropy and distance agree with their definitions", async () => {
  await using("tiny", async (model) => {
    const rows = repeatedRows(2, 6, 300);
    const { entropy, distance } = await heads.detect(model, rows);
    const { cache } = await model.run(rows, { capture: "pattern", logits: "none" });
    const pattern = cache.get("pattern", 1).toArray() as unknown as number[][][][];
    let [h, d, n] = [0, 0, 0];
    for (const row of pattern)
      (row[2] ?? []).slice(1).forEach((keys, i) => {
        keys.forEach((p, key) => {
          h -= p > 0 ? p * Math.log(p) : 0;
          d += p * (i + 1 - key);
        });
        n += 1;
      });
    const at = model.config.nHeads + 2;
    expect(Number(entropy.data[at])).toBeCloseTo(h / n, 5);
    expect(Number(distance.data[at])).toBeCloseTo(d / n, 5);
  });
});

test("the constructed induction model's heads are found where they were built", async () => {
  await using("constructed/induction", async (model) => {
    const rows = repeatedRows(4, 6, 8).map((row) => row.slice(0, model.config.nCtx));
    const scores = await heads.detect(model, rows);
    expect(scores.top("previousToken", 1)[0]?.layer).toBe(0);
    expect(scores.top("previousToken", 1)[0]?.score).toBeGreaterThan(0.95);
    expect(scores.top("induction", 1)[0]?.layer).toBe(1);
  });
});

test("results print their strongest heads and draw themselves", async () => {
  await using("tiny", async (model) => {
    const scores = await heads.detect(model, repeatedRows(2, 8, 400));
    expect(String(scores)).toMatch(/induction \(\d+ queries\): L\dH\d/);
    expect(scores.toView().toSvg()).toContain("previousToken");
    expect(scores.toTable().toText()).toContain("entropy");
    expect(scores.top("firstToken", 2)).toHaveLength(2);
    expect(() => scores.get("inductoin")).toThrow(/got "inductoin"/);
  });
});

test("wrong use is refused with the reason", async () => {
  await using("tiny", async (model) => {
    const unequal = [
      [1, 2, 1, 2],
      [1, 2, 3, 1, 2],
    ];
    await expect(heads.detect(model, unequal)).rejects.toThrow(/prompts of 4, 5 tokens/);
    const mixed = await heads.detect(model, unequal, { allowUnequal: true });
    expect(mixed.get("previousToken").queries).toBe(7);
    await expect(heads.detect(model, [[1, 2, 3]], { patterns: ["induction"] })).rejects.toThrow(/no query has a key/);
    await expect(heads.detect(model, [[1, 2]], { patterns: ["inducton" as never] })).rejects.toThrow(/"inducton"/);
    await expect(heads.detect(model, [[1, 2]], { patterns: [] })).rejects.toThrow(/got none/);
    const future = { mine: (tokens: ArrayLike<number>) => Array.from(tokens, (_, i) => [i + 1]) };
    await expect(heads.detect(model, [[1, 2]], { patterns: future })).rejects.toThrow(/keys \[1\] at query 0/);
    expect(() => heads.ngram(0)).toThrow(/heads\.ngram: order: got 0/);
  });
});
