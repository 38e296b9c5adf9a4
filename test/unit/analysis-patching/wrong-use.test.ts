/** What patching refuses, and with which words. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metric, type PatchingOptions, patching } from "../../../src/analysis/index.js";
import { edit, loadModel, type Model } from "../../../src/model/index.js";
import { fixture } from "../../helpers/fixtures.js";

let model: Model;
let options: PatchingOptions;
beforeAll(async () => {
  model = await loadModel(fixture("architectures", "tl-attn-only"));
  options = {
    from: [[1, 2, 3]],
    into: [[1, 4, 3]],
    metric: metric.logitDiff({ answerTokens: [[1]], wrongAnswerTokens: [[2]] }),
  };
});
afterAll(() => model.close());

describe("patching refuses", () => {
  it("prompts of different lengths", async () => {
    const call = patching.sweep(model, { ...options, from: [[1, 2]], sites: ["z"] });
    await expect(call).rejects.toThrow(/pair 0: got 2 tokens to copy from and 3 to write into, without an alignment/);
  });
  it("prompts without a partner", async () => {
    const call = patching.sweep(model, {
      ...options,
      from: [
        [1, 2, 3],
        [3, 2, 1],
      ],
      sites: ["z"],
    });
    await expect(call).rejects.toThrow(/2 prompts to copy from and 1 to write into/);
  });
  it("no prompts, no sites, no patches", async () => {
    await expect(patching.sweep(model, { ...options, from: [], into: [], sites: ["z"] })).rejects.toThrow(
      /got no prompts/,
    );
    await expect(patching.sweep(model, { ...options, sites: [] })).rejects.toThrow(/sites: got none/);
    await expect(patching.patches(model, { ...options, patches: [] })).rejects.toThrow(/got no patches/);
  });
  it("sites that the model lacks, with the reason", async () => {
    await expect(patching.sweep(model, { ...options, sites: ["mlp_out"] })).rejects.toThrow(
      /^patching.sweep at blocks.0.hook_mlp_out: .*attention only \(no MLP\)/,
    );
  });
  it("words that are no site, with the sites that there are", async () => {
    const expected =
      'expected one of "attn_in", "attn_out", "attn_scores", ' +
      '"k", "k_input", "pattern", "q", "q_input", "resid_post", "resid_pre", "result", "v", "v_input", "z". ' +
      "Name a kind of hook point; layers, positions and heads are options. Nearest: ";
    const wrong = (site: string): Promise<string> =>
      patching.sweep(model, { ...options, sites: [site as "z"] }).then(() => "", String);
    expect(await wrong("resid_prr")).toContain(`patching.sweep: got "resid_prr"; ${expected}"resid_pre"`);
    expect(await wrong("blocks.0.attn.hook_z")).toContain(`patching.sweep: got "blocks.0.attn.hook_z"; ${expected}`);
    expect(await wrong("toString")).toContain(`patching.sweep: got "toString"; ${expected}`);
    const list = patching.patches(model, { ...options, patches: [{ site: "head" as "z", layer: 0 }] });
    await expect(list).rejects.toThrow(`patching.patches: got "head"; ${expected}`);
  });
  it("axes that a site lacks", async () => {
    const call = patching.sweep(model, { ...options, sites: ["resid_pre"], by: ["head"] });
    await expect(call).rejects.toThrow(/by: got "head" at resid_pre; expected some of pos/);
    const list = patching.patches(model, { ...options, patches: [{ site: "resid_pre", layer: 0, head: 1 }] });
    await expect(list).rejects.toThrow(/a selection by "head"/);
  });
  it("layers, heads and positions outside the model or the prompts", async () => {
    const call = (patch: object): Promise<unknown> =>
      patching.patches(model, { ...options, patches: [{ site: "z", layer: 0, ...patch }] });
    await expect(call({ layer: 9 })).rejects.toThrow(/layer 9; expected an integer from 0 to/);
    await expect(call({ head: 77 })).rejects.toThrow(/head 77/);
    await expect(call({ pos: 3 })).rejects.toThrow(/pos 3; expected an integer from -3 to 2/);
    await expect(call({ pos: 0.5 })).rejects.toThrow(/pos 0.5/);
  });
  it("edits that name rows", async () => {
    const edited = model.with(edit.zero("blocks.0.attn.hook_z", { row: 0 }));
    await expect(patching.sweep(edited, { ...options, sites: ["z"] })).rejects.toThrow(
      /selects by row or by a function/,
    );
  });
  it("edits that hold a value for each row", async () => {
    const rows = [
      [1, 4, 3],
      [1, 2, 3],
    ];
    const two = {
      from: rows,
      into: rows,
      metric: metric.logitDiff({ answerTokens: [[1], [1]], wrongAnswerTokens: [[2], [2]] }),
    };
    const { cache } = await model.run(rows, { capture: "blocks.0.attn.hook_pattern" });
    const frozen = model.with(edit.freeze("blocks.0.attn.hook_pattern", cache));
    await expect(patching.sweep(frozen, { ...two, sites: ["z"] })).rejects.toThrow(
      /edit.freeze.*holds a value for each row/,
    );
    const given = model.with(edit.replace("blocks.0.attn.hook_pattern", cache.get("pattern", 0)));
    await expect(patching.sweep(given, { ...two, sites: ["z"] })).rejects.toThrow(/holds a value for each row/);
  });
  it("to return a metric that is no number", async () => {
    const plain = {
      from: [
        [1, 2, 3, 5],
        [7, 3, 9, 5],
      ],
      into: [
        [1, 4, 3, 6],
        [2, 8, 4, 6],
      ],
    };
    const logit = metric.answerLogit({ answerTokens: [[1], [1]] });
    const sites = ["z", "q", "k"] as const;
    const all = await patching.sweep(model, { ...plain, sites, metric: logit });
    const base = Math.max(...all.cleanPerPrompt, ...all.corruptedPerPrompt);
    const most = Math.max(...all.sites.flatMap(({ perPrompt }) => Array.from(perPrompt.data, Number)));
    expect(most).toBeGreaterThan(base);
    // Both plain runs have a logarithm, the patched run with the greatest logit has none.
    const limit = (base + most) / 2;
    const log = metric.custom("log", (x) => x.at("dVocabOut", { from: 1, to: 2 }).neg().add(limit).log());
    const call = patching.sweep(model, { ...plain, sites, metric: log });
    await expect(call).rejects.toThrow(/patched run: metric "log": got NaN for prompt \d; expected finite numbers/);
  });
  it("a metric of another number of prompts", async () => {
    const two = { ...options, metric: metric.logitDiff({ answerTokens: [[1], [2]], wrongAnswerTokens: [[2], [1]] }) };
    await expect(patching.sweep(model, { ...two, sites: ["z"] })).rejects.toThrow(
      /1 rows for a metric .* of 2 prompts/,
    );
  });
  it("to normalise where clean and corrupted prompts have the same metric; the change is there", async () => {
    const result = await patching.sweep(model, { ...options, from: options.into, sites: ["z"] });
    expect(() => result.get("z").effect).toThrow(/two different numbers to normalise between/);
    expect(() => result.get("q")).toThrow(/got "q"; expected one of z/);
    expect(Math.max(...Array.from(result.get("z").change.data, Number))).toBe(0);
    expect(result.toView().spec.view).toBe("panels");
  });
});
