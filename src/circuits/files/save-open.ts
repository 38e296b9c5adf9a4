/** Graphs on disk. */

import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../../core/index.js";
import { isJsonObject, readJsonObject, writeFileAtomic } from "../../io/index.js";
import type { Model } from "../../model/index.js";
import type { AttributionGraph } from "../attribution/graph.js";
import type { PruneOptions } from "../attribution/influence.js";
import { fromTracer } from "./from-tracer.js";
import { fromLossless, losslessFormat, toLossless } from "./lossless.js";
import { type TracerOptions, toTracer } from "./to-tracer.js";
import { checkTracerFile, tracerJson } from "./tracer-schema.js";

/** Options of {@link saveGraph}. */
export interface SaveGraphOptions extends TracerOptions {
  /** How much the file for viewers keeps. Default circuit-tracer's: 0.8 of the nodes' influence, 0.98 of the edges'. */
  readonly prune?: PruneOptions;
}

/** Where a graph was written. */
export interface SavedGraph {
  /** For circuit-tracer's viewer and Neuronpedia; pruned. */
  readonly viewer: string;
  /** limpid's own; nothing left out. */
  readonly whole: string;
}

/**
 * Writes a graph into a folder: `{slug}.json` for public viewers, with its entry in `graph-metadata.json`, and
 * `{slug}.limpid.json`, which {@link openGraph} reads back equal in every number.
 *
 * Ids are unique: errors are `{layer}_-1_{pos}`. Biases and learned positions have no place in the viewers' format and are
 * left out there, as `graph.scores()` leaves them out.
 *
 * @throws InputError for a slug that is no file name; MemoryError when the disk is full, with nothing half written.
 */
export async function saveGraph(
  graph: AttributionGraph,
  folder: string,
  options: SaveGraphOptions,
): Promise<SavedGraph> {
  const { slug, prune = {} } = options;
  if (!/^[\w.-]+$/.test(slug) || slug.startsWith(".")) throw badSlug(slug);
  await mkdir(folder, { recursive: true });
  const { nodeShare = 0.8, edgeShare = 0.98 } = prune;
  const file = toTracer(graph.prune({ nodeShare, edgeShare }), options);
  const thresholds = { ["node_threshold"]: nodeShare, ["edge_threshold"]: edgeShare };
  const json = tracerJson(file, {
    ["node_threshold"]: nodeShare,
    info: { generator: { name: "limpid" }, ["create_time_ms"]: Date.now() },
    ["pruning_settings"]: thresholds,
  });
  const saved = { viewer: join(folder, `${slug}.json`), whole: join(folder, `${slug}.limpid.json`) };
  checkTracerFile(json, saved.viewer);
  await writeFileAtomic(saved.whole, `${JSON.stringify(toLossless(graph))}\n`);
  await writeFileAtomic(saved.viewer, `${JSON.stringify(json)}\n`);
  await list(join(folder, "graph-metadata.json"), json.metadata);
  return saved;
}

/** Puts an entry into the list of graphs of a folder, in place of an older one of the same slug. */
async function list(path: string, metadata: { readonly slug: string }): Promise<void> {
  const graphs: readonly unknown[] = existsSync(path) ? asList((await readJsonObject(path))["graphs"]) : [];
  const others = graphs.filter((one) => !isJsonObject(one) || one["slug"] !== metadata.slug);
  await writeFileAtomic(path, `${JSON.stringify({ graphs: [...others, metadata] }, undefined, 2)}\n`);
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Options of {@link openGraph}. */
export interface OpenGraphOptions {
  /** Refuses a graph of any other model. */
  readonly model?: Model;
}

/**
 * Opens a graph: limpid's own file, or one that circuit-tracer or Neuronpedia wrote.
 *
 * @throws FormatError that names what is wrong in the file; InputError for a graph of another model.
 */
export async function openGraph(path: string, { model }: OpenGraphOptions = {}): Promise<AttributionGraph> {
  const json = await readJsonObject(path);
  const graph =
    json["format"] === losslessFormat ? fromLossless(json, path) : fromTracer(checkTracerFile(json, path), path);
  if (model !== undefined) checkModel(path, graph, model);
  return graph;
}

function checkModel(path: string, { provenance }: AttributionGraph, model: Model): void {
  const { id, identity } = model.view.core.checkpoint;
  const isSame = provenance.identity === "" ? provenance.model === id : provenance.identity === identity;
  if (isSame) return;
  throw new InputError({
    where: `openGraph: ${path}`,
    got: `a graph of ${provenance.model}`,
    expected: `one of ${id}`,
    fix: "Load the model that was traced, or leave model out.",
  });
}

function badSlug(got: string): InputError {
  return new InputError({
    where: "saveGraph: slug",
    got: JSON.stringify(got),
    expected: "letters, digits, - and _",
    fix: 'Name the file, such as "capital-of-france".',
  });
}
