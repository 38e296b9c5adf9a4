/**
 * The JSON that circuit-tracer writes and its viewer and Neuronpedia read: types and checks.
 *
 * Neuronpedia's schema (draft-07) asks for `slug scan prompt_tokens prompt` in the metadata and `node_id feature layer ctx_idx
 * feature_type jsNodeId clerp` in nodes; everything else may be absent.
 */
import { FormatError } from "../../core/index.js";
import { JsonFields } from "../../io/index.js";

/** Kinds of nodes that the format knows. */
export const tracerTypes = {
  feature: "cross layer transcoder",
  error: "mlp reconstruction error",
  token: "embedding",
  target: "logit",
} as const;

/** A node of the file; beside each field its name there. */
export interface TracerNode {
  /** `node_id` */
  readonly id: string;
  /** `feature` */
  readonly feature: number | null;
  /** `layer` */
  readonly layer: string;
  /** `ctx_idx` */
  readonly pos: number;
  /** `feature_type` */
  readonly type: string;
  /** `jsNodeId` */
  readonly jsId: string;
  /** `clerp` */
  readonly label: string;
  /** `token_prob` */
  readonly probability?: number;
  /** `is_target_logit` */
  readonly isTarget?: boolean;
  /** `influence` */
  readonly influence?: number;
  /** `activation` */
  readonly activation?: number;
}

/** An edge of the file: `source` feeds `target`. */
export interface TracerLink {
  readonly source: string;
  readonly target: string;
  readonly weight: number;
}

/** What the file says about itself. */
export interface TracerMetadata {
  readonly slug: string;
  readonly scan: string;
  readonly prompt: string;
  /** `prompt_tokens` */
  readonly tokens: readonly string[];
}

/** A whole file. */
export interface TracerFile {
  readonly metadata: TracerMetadata;
  readonly nodes: readonly TracerNode[];
  readonly links: readonly TracerLink[];
}

function readNode(json: unknown, where: string): TracerNode {
  const fields = new JsonFields(where, json);
  const optional = (name: string, key: "activation" | "influence" | "probability") => {
    const value = fields.optionalNumber(name);
    return value === undefined ? {} : { [key]: value };
  };
  return {
    id: fields.text("node_id"),
    feature: fields.optionalNumber("feature") ?? null,
    layer: fields.text("layer"),
    pos: fields.index("ctx_idx"),
    type: fields.text("feature_type"),
    jsId: fields.text("jsNodeId"),
    label: fields.optionalText("clerp") ?? "",
    ...optional("activation", "activation"),
    ...optional("influence", "influence"),
    ...optional("token_prob", "probability"),
  };
}

function nodeJson(node: TracerNode): Readonly<Record<string, unknown>> {
  return {
    ["node_id"]: node.id,
    feature: node.feature,
    layer: node.layer,
    ["ctx_idx"]: node.pos,
    ["feature_type"]: node.type,
    ["token_prob"]: node.probability ?? 0,
    ["is_target_logit"]: node.isTarget ?? false,
    ["run_idx"]: 0,
    ["reverse_ctx_idx"]: 0,
    jsNodeId: node.jsId,
    clerp: node.label,
    influence: node.influence ?? null,
    activation: node.activation ?? null,
  };
}

/** Returns the file as JSON values; `more` adds to the metadata. */
export function tracerJson(
  { metadata, nodes, links }: TracerFile,
  more: Readonly<Record<string, unknown>>,
): {
  readonly metadata: Readonly<Record<string, unknown>> & { readonly slug: string };
  readonly qParams: Readonly<Record<string, unknown>>;
  readonly nodes: readonly Readonly<Record<string, unknown>>[];
  readonly links: readonly TracerLink[];
} {
  const { tokens, ...own } = metadata;
  return {
    metadata: { ...own, ["prompt_tokens"]: tokens, ["transcoder_list"]: [], ["schema_version"]: 1, ...more },
    qParams: { pinnedIds: [], supernodes: [], linkType: "both", clickedId: "", ["sg_pos"]: "" },
    nodes: nodes.map(nodeJson),
    links,
  };
}

function readLink(json: unknown, where: string): TracerLink {
  const fields = new JsonFields(where, json);
  return { source: fields.text("source"), target: fields.text("target"), weight: fields.number("weight") };
}

/**
 * Checks a file against the schema.
 *
 * @throws FormatError that names the place: a field that is missing or of another kind, an id that two nodes share, a link
 *   whose end is no node, a position outside the prompt.
 */
export function checkTracerFile(json: unknown, where: string): TracerFile {
  const fields = new JsonFields(where, json);
  const about = fields.inner("metadata");
  const metadata = {
    slug: about.text("slug"),
    scan: about.text("scan"),
    prompt: about.text("prompt"),
    tokens: about.texts("prompt_tokens"),
  };
  const nodes = fields.list("nodes", readNode);
  const links = fields.list("links", readLink);
  const ids = new Set<string>();
  for (const [i, { id, pos }] of nodes.entries()) {
    const at = `${where}: nodes[${i}]`;
    if (ids.has(id)) throw wrong(`${at}: node_id`, `"${id}" a second time`, "ids that differ");
    if (pos >= metadata.tokens.length)
      throw wrong(`${at}: ctx_idx`, String(pos), `a position below ${metadata.tokens.length}`);
    ids.add(id);
  }
  for (const [i, { source, target }] of links.entries()) {
    const missing = [source, target].find((id) => !ids.has(id));
    if (missing !== undefined) throw wrong(`${where}: links[${i}]`, `"${missing}"`, "the id of a node");
  }
  return { metadata, nodes, links };
}

function wrong(where: string, got: string, expected: string): FormatError {
  return new FormatError({ where, got, expected, fix: "Write the graph again with saveGraph, or get the original." });
}
