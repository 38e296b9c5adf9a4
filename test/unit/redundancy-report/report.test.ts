/** Reports: their sections against each other, files, resume, and what is refused. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { data } from "../../../src/data/index.js";
import { readStored, writeSafetensors } from "../../../src/io/index.js";
import { edit, loadModel, type Model } from "../../../src/model/index.js";
import {
  evaluateParts,
  exportHuggingFace,
  RedundancyReport,
  type ReportContent,
  redundancy,
} from "../../../src/redundancy/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";
import { schemaErrors } from "./schema.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-report-"));
process.env["LIMPID_CACHE"] = join(folder, "cache");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const window = 8;
const tokens = 160;

function documents(model: Model): readonly (readonly number[])[] {
  return [Array.from({ length: tokens }, (_, i) => (i * i * 5 + i * 3 + 1) % model.config.dVocab)];
}

/** What does not depend on the clock. */
function timeless({ provenance, cuts, ...content }: ReportContent): unknown {
  return {
    ...content,
    provenance: { ...provenance, seconds: 0 },
    cuts: cuts.map((cut) => ({ ...cut, speedup: 0, tasks: cut.tasks.map((task) => ({ ...task, sdr: 0 })) })),
  };
}

/** Random weights of two layers whose second attention writes nothing. */
async function plantDead(): Promise<string> {
  const source = await loadModel(fixture("architectures", "gpt2"));
  const tensors = new Map<string, Tensor>();
  for (const [name, stored] of source.view.core.tensors) {
    const isDead = /h\.1\.attn\.c_proj/.test(name);
    tensors.set(
      name,
      isDead
        ? Tensor.of(new Float32Array(stored.shape.reduce((a, b) => a * b, 1)), stored.shape)
        : await readStored(stored),
    );
  }
  await source.close();
  const out = join(folder, "dead");
  mkdirSync(out);
  await writeSafetensors(join(out, "model.safetensors"), tensors);
  writeFileSync(join(out, "config.json"), readFileSync(fixture("architectures", "gpt2", "config.json")));
  return out;
}

describe("on a model with an attention that writes nothing", () => {
  let model: Model;
  let report: RedundancyReport;
  beforeAll(async () => {
    model = await loadModel(await plantDead());
    report = await redundancy.report(model, documents(model), { tokens, window });
  });
  afterAll(() => model.close());

  it("has the losses that evaluateParts finds on the same windows", async () => {
    const [ids = []] = documents(model);
    const rows = Array.from({ length: tokens / window }, (_, i) => ids.slice(i * window, (i + 1) * window));
    const { full, sets } = await evaluateParts(model, rows, [
      [{ kind: "mlp", layer: 0 }],
      [{ kind: "block", layer: 1 }],
    ]);
    const lossOf = (name: string) => report.content.parts.find((part) => part.name === name)?.lossWithout;
    expect(report.loss).toBeCloseTo(full.loss, 6);
    expect(lossOf("blocks.0.mlp")).toBeCloseTo(sets[0]?.loss ?? Number.NaN, 6);
    expect(lossOf("blocks.1")).toBeCloseTo(sets[1]?.loss ?? Number.NaN, 6);
  });

  it("takes the dead attention first by every score but those without residual, and says that it costs nothing", () => {
    const { scores, frontier, parts } = report.content;
    const firstOf = (name: string) => {
      const found = scores.find((score) => score.name === name);
      return found?.parts[found.values.indexOf(Math.min(...found.values))];
    };
    expect(firstOf("similarity")).toBe("blocks.1.attn");
    expect(firstOf("magnitude")).toBe("blocks.1.attn");
    expect(firstOf("bareSimilarity")).not.toBe("blocks.1.attn");
    for (const name of ["similarity", "magnitude", "oneShot", "greedy", "iterative"])
      expect(frontier.find((line) => line.name === name)?.order[0]).toBe("blocks.1.attn");
    const dead = parts.find(({ name }) => name === "blocks.1.attn");
    expect(dead?.lossWithout).toBe(report.loss);
    expect(dead?.kl).toBe(0);
    expect(report.content.cuts.every(({ parts: own }) => own.some((name) => /^blocks\.1(\.attn)?$/.test(name)))).toBe(
      true,
    );
  });

  it("starts each walk with its order, and judges cuts within their limits", () => {
    const { frontier, cuts, provenance, parts } = report.content;
    for (const line of frontier) {
      expect(new Set(line.order).size).toBe(line.order.length);
      expect(line.points[0]?.sublayers).toBe(line.kind === "block" ? 2 : 1);
    }
    for (const { limit, relative } of cuts) expect(relative.value).toBeLessThanOrEqual(limit);
    expect(cuts.map(({ limit }) => limit)).toEqual([0.01, 0.02, 0.05, 0.1]);
    const { search, frontier: walked, held } = provenance.windows;
    expect(walked + held).toBe(tokens / window);
    expect(search).toBeLessThanOrEqual(walked);
    const heads = parts.filter(({ kind }) => kind === "head");
    expect(heads.length).toBe(model.config.nLayers * model.config.nHeads);
    expect(report.content.depth.at(-1)?.kl).toBe(0);
    expect(report.content.depth.at(-1)?.layers).toBe(model.config.nLayers);
  });

  it("writes a page, sentences and JSON that fits the schema, and prints itself", () => {
    const out = join(folder, "out");
    const { files } = report.save(out);
    expect(readdirSync(out).sort()).toEqual(["index.html", "report.json", "report.md"]);
    expect(files).toHaveLength(3);
    const written: unknown = JSON.parse(readFileSync(join(out, "report.json"), "utf8"));
    const schema = JSON.parse(readFileSync(fixture("..", "docs", "redundancy-report.schema.json"), "utf8")) as object;
    expect(schemaErrors(written, schema)).toEqual([]);
    expect(schemaErrors({ ...(written as object), loss: "much" }, schema)).toEqual(["$.loss: much is not number"]);
    const again = redundancy.open(join(out, "report.json"));
    expect(again.content).toEqual(report.content);
    expect(again.toPage()).toBe(report.toPage());
    expect(String(again)).toBe(String(report));
    expect(() => redundancy.open(join(out, "report.md"))).toThrow("redundancy.open: ");
    writeFileSync(join(folder, "other.json"), JSON.stringify({ format: "limpid-redundancy-report", version: 2 }));
    expect(() => redundancy.open(join(folder, "other.json"))).toThrow("version 2, without model");
    const page = readFileSync(join(out, "index.html"), "utf8");
    expect(page).toContain("prefers-color-scheme:dark");
    expect(page).not.toMatch(/(?:src|href)="https?:/);
    const text = readFileSync(join(out, "report.md"), "utf8");
    expect(text).toContain("## What can go");
    expect(text).toContain(report.content.provenance.command);
    expect(String(report)).toContain("At 1 % more loss");
    expect(report.toView().spec.view).toBe("panels");
    const sections = [
      "cuts",
      "map",
      "scores",
      "frontier",
      "disagreement",
      "agreement",
      "depth",
      "similarity",
      "heads",
      "neurons",
    ] as const;
    for (const section of sections) expect(report.toView(section).summary()).not.toBe("");
    // Windows of eight tokens leave no future to measure.
    expect(() => report.toView("effects")).toThrow("a section that this report does not have");
    const short = new RedundancyReport({ ...report.content, neurons: [] });
    expect(() => short.toView("neurons")).toThrow("a section that this report does not have");
    expect(report.parts[0]?.lossWithout).toBe(Math.min(...report.parts.map(({ lossWithout }) => lossWithout)));
  });

  it("goes on where it was stopped, with the same numbers", async () => {
    const resume = join(folder, "resume");
    const controller = new AbortController();
    const onProgress = ({ note }: { note?: string }): void => {
      if (note === "heads") controller.abort();
    };
    const stopped = redundancy.report(model, documents(model), {
      tokens,
      window,
      resume,
      signal: controller.signal,
      onProgress,
    });
    await expect(stopped).rejects.toThrow("aborted");
    const [file = ""] = readdirSync(resume);
    const lines = readFileSync(join(resume, file), "utf8").split("\n").length;
    expect(lines).toBeGreaterThan(10);
    writeFileSync(join(resume, file), `${readFileSync(join(resume, file), "utf8")}{"rows":"search","key":"bl`);
    const again = await redundancy.report(model, documents(model), { tokens, window, resume });
    expect(timeless(again.content)).toEqual(timeless(report.content));
    expect(readdirSync(resume)).toEqual([file]);
  });
});

describe("refusals", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(fixture("architectures", "gpt2"));
  });
  afterAll(() => model.close());

  it.each([
    [
      "text shorter than one window",
      [[1, 2, 3]],
      { window: 8 },
      "got 3 tokens of text; expected at least one window of 8",
    ],
    ["nothing but padding", [Array.from({ length: 64 }, () => 0)], { window: 8 }, "nothing but the token id 0"],
    ["a document that is neither", [{ text: 7 }], {}, "document 0: got a number"],
    ["texts and ids mixed", ["a", [1, 2]], {}, "texts and ids mixed"],
    ["no tokens", [[1, 2]], { tokens: 0 }, "redundancy.report: tokens: got 0"],
    ["a window above the context", [[1, 2]], { window: 1e6 }, "redundancy.report: window"],
    ["tokens below a window", [[1, 2]], { tokens: 4, window: 8 }, "less than one window of 8"],
    ["a budget of nothing", [[1, 2]], { budget: 0 }, "redundancy.report: budget: got 0"],
  ])("refuses %s", async (_name, texts, options, message) => {
    await expect(redundancy.report(model, texts, options)).rejects.toThrow(message);
  });

  it("says what fits where a budget is too small for anything", async () => {
    const stopped = redundancy.report(model, documents(model), { window, tokens, budget: 1e-9 });
    await expect(stopped).rejects.toThrow(/at least .* minutes for 64 tokens .* everything on 160 tokens takes about/);
  });

  it("refuses a model of one layer, and a folder that cannot be written", async () => {
    const out = join(folder, "one-layer");
    await exportHuggingFace(
      model,
      model.view.layers.slice(1).map((layer) => ({ kind: "block" as const, layer })),
      out,
    );
    const one = await loadModel(out);
    try {
      await expect(redundancy.report(one, [[1, 2]], {})).rejects.toThrow("got a model with one layer");
    } finally {
      await one.close();
    }
    const file = join(folder, "a-file");
    writeFileSync(file, "");
    const attnOnly = await loadModel(fixture("architectures", "tl-attn-only"));
    const texts = data.tokens([...documents(attnOnly)]);
    const report = await redundancy.report(attnOnly, texts, { tokens: 32, window }).finally(() => attnOnly.close());
    expect(report.content.parts.some(({ name }) => name.endsWith(".mlp"))).toBe(false);
    expect(() => report.save(join(file, "below"))).toThrow("expected a folder that can be written");
    expect(existsSync(join(file, "below"))).toBe(false);
    expect(report.content.provenance.text).toContain("data.tokens");
  });

  it("keeps nothing of a model with edits, which could be taken for another", async () => {
    const edited = model.with(edit.scale("blocks.0.hook_mlp_out", 0.5));
    const resume = join(folder, "edited");
    const report = await redundancy.report(edited, documents(model), { tokens: 32, window, resume });
    const { full } = await evaluateParts(
      edited,
      Array.from({ length: 4 }, (_, i) => documents(model)[0]?.slice(8 * i, 8 * i + 8) ?? []),
      [],
    );
    expect(report.loss).toBeCloseTo(full.loss, 6);
    expect(existsSync(resume)).toBe(false);
  });
});

describe("the report that comes with limpid", () => {
  it("fits the schema, and has what later layers lose", () => {
    const path = fixture("reports", "tiny-redundancy.json");
    const schema = JSON.parse(readFileSync(fixture("..", "docs", "redundancy-report.schema.json"), "utf8")) as object;
    expect(schemaErrors(JSON.parse(readFileSync(path, "utf8")), schema)).toEqual([]);
    const report = redundancy.open(path);
    expect(report.content.provenance.command).toBe("limpid redundancy tiny --tokens 32000 --seed 0 --out report");
    expect(report.toView("effects").summary()).toContain("later");
    const { all = [], score = Number.NaN } = report.content.depthEffects ?? {};
    expect(all[2]?.[2]).toBeNaN();
    expect(all[2]?.[3]).toBeGreaterThan(0);
    expect(score).toBeGreaterThan(0);
    for (const name of ["ampHeads", "minitronHeads", "attentionRank", "effectiveRank"])
      expect(report.content.scores.map((one) => one.name)).toContain(name);
  });

  it("has the tasks at every point of the greedy line, as the cut list has them", () => {
    const report = redundancy.open(fixture("reports", "tiny-redundancy.json"));
    expect(report.toView("tasks").summary()).toContain("Tasks as sublayers go");
    const { order = [], points = [], tasks = [] } = report.content.frontier.find(({ name }) => name === "greedy") ?? {};
    expect(tasks.length).toBeGreaterThan(0);
    for (const { before, after } of tasks) {
      expect(before).toBeGreaterThanOrEqual(0.75);
      expect(after).toHaveLength(points.length);
    }
    const place = new Map(
      points.map((_, i) => [
        order
          .slice(0, i + 1)
          .toSorted()
          .join(),
        i,
      ]),
    );
    for (const cut of report.content.cuts)
      for (const own of cut.tasks) {
        const curve = tasks.find(({ task }) => task === own.task);
        expect(curve?.before).toBe(own.before);
        const at = place.get(cut.parts.join());
        if (at !== undefined) expect(curve?.after[at]).toBe(own.after);
      }
  });
});

describe("on a model of attention alone", () => {
  it("ranks its sublayers, which are all attention, and says which score was right", async () => {
    const model = await loadModel(fixture("architectures", "tl-attn-only"));
    const report = await redundancy.report(model, documents(model), { tokens, window });
    const { content } = report;
    expect(content.scores.filter(({ kind }) => kind === "sublayer").length).toBeGreaterThanOrEqual(2);
    expect(content.neurons).toEqual([]);
    expect(String(report)).toContain("orders the sublayers most like");
    await model.close();
  });
});
