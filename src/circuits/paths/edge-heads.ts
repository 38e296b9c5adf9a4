/**
 * Edges of an attribution graph split by the head that brought them: the attention step nearest to the target.
 *
 * What a target reads at its position came straight through the stream, or some head wrote it there. Each head with the
 * position that it read is a direction of the stream below it, and walks back like any other target; what no head brought
 * is read off at the target's own position. The parts sum to the edges of `attributionGraph`.
 */
import { type LongCallOptions, printsItself, progressOf, throwIfAborted } from "../../core/index.js";
import type { DictionarySet } from "../../dictionary/index.js";
import type { Model } from "../../model/index.js";
import { Engine } from "../../runtime/index.js";
import { table, type View } from "../../viz/index.js";
import { promptTokens } from "../attribution/attribute.js";
import { chosenTargets, type LogitChoice, targetHooks } from "../attribution/choice.js";
import { freezePrompt } from "../attribution/frozen.js";
import { linearModel } from "../attribution/linear-model.js";
import { type GraphNode, nodeId } from "../attribution/nodes.js";
import { RowWalker, type WalkRow } from "../attribution/rows.js";
import type { WalkTarget } from "../attribution/walker.js";
import type { HeadAddress } from "./directions.js";
import { FrozenStream, streamHooks } from "./frozen-stream.js";
import { onlyTarget, type PathTarget } from "./paths.js";
import { type BySource, directParts, SourceList } from "./source-list.js";

/** Options of `edgeHeads`. */
export interface EdgeHeadOptions extends LogitChoice, LongCallOptions {
  /** The first position whose MLP writes are split into features. Default 1. */
  readonly firstPosition?: number;
  /** Default `"float32"`. */
  readonly precision?: "float32" | "float64";
  /** Directions walked at a time. Default 256. */
  readonly batch?: number;
}

/** A head, and the position that it read. */
export interface HeadRead extends HeadAddress {
  readonly pos: number;
}

/** A part of an edge. */
export interface EdgePart {
  /** The head that wrote it where the target reads, or `"direct"` for what no head moved. */
  readonly via: HeadRead | "direct";
  readonly weight: number;
}

/** Edges into one target, by heads. Immutable. */
export class EdgeHeads {
  static {
    printsItself(this.prototype);
  }

  readonly target: PathTarget;
  /** Nodes with an edge into the target, as `attributionGraph` has them. */
  readonly sources: readonly GraphNode[];
  /** Largest distance of the sum of an edge's parts from the edge, over the sum of all edges' sizes. */
  readonly certificate: number;
  readonly #parts: ReadonlyMap<string, readonly EdgePart[]>;

  /** @internal Use `edgeHeads`. */
  constructor(parts: {
    readonly target: PathTarget;
    readonly sources: readonly GraphNode[];
    readonly certificate: number;
    readonly parts: ReadonlyMap<string, readonly EdgePart[]>;
  }) {
    this.target = parts.target;
    this.sources = parts.sources;
    this.certificate = parts.certificate;
    this.#parts = parts.parts;
  }

  /** Returns the parts of the edge from a node, the strongest first; none where there is no edge. */
  split(source: GraphNode): readonly EdgePart[] {
    return this.#parts.get(nodeId(source)) ?? [];
  }

  /** Returns the parts of all edges, the strongest first. */
  top(count = 10): readonly (EdgePart & { readonly source: GraphNode })[] {
    const all = this.sources.flatMap((source) => this.split(source).map((part) => ({ source, ...part })));
    return all.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, count);
  }

  /** Returns a table of the strongest parts. */
  toView(): View {
    return table(
      [
        { name: "from", kind: "text" },
        { name: "through", kind: "text" },
        { name: "weight", kind: "number" },
      ],
      this.top(30).map(({ source, via, weight }) => [nodeId(source), viaText(via), weight]),
      { title: `Edges into ${this.target.label} @${this.target.pos}, by head` },
    );
  }

  /** Returns the strongest parts as text. */
  toString(): string {
    const lines = this.top(8).map(({ source, via, weight }) => {
      return `  ${weight < 0 ? "-" : "+"}${Math.abs(weight).toFixed(3)} ${nodeId(source)}, ${viaText(via)}`;
    });
    const exact = `parts sum to edges within ${this.certificate.toExponential(1)}`;
    return [`EdgeHeads into ${this.target.label} @${this.target.pos}: ${exact}`, ...lines].join("\n");
  }
}

function viaText(via: EdgePart["via"]): string {
  return via === "direct" ? "directly" : `through L${via.layer}H${via.head} at ${via.pos}`;
}

interface HeadTarget {
  readonly via: HeadRead;
  readonly target: WalkTarget;
}

/** Every head below a target and every position that it reads, as directions of the stream below it. */
function headTargets(stream: FrozenStream, target: WalkTarget): readonly HeadTarget[] {
  const { nLayers } = stream.linear;
  return Array.from({ length: nLayers }, (_, layer) => layer).flatMap((layer) =>
    stream.headsOf(stream.descend(target), layer).map(({ source, direction, contribution }) => {
      const vector = direction.vector.map((x) => x * direction.dependent);
      const start = { kind: "stream", layer, isMid: false } as const;
      return {
        via: { layer, head: source.head, pos: source.pos },
        target: { start, pos: source.pos, direction: vector, constant: 0, value: contribution },
      };
    }),
  );
}

/** Walks from every head, a layer at a time. */
async function walkHeads(
  walker: RowWalker,
  heads: readonly HeadTarget[],
  options: EdgeHeadOptions,
): Promise<readonly (readonly [HeadRead, WalkRow])[]> {
  const { batch = 256, signal } = options;
  const report = progressOf(options);
  const found: (readonly [HeadRead, WalkRow])[] = [];
  for (const layer of new Set(heads.map(({ via }) => via.layer))) {
    const own = heads.filter(({ via }) => via.layer === layer);
    for (let from = 0; from < own.length; from += batch) {
      throwIfAborted(signal, "edgeHeads");
      report?.({ done: found.length, total: heads.length, label: "walk back from heads" });
      const part = own.slice(from, from + batch);
      const rows = await walker.rows(part.map(({ target }) => target));
      rows.forEach((row, i) => {
        const via = part[i]?.via;
        if (via !== undefined) found.push([via, row]);
      });
    }
  }
  report?.({ done: heads.length, total: heads.length, label: "walk back from heads" });
  return found;
}

/** Puts the parts of every edge together and compares their sums with the whole walk. */
function collect(
  list: SourceList,
  whole: BySource,
  ways: readonly (readonly [EdgePart["via"], BySource])[],
): Pick<ConstructorParameters<typeof EdgeHeads>[0], "certificate" | "parts" | "sources"> {
  const parts = new Map<string, readonly EdgePart[]>();
  const sources: GraphNode[] = [];
  let [worst, size] = [0, 0];
  for (const [index, node] of list.nodes.entries()) {
    const own = ways.flatMap(([via, weights]) => {
      const weight = weights[index] ?? 0;
      return weight === 0 ? [] : [{ via, weight }];
    });
    const sum = own.reduce((total, { weight }) => total + weight, 0);
    worst = Math.max(worst, Math.abs(sum - (whole[index] ?? 0)));
    size += Math.abs(whole[index] ?? 0);
    if (own.length === 0) continue;
    sources.push(node);
    parts.set(
      nodeId(node),
      own.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)),
    );
  }
  return { parts, sources, certificate: worst / Math.max(size, 1e-30) };
}

/**
 * Splits every edge into a target by the head nearest to it: which head, reading which position, wrote it where the target
 * reads, and what came straight through the stream.
 *
 * @param set - As for `attributionGraph`.
 * @param options - `target` as for `attributionGraph`, but one; by default the likeliest next token. To split the edges into a
 *   feature of a graph, pass it as `{ feature }`.
 * @throws InputError as `attributionGraph`, and for several targets.
 */
export async function edgeHeads(
  model: Model,
  prompt: string | readonly number[],
  set: DictionarySet | undefined,
  options: EdgeHeadOptions = {},
): Promise<EdgeHeads> {
  const { firstPosition = 1, precision = "float32" } = options;
  const tokens = promptTokens(model, prompt, "edgeHeads");
  const linear = await linearModel(model);
  const capture = [...targetHooks(model, options), ...streamHooks(linear)];
  const frozen = await freezePrompt(model, tokens, set, { linear, precision, firstPosition, capture });
  const chosen = await chosenTargets(model, linear, frozen, options);
  const target = onlyTarget(chosen, options.target !== undefined, "edgeHeads");
  const stream = new FrozenStream(linear, frozen, { tokens, firstPosition });
  const engine = Engine.create({});
  const walker = new RowWalker({ linear, frozen, precision, engine }, "heads");
  try {
    const [whole] = await walker.rows([target]);
    const list = new SourceList(linear, frozen, tokens);
    const heads = await walkHeads(walker, headTargets(stream, target), options);
    const ways = heads.map(([via, row]) => [via, list.weights(row)] as const);
    const direct = directParts(stream, list, target);
    return new EdgeHeads({
      target: { label: target.label, pos: target.pos, value: target.value },
      ...collect(list, whole === undefined ? [] : list.weights(whole), [["direct", direct], ...ways]),
    });
  } finally {
    await walker.close();
    await engine.close();
  }
}
