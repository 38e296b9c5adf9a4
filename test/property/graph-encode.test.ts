import { fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { ModelProtoSchema } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { decode, encode, fingerprint, prune, reaches } from "../../src/graph/index.js";
import { buildRecipe, recipeFeeds, recipes } from "../helpers/random-graph.js";
import { runGraph } from "../helpers/run-graph.js";

describe("encoded graphs", () => {
  it("come back as the same graph, up to names", () => {
    fc.assert(
      fc.property(recipes, (recipe) => {
        const graph = buildRecipe(recipe);
        const back = decode(encode(graph));
        expect(fingerprint(back)).toBe(fingerprint(graph));
        expect(fingerprint(decode(encode(back)))).toBe(fingerprint(graph));
      }),
    );
  });

  it("are the bytes that the protobuf library writes for the same message", () => {
    fc.assert(
      fc.property(recipes, (recipe) => {
        const bytes = encode(buildRecipe(recipe));
        const message = fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
        expect(toBinary(ModelProtoSchema, message)).toEqual(bytes);
      }),
    );
  });

  it("run to the same bits after a round trip and after pruning to one output", async () => {
    await fc.assert(
      fc.asyncProperty(recipes, async (recipe) => {
        const graph = buildRecipe(recipe);
        const feeds = recipeFeeds();
        const whole = await runGraph(graph, feeds);
        expect(await runGraph(decode(encode(graph)), feeds)).toEqual(whole);
        expect((await runGraph(prune(graph, ["out0"]), feeds))["out0"]).toEqual(whole["out0"]);
      }),
      { numRuns: 30 },
    );
  });
});

describe("reachability", () => {
  it("is proven right by changing an input: what does not reach an output does not change it", async () => {
    await fc.assert(
      fc.asyncProperty(recipes, async (recipe) => {
        const graph = buildRecipe(recipe);
        const feeds = recipeFeeds();
        const moved = {
          ...feeds,
          y: { data: feeds["y"]?.data.map((v) => v + 1) ?? new Float32Array(12), shape: [3, 4] },
        };
        const y = graph.inputs.find(({ name }) => name === "y");
        const [before, after] = [await runGraph(graph, feeds), await runGraph(graph, moved)];
        for (const { name, value } of graph.outputs) {
          if (y === undefined || !reaches(graph, y, value)) expect(after[name]).toEqual(before[name]);
        }
      }),
      { numRuns: 30 },
    );
  });
});
