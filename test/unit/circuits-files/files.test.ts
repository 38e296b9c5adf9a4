/** Graphs as files: equal when read back, readable by others, and refused with the place where they are wrong. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { cantor } from "../../../src/circuits/files/to-tracer.js";
import { AttributionGraph, type GraphNode, nodeId, openGraph, saveGraph } from "../../../src/circuits/index.js";
import { loadModel } from "../../../src/model/index.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-graphs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const nodes: readonly GraphNode[] = [
  { kind: "target", pos: 2, label: '" <b>Paris"', weight: 0.6, token: 7 },
  { kind: "target", pos: 2, label: '" the"', weight: 0.3, token: 3 },
  { kind: "target", pos: 2, label: '" a" - " b"', weight: 1, token: 3, versus: 8 },
  { kind: "feature", layer: 1, pos: 2, feature: 1, activation: 0.1 + 0.2 },
  { kind: "feature", layer: 0, pos: 1, feature: 0, activation: 2 },
  { kind: "feature", layer: 0, pos: 1, feature: 1, activation: 1 },
  { kind: "error", layer: 0, pos: 1 },
  { kind: "error", layer: 1, pos: 1 },
  { kind: "token", pos: 0, token: 5 },
  { kind: "token", pos: 1, token: 9 },
  { kind: "position", pos: 1 },
  { kind: "bias" },
];

function graphOf(weights: (target: number, source: number) => number): AttributionGraph {
  const into = (target: number, sources: readonly number[]) =>
    [
      target,
      { sources: Int32Array.from(sources), weights: Float64Array.from(sources, (source) => weights(target, source)) },
    ] as const;
  return new AttributionGraph({
    prompt: ["a", " b", " c"],
    nodes,
    rows: new Map([
      into(0, [3, 4, 6, 8, 11]),
      into(1, [3, 7, 10]),
      into(2, [3]),
      into(3, [4, 5, 6, 9]),
      into(4, [8, 9]),
      into(5, [9]),
    ]),
    certificate: { worst: 1.5e-7, at: "L1 #1 @2", checked: 5 },
    omittedFeatures: 2,
    provenance: { model: "m", identity: "id", dictionaries: "d", tokens: [5, 9, 1], firstPosition: 1, wholeMlps: [0] },
  });
}

const plain = graphOf((target, source) => (source % 2 === 0 ? 1 : -1) / (1 + target + source));
const edgesOf = (graph: AttributionGraph): Readonly<Record<string, number>> =>
  Object.fromEntries([...graph.edges()].map((one) => [`${nodeId(one.source)} > ${nodeId(one.target)}`, one.weight]));
const keepAll = { nodeShare: 1, edgeShare: 1 };
const text = (path: string): string => readFileSync(path, "utf8");

describe("limpid's own file", () => {
  test("gives a graph back that is equal in every number", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 20, maxLength: 20 }),
        async (list) => {
          const graph = graphOf((target, source) => (list[(5 * target + source) % 20] ?? 0) || 1);
          const { whole } = await saveGraph(graph, folder, { slug: "property" });
          const again = await openGraph(whole);
          expect(again.nodes).toEqual(graph.nodes);
          expect(edgesOf(again)).toEqual(edgesOf(graph));
          for (const key of ["prompt", "certificate", "omittedFeatures", "provenance"] as const)
            expect(again[key]).toEqual(graph[key]);
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe("the file for viewers", () => {
  test("has ids that differ, the viewer's numbers of features, and texts that it reads", async () => {
    const { viewer } = await saveGraph(plain, folder, { slug: "plain", prune: keepAll });
    const file = JSON.parse(text(viewer)) as {
      nodes: readonly Record<string, unknown>[];
      links: readonly { source: string; target: string; weight: number }[];
      metadata: Record<string, unknown>;
      qParams: Record<string, unknown>;
    };
    const ids = file.nodes.map((node) => node["node_id"]);
    expect(ids).toEqual(["3_7_2", "3_3_2", "3_-3_2", "1_1_2", "0_0_1", "0_1_1", "0_-1_1", "1_-1_1", "E_5_0", "E_9_1"]);
    expect(new Set(file.nodes.map((node) => node["jsNodeId"])).size).toBe(10);
    expect(file.nodes[3]).toMatchObject({ feature: cantor(1, 1), layer: "1", activation: 0.1 + 0.2 });
    expect([cantor(0, 0), cantor(1, 0), cantor(0, 1), cantor(3, 5)]).toEqual([0, 1, 2, 41]);
    expect(file.nodes[0]).toMatchObject({
      clerp: 'Output " <b>Paris" (p=0.600)',
      token_prob: 0.6,
      feature_type: "logit",
    });
    expect(file.metadata).toMatchObject({
      slug: "plain",
      scan: "m",
      prompt: "a b c",
      prompt_tokens: ["a", " b", " c"],
    });
    expect(file.qParams).toMatchObject({ pinnedIds: [], supernodes: [], linkType: "both" });
    // Every node that a viewer prunes by its influence has one; the least important end at 1.
    const shares = file.nodes.map((node) => Number(node["influence"]));
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
    const ours = edgesOf(plain);
    const written = Object.keys(ours).filter((edge) => !/bias|position/.test(edge));
    expect(file.links).toHaveLength(written.length);
  });

  test("is read back as the same features, errors, tokens and edges", async () => {
    const { viewer } = await saveGraph(plain, folder, { slug: "back", prune: keepAll });
    const again = await openGraph(viewer);
    const kept = Object.entries(edgesOf(plain)).filter(([edge]) => !/bias|position/.test(edge));
    expect(edgesOf(again)).toEqual(Object.fromEntries(kept));
    expect(again.nodes.filter(({ kind }) => kind === "feature")).toEqual(
      nodes.filter(({ kind }) => kind === "feature"),
    );
    expect(again.scores().replacement).toBeCloseTo(plain.scores().replacement, 9);
    expect(String(again)).toContain("no certificate");
  });

  test("names nodes as told, and replaces its entry in the list of graphs", async () => {
    const describeNode = (node: GraphNode): string | undefined => (node.kind === "feature" ? "capitals" : undefined);
    for (const slug of ["one", "two", "one"])
      await saveGraph(plain, join(folder, "list"), { slug, describe: describeNode });
    const { graphs } = JSON.parse(text(join(folder, "list", "graph-metadata.json"))) as { graphs: { slug: string }[] };
    expect(graphs.map(({ slug }) => slug)).toEqual(["two", "one"]);
    expect(text(join(folder, "list", "one.json"))).toContain('"clerp":"capitals"');
  });
});

/** A file as circuit-tracer wrote it before 2026: the error of layer 1 at position 1 has the id of feature 1 of layer 0. */
function older(): Record<string, unknown> {
  const node = (id: string, type: string, pos: number, more: object) => {
    const named = { ["node_id"]: id, ["ctx_idx"]: pos, ["feature_type"]: type };
    return { ...named, feature: 0, jsNodeId: `${id}-0`, clerp: "", ...more };
  };
  return {
    metadata: { slug: "older", scan: "gemma", prompt: "ab", ["prompt_tokens"]: ["a", "b"] },
    nodes: [
      node("E_4_0", "embedding", 0, { layer: "E" }),
      node("0_7_1", "cross layer transcoder", 1, { layer: "0", activation: 3 }),
      node("0_1_1", "mlp reconstruction error", 1, { layer: "1" }),
      node("3_9_1", "logit", 1, { layer: "3", clerp: 'Output " x" (p=0.500)', ["token_prob"]: 0.5 }),
    ],
    links: [
      { source: "E_4_0", target: "0_7_1", weight: 2 },
      { source: "0_7_1", target: "3_9_1", weight: -1 },
      { source: "0_1_1", target: "3_9_1", weight: 0.5 },
    ],
  };
}

describe("files of others", () => {
  const write = (json: unknown): string => {
    const path = join(folder, "foreign.json");
    writeFileSync(path, typeof json === "string" ? json : JSON.stringify(json));
    return path;
  };

  test("with older ids of errors are read by their types", async () => {
    const graph = await openGraph(write(older()));
    expect(graph.nodes.map(nodeId)).toEqual(['target " x"', "L0 #7 @1", "L1 error @1", "token @0"]);
    expect(edgesOf(graph)).toEqual({
      'L0 #7 @1 > target " x"': -1,
      'L1 error @1 > target " x"': 0.5,
      "token @0 > L0 #7 @1": 2,
    });
  });

  const file = older() as { nodes: object[]; links: object[]; metadata: object };
  test.each([
    [
      "a node twice",
      { ...file, nodes: [...file.nodes, file.nodes[0]] },
      'nodes[4]: node_id: got "E_4_0" a second time',
    ],
    [
      "a link to nowhere",
      { ...file, links: [{ source: "E_4_0", target: "x", weight: 1 }] },
      'links[0]: got "x"; expected the id of a node',
    ],
    [
      "a weight that is no number",
      { ...file, links: [{ source: "E_4_0", target: "0_7_1", weight: null }] },
      "links[0]: weight: got nothing; expected a finite number",
    ],
    [
      "a position outside",
      { ...file, nodes: [{ ...file.nodes[0], ["ctx_idx"]: 2 }], links: [] },
      "nodes[0]: ctx_idx: got 2; expected a position below 2",
    ],
    ["no metadata", { nodes: [], links: [] }, "metadata: slug: got nothing"],
    [
      "a layer that is no number",
      { ...file, nodes: [{ ...file.nodes[1], layer: "x" }], links: [] },
      'nodes[0]: layer: got "x"',
    ],
    ["a truncated file", '{"metadata": {', "foreign.json"],
    ["a later version", { format: "limpid-attribution-graph", version: 9 }, "version: got 9; expected at most 1"],
  ])("%s", async (_, json, message) => {
    await expect(openGraph(write(json))).rejects.toThrow(message);
  });

  test("rows whose sources come before their targets are refused in limpid's own", async () => {
    const { whole } = await saveGraph(plain, folder, { slug: "rows" });
    const json = JSON.parse(text(whole)) as { edges: { sources: number[] }[] };
    json.edges[1]?.sources.splice(0, 1, 0);
    await expect(openGraph(write(json))).rejects.toThrow("edges[1]: got 0; expected as many sources as weights");
  });
});

test("a graph of another model and a slug that is no file name are refused", async () => {
  const model = await loadModel("tiny");
  const { whole, viewer } = await saveGraph(plain, folder, { slug: "other" });
  for (const path of [whole, viewer])
    await expect(openGraph(path, { model })).rejects.toThrow("got a graph of m; expected one of");
  await model.close();
  for (const slug of ["", "../x", ".hidden"])
    await expect(saveGraph(plain, folder, { slug })).rejects.toThrow("saveGraph: slug");
});
