/** Nodes of a model's graph of heads and MLPs, and the inputs that they read, by name. */
import { InputError } from "../../core/index.js";
import type { Model } from "../../model/index.js";

/** A part that writes to the stream: `embed`, `pos_embed`, a head `a3.h1`, an MLP `m3`. */
export type Sender =
  | { readonly kind: "embed"; readonly name: string }
  | { readonly kind: "pos_embed"; readonly name: string }
  | { readonly kind: "head"; readonly name: string; readonly layer: number; readonly head: number }
  | { readonly kind: "mlp"; readonly name: string; readonly layer: number };

/** A sender and a receiver, by name. */
export interface Edge {
  readonly from: string;
  readonly to: string;
}

/** What a head reads: to make its query, key or value. */
export type HeadInput = "q" | "k" | "v";

/** An input that reads the stream: `a3.h1.q`, `m3`, `logits`; grouped keys and values are those of `a3.kv0.k`. */
export type Receiver =
  | { readonly kind: "logits"; readonly name: string }
  | {
      readonly kind: "head";
      readonly name: string;
      readonly layer: number;
      /** Key/value head for keys and values. */
      readonly head: number;
      readonly input: HeadInput;
    }
  | { readonly kind: "mlp"; readonly name: string; readonly layer: number };

function count(n: number): readonly number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** Every sender of a model, in the order of computation. */
export function sendersOf({ config }: Model): readonly Sender[] {
  const { nLayers, nHeads, attnOnly, positionalEmbedding } = config;
  const layers = count(nLayers).flatMap((layer): readonly Sender[] => [
    ...count(nHeads).map((head) => ({ kind: "head", name: `a${layer}.h${head}`, layer, head }) as const),
    ...(attnOnly ? [] : [{ kind: "mlp", name: `m${layer}`, layer } as const]),
  ]);
  const positions = positionalEmbedding === "standard" ? [{ kind: "pos_embed", name: "pos_embed" } as const] : [];
  return [{ kind: "embed", name: "embed" }, ...positions, ...layers];
}

/** Every receiver of a model, in the order of computation. */
export function receiversOf({ config }: Model): readonly Receiver[] {
  const { nLayers, nHeads, nKeyValueHeads, attnOnly } = config;
  const shared = nHeads === nKeyValueHeads ? "h" : "kv";
  const inputs = (layer: number): readonly Receiver[] =>
    (["q", "k", "v"] as const).flatMap((input) =>
      count(input === "q" ? nHeads : nKeyValueHeads).map((head) => {
        const name = `a${layer}.${input === "q" ? "h" : shared}${head}.${input}`;
        return { kind: "head", name, layer, head, input } as const;
      }),
    );
  const layers = count(nLayers).flatMap((layer) => [
    ...inputs(layer),
    ...(attnOnly ? [] : [{ kind: "mlp", name: `m${layer}`, layer } as const]),
  ]);
  return [...layers, { kind: "logits", name: "logits" }];
}

/** Finds nodes by name. */
export function findNodes<T extends { readonly name: string }>(
  names: readonly string[],
  known: readonly T[],
  where: string,
): readonly T[] {
  return names.map((name) => {
    const found = known.find((one) => one.name === name);
    if (found === undefined) throw noSuchNode(name, known, where);
    return found;
  });
}

function noSuchNode(name: string, known: readonly { readonly name: string }[], where: string): InputError {
  const near = nearestNodes(
    name,
    known.map((one) => one.name),
  );
  return new InputError({
    where,
    got: `"${name}", which is no node of this model`,
    expected: `one of ${known.length} nodes; nearest: ${near.join(", ")}`,
    fix: 'Senders are "embed", "a3.h1", "m3"; receivers "a3.h1.q", "m3", "logits"; grouped keys "a3.kv0.k".',
  });
}

/** What the name of a node says. */
interface NodeWords {
  readonly kind: string;
  readonly layer: number;
  readonly head: number;
  readonly input: string;
}

/** Reads names such as `a3.h1.q`, and what is meant by `L3H1` or `blocks.3.mlp`. */
function wordsOf(name: string): NodeWords {
  const text = name.toLowerCase();
  const [layer = Number.NaN, head = Number.NaN] = (text.match(/\d+/g) ?? []).map(Number);
  const isMlp = /^m\d|mlp/.test(text);
  const kind = Number.isNaN(layer) ? text.replace(/^hook_/, "") : isMlp ? "mlp" : "head";
  const [, input = ""] = /(?:[._]|\d)([qkv])$/.exec(text) ?? [];
  return { kind, layer, head, input };
}

/** How far apart two nodes are in meaning: another kind or layer counts more than another head, that more than an input. */
function distance(wanted: NodeWords, node: NodeWords): number {
  const apart = (a: number, b: number): number => (Number.isNaN(a) || Number.isNaN(b) ? 0 : Math.abs(a - b));
  const kind = wanted.kind === node.kind ? 0 : 1e6;
  const input = wanted.input === "" || wanted.input === node.input ? 0 : 1;
  return kind + 1000 * apart(wanted.layer, node.layer) + 2 * apart(wanted.head, node.head) + input;
}

/** The nodes nearest in meaning: of the same kind and layer, then of the same head, then of the same input. */
function nearestNodes(name: string, known: readonly string[]): readonly string[] {
  const wanted = wordsOf(name);
  const apart = known.map((node) => ({ node, by: distance(wanted, wordsOf(node)) }));
  const nearest = apart.toSorted((a, b) => a.by - b.by).slice(0, 3);
  return nearest.map(({ node }) => node);
}

/** Whether a sender's write is in what a receiver reads. */
export function isUpstream({ config }: Model, from: Sender, to: Receiver): boolean {
  if (from.kind === "embed" || from.kind === "pos_embed" || to.kind === "logits") return true;
  if (from.kind === "head" && to.kind === "mlp" && !config.parallelAttnMlp) return from.layer <= to.layer;
  return from.layer < to.layer;
}
