/** The shipped dictionaries against their card, and a graph traced through them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { attributionGraph } from "../../src/circuits/index.js";
import { tasks } from "../../src/data/index.js";
import { evaluateDictionary, openDictionary, openDictionarySet } from "../../src/dictionary/index.js";
import { edit, loadModel, type Model } from "../../src/model/index.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel("tiny");
});
afterAll(() => model.close());

test("an SAE reconstructs the stream that it names, with about as many features as its card says", async () => {
  const sae = await openDictionary("tiny/resid_post.3");
  const texts = tasks.ioi(model, { n: 24, seed: 3 }).clean.map((prompt) => `${prompt}.`);
  const { reconstruction, l0 } = await evaluateDictionary(model, sae, texts, { losses: false });
  expect(sae.readHook).toBe("blocks.3.hook_resid_post");
  expect(reconstruction.fvu).toBeLessThan(0.2);
  expect(l0).toBeGreaterThan(10);
  expect(l0).toBeLessThan(40);
});

test("steering with a feature moves the model towards what the feature writes", async () => {
  const sae = await openDictionary("tiny/resid_post.5");
  const text = "The ship was in the north of the";
  const plain = await model.run(text, { capture: "blocks.5.hook_resid_post" });
  const acts = await sae.encode(plain.cache.get("blocks.5.hook_resid_post"));
  const last = acts.at({ batch: 0, pos: -1 }).toArray() as number[];
  const strongest = last.indexOf(Math.max(...last));
  const steered = await model.with(edit.steer(sae.feature(strongest), { strength: 2 })).run(text, {
    capture: "blocks.5.hook_resid_post",
  });
  const after = await sae.encode(steered.cache.get("blocks.5.hook_resid_post"));
  expect(after.at({ batch: 0, pos: -1, feature: strongest }).item()).toBeGreaterThan((last[strongest] ?? 0) + 1);
});

test("a capital is traced to features and tokens, and the certificate holds", async () => {
  const set = await openDictionarySet("tiny/transcoders");
  expect(set.layers).toEqual([0, 1, 2, 3, 4, 5]);
  const [prompt = ""] = tasks.capitals(model, { n: 1, seed: 2 }).clean;
  const graph = await attributionGraph(model, prompt, set);
  expect(graph.certificate.worst).toBeLessThan(1e-4);
  const { replacement, completeness } = graph.scores();
  expect(replacement).toBeGreaterThan(0.2);
  expect(completeness).toBeGreaterThan(0.4);
  const { logits } = await model.run(prompt, { logits: "last" });
  const numbers = Array.from(logits.data as ArrayLike<number>);
  const least = numbers.indexOf(Math.min(...numbers));
  await expect(attributionGraph(model, prompt, set, { target: [least] })).rejects.toThrow("tokens of probability");
  const pruned = graph.prune();
  expect(pruned.nodes.length).toBeLessThan(graph.nodes.length / 2);
});
