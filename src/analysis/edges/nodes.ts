/** Nodes of a model's graph of heads and MLPs, and the inputs that they read, by name. */
import { InputError, nearestNames } from "../../core/index.js";
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
  const near = nearestNames(
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

/** Whether a sender's write is in what a receiver reads. */
export function isUpstream({ config }: Model, from: Sender, to: Receiver): boolean {
  if (from.kind === "embed" || from.kind === "pos_embed" || to.kind === "logits") return true;
  if (from.kind === "head" && to.kind === "mlp" && !config.parallelAttnMlp) return from.layer <= to.layer;
  return from.layer < to.layer;
}
