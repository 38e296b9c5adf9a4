/** The graphs of questions: cut from shared full graphs, the same as if each were built alone. */
import { afterAll, describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import { fingerprint, type Node } from "../../../src/graph/index.js";
import { type Edit, edit, loadModel, type Model } from "../../../src/model/index.js";
import type { BuiltGraph } from "../../../src/model/plan/build.js";
import { createGraphCache } from "../../../src/model/plan/graph-cache.js";
import type { GraphRequest } from "../../../src/model/plan/request.js";
import { emptyRequest, resolveEdits } from "../../../src/model/plan/resolve.js";
import { architectureNames, fixture } from "../../helpers/fixtures.js";

const models = new Map<string, Promise<Model>>();
afterAll(async () => {
  for (const model of models.values()) await (await model).close();
});

function open(name: string): Promise<Model> {
  const model = models.get(name) ?? loadModel(fixture("architectures", name));
  models.set(name, model);
  return model;
}

function request({ view }: Model, captures: readonly string[], more: Partial<GraphRequest> = {}): GraphRequest {
  return { ...emptyRequest(view), captures, logits: "slots", checks: true, ...more };
}

function edits(model: Model, ...list: readonly Edit[]): Pick<GraphRequest, "edits"> {
  return { edits: resolveEdits(list, model.hookNames()) };
}

function outputs({ graph }: BuiltGraph): readonly string[] {
  return graph.outputs.map(({ name }) => name);
}

function sharedNodes(a: BuiltGraph, b: BuiltGraph): number {
  const nodes = new Set<Node>(a.graph.nodes);
  return b.graph.nodes.filter((node) => nodes.has(node)).length;
}

function ops({ graph }: BuiltGraph): ReadonlySet<string> {
  return new Set(graph.nodes.map(({ op }) => op));
}

describe("the graph cache", () => {
  it("returns the same graph for equal requests", async () => {
    const model = await open("gpt2");
    const graphs = createGraphCache(model.view.core);
    const first = graphs.get(request(model, ["blocks.0.attn.hook_z"]));
    expect(graphs.get(request(model, ["blocks.0.attn.hook_z"]))).toBe(first);
  });

  it("cuts questions that differ in what they read from one full graph", async () => {
    const model = await open("gpt2");
    const graphs = createGraphCache(model.view.core);
    const early = graphs.get(request(model, ["blocks.0.attn.hook_z"], { logits: "none" }));
    const late = graphs.get(request(model, ["blocks.1.hook_resid_post", "blocks.0.attn.hook_z"], { logits: "none" }));
    expect(sharedNodes(late, early)).toBe(early.graph.nodes.length);
    expect(outputs(early)).toEqual(["capture:blocks.0.attn.hook_z", "check:0"]);
    expect(outputs(late)).toEqual([
      "capture:blocks.0.attn.hook_z",
      "capture:blocks.1.hook_resid_post",
      "check:0",
      "check:1",
      "check:2",
    ]);
  });

  it("builds another full graph where a capture chooses other kernels", async () => {
    const model = await open("gpt2");
    const graphs = createGraphCache(model.view.core);
    const fused = graphs.get(request(model, ["blocks.0.attn.hook_z"]));
    for (const name of ["blocks.0.ln1.hook_scale", "blocks.1.attn.hook_attn_scores", "unembed.hook_out"])
      expect(sharedNodes(graphs.get(request(model, [name])), fused), name).toBe(0);
    expect(ops(fused)).not.toContain("Softmax");
    expect(ops(graphs.get(request(model, ["blocks.1.attn.hook_attn_scores"])))).toContain("Softmax");
  });

  it("computes what is on no path only where it is captured", async () => {
    const model = await open("gpt2");
    const graphs = createGraphCache(model.view.core);
    const name = "blocks.0.attn.hook_result";
    const without = graphs.get(request(model, ["blocks.0.attn.hook_z"])).graph.nodes.length;
    expect(graphs.get(request(model, [name])).graph.nodes.length).toBeGreaterThan(without);
    expect(graphs.get(request(model, ["blocks.1.hook_resid_pre"])).graph.nodes).toHaveLength(without);
  });

  it("keeps no more graphs than it says and builds the others again", async () => {
    const model = await open("gpt2");
    const graphs = createGraphCache(model.view.core);
    const first = graphs.get(request(model, ["blocks.0.attn.hook_z"]));
    const names = model.hookNames();
    for (let i = 0; i < 64; i++) graphs.get(request(model, [names[i % 20] ?? "", names[20 + (i % 7)] ?? ""]));
    const again = graphs.get(request(model, ["blocks.0.attn.hook_z"]));
    expect(again).not.toBe(first);
    expect(fingerprint(again.graph)).toBe(fingerprint(first.graph));
  });

  it.each(architectureNames)(
    "gives %s the graph that it would build alone, whatever was asked before",
    async (name) => {
      const model = await open(name);
      const random = createRandom(7);
      const warm = createGraphCache(model.view.core);
      const change = edit.scale("blocks.1.hook_resid_pre", 2);
      for (let i = 0; i < 12; i++) {
        const share = [0, 0.02, 0.2, 1][i % 4] ?? 0;
        const captures = model.hookNames().filter(() => random.uniform() < share);
        const more = { isPadded: i % 3 === 0, loss: i % 5 === 0, ...(i % 2 === 0 ? edits(model, change) : {}) };
        const asked = request(model, captures, more);
        const alone = createGraphCache(model.view.core).get(asked);
        const built = warm.get(asked);
        expect(fingerprint(built.graph)).toBe(fingerprint(alone.graph));
        expect(outputs(built)).toEqual(outputs(alone));
      }
    },
  );
});

describe("edits of a question that is cut from a known full graph", () => {
  it("are still shown to reach what is asked", async () => {
    const model = await open("gpt2");
    const graphs = createGraphCache(model.view.core);
    const own = edits(model, edit.scale("blocks.1.hook_resid_mid", 2));
    expect(outputs(graphs.get(request(model, [], own)))).toContain("logits");
    expect(() => graphs.get(request(model, ["blocks.0.attn.hook_z"], { ...own, logits: "none" }))).toThrow(
      "edit.scale at blocks.1.hook_resid_mid: got an edit that cannot change what was asked for (blocks.0.attn.hook_z); " +
        "expected an edit upstream of a requested output, not overwritten by a later edit. " +
        "Ask for logits or a later hook point, or remove the edit.",
    );
  });

  it("are told apart by identity, and the same one twice acts twice", async () => {
    const model = await open("gpt2");
    const graphs = createGraphCache(model.view.core);
    const change = edit.scale("blocks.0.hook_resid_mid", 2);
    const once = graphs.get(request(model, [], edits(model, change)));
    const twice = graphs.get(request(model, [], edits(model, change, change)));
    const other = graphs.get(request(model, [], edits(model, edit.scale("blocks.0.hook_resid_mid", 2))));
    expect(twice.graph.nodes).toHaveLength(once.graph.nodes.length + 1);
    expect(twice.applied.map(({ index }) => index)).toEqual([0, 1]);
    expect(sharedNodes(once, other)).toBe(0);
    expect(fingerprint(other.graph)).toBe(fingerprint(once.graph));
  });
});

describe("a captured hook point that the run does not pass", () => {
  it("is refused by name", async () => {
    const model = await open("gpt2");
    expect(() => model.view.core.graphs.get(request(model, ["blocks.1.hook_resid_pre"], { layers: [0] }))).toThrow(
      "capture of blocks.1.hook_resid_pre: got a hook point that this run does not pass; expected a hook point between " +
        "the first and the last layer of the run. Check startAtLayer, stopAtLayer, layers and logits.",
    );
  });
});
