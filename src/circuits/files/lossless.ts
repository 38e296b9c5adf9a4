/** limpid's own file of a graph: every node, every number, what it was made from. */
import { FormatError } from "../../core/index.js";
import { JsonFields } from "../../io/index.js";
import { AttributionGraph } from "../attribution/graph.js";
import type { EdgeRow } from "../attribution/influence.js";
import type { GraphNode } from "../attribution/nodes.js";

/** The name that the file says it has. */
export const losslessFormat = "limpid-attribution-graph";

const version = 1;

/** Returns the graph as JSON values; edges as one row for each node that has any. */
export function toLossless(graph: AttributionGraph): Readonly<Record<string, unknown>> {
  const { prompt, nodes, certificate, omittedFeatures, provenance } = graph;
  const index = new Map(nodes.map((node, i) => [node, i]));
  const edges = nodes.flatMap((_, target) => {
    const into = graph.edgesInto(target);
    if (into.length === 0) return [];
    return [
      { target, sources: into.map(({ source }) => index.get(source)), weights: into.map(({ weight }) => weight) },
    ];
  });
  return { format: losslessFormat, version, prompt, nodes, edges, certificate, omittedFeatures, provenance };
}

function readNode(json: unknown, where: string): GraphNode {
  const fields = new JsonFields(where, json);
  const kind = fields.word("kind", ["feature", "error", "token", "position", "bias", "remainder", "target"]);
  if (kind === "bias" || kind === "remainder") return { kind };
  const pos = fields.index("pos");
  if (kind === "position") return { kind, pos };
  if (kind === "token") return { kind, pos, token: fields.index("token") };
  if (kind === "error") return { kind, pos, layer: fields.index("layer") };
  if (kind === "target") {
    const own = { kind, pos, label: fields.text("label"), weight: fields.number("weight") };
    const tokens = ["token", "versus"].filter((key) => fields.has(key)).map((key) => [key, fields.index(key)]);
    return { ...own, ...(Object.fromEntries(tokens) as Readonly<Record<string, number>>) };
  }
  const [layer, feature] = [fields.index("layer"), fields.index("feature")];
  return { kind, layer, pos, feature, activation: fields.number("activation") };
}

function readRow(nodes: number): (json: unknown, where: string) => readonly [number, EdgeRow] {
  return (json, where) => {
    const fields = new JsonFields(where, json);
    const [target, sources, weights] = [fields.index("target"), fields.numbers("sources"), fields.numbers("weights")];
    const isPlace = (value: number): boolean => Number.isInteger(value) && value > target && value < nodes;
    const wrong = sources.find((source) => !isPlace(source));
    if (wrong !== undefined || target >= nodes || sources.length !== weights.length)
      throw badRow(where, wrong === undefined ? `${sources.length} sources, ${weights.length} weights` : String(wrong));
    return [target, { sources: Int32Array.from(sources), weights: Float64Array.from(weights) }];
  };
}

function badRow(where: string, got: string): FormatError {
  return new FormatError({
    where,
    got,
    expected: "as many sources as weights, each the place of a later node",
    fix: "The file was changed; write it again with saveGraph.",
  });
}

/**
 * Reads a graph, equal in every number to the one that was saved.
 *
 * @throws FormatError that names the field that is missing or wrong.
 */
export function fromLossless(json: unknown, where: string): AttributionGraph {
  const fields = new JsonFields(where, json);
  fields.word("format", [losslessFormat]);
  if (fields.size("version") > version) throw newer(where, fields.size("version"));
  const nodes = fields.list("nodes", readNode);
  const [certificate, provenance] = [fields.inner("certificate"), fields.inner("provenance")];
  return new AttributionGraph({
    prompt: fields.texts("prompt"),
    nodes,
    rows: new Map(fields.list("edges", readRow(nodes.length))),
    certificate: {
      worst: certificate.optionalNumber("worst") ?? Number.NaN,
      at: certificate.text("at"),
      checked: certificate.index("checked"),
    },
    omittedFeatures: fields.index("omittedFeatures"),
    provenance: {
      model: provenance.text("model"),
      identity: provenance.optionalText("identity") ?? "",
      dictionaries: provenance.optionalText("dictionaries") ?? "",
      tokens: provenance.numbers("tokens"),
      firstPosition: provenance.index("firstPosition"),
      ...(provenance.has("wholeMlps") ? { wholeMlps: provenance.numbers("wholeMlps") } : {}),
    },
  });
}

function newer(where: string, got: number): FormatError {
  return new FormatError({
    where: `${where}: version`,
    got: String(got),
    expected: `at most ${version}`,
    fix: "It was written by a later limpid; update this one.",
  });
}
