/** Counts the numbers that a checkpoint stores, block by block. */
import type { Model, ModelConfig } from "../../model/index.js";
import type { LayerSizes } from "./sizes.js";

/** What a model holds besides its configuration: where its weights lie. */
export type CountedParts = Pick<Model["view"]["core"], "map" | "tensors">;

type Block = CountedParts["map"]["blocks"][number];
type Norm = NonNullable<Block["ln1"]>;

/** Numbers of one block. */
export interface BlockCounts {
  readonly attention: number;
  readonly mlp: number;
  /** Gains and biases. */
  readonly other: number;
}

function sizeOf({ tensors }: CountedParts, name: string | undefined): number {
  const shape = name === undefined ? undefined : tensors.get(name)?.shape;
  return shape === undefined ? 0 : shape.reduce((product, size) => product * size, 1);
}

function normSize(parts: CountedParts, norm: Norm | undefined): number {
  return sizeOf(parts, norm?.weight) + sizeOf(parts, norm?.bias);
}

/** Biases of a block's linear maps that are left, by what each map writes. */
function biases({ dModel, dHead }: ModelConfig, sizes: LayerSizes, { attn, mlp }: Block): number {
  const [queries, keys] = [sizes.heads * dHead, sizes.kvHeads * dHead];
  const [out, neurons] = [sizes.heads > 0 ? dModel : 0, sizes.neurons];
  const linears = [
    { bias: attn.q.bias, size: queries },
    { bias: attn.k.bias, size: keys },
    { bias: attn.v.bias, size: keys },
    { bias: attn.o.bias, size: out },
    { bias: mlp?.in.bias, size: neurons },
    { bias: mlp?.gate?.bias, size: neurons },
    { bias: mlp?.postBias, size: neurons },
    { bias: mlp?.out.bias, size: neurons > 0 ? dModel : 0 },
  ];
  return linears.reduce((sum, { bias, size }) => sum + (bias === undefined ? 0 : size), 0);
}

/** Norms that something is left to read; a norm that both sublayers read stays with either. */
function norms(config: ModelConfig, sizes: LayerSizes, block: Block, parts: CountedParts): number {
  const [hasAttention, hasMlp] = [sizes.heads > 0, sizes.neurons > 0];
  const isShared = config.parallelAttnMlp && block.ln2?.weight === block.ln1?.weight;
  const read = [
    { norm: block.ln1, isRead: hasAttention || (config.parallelAttnMlp && hasMlp && block.ln2 === undefined) },
    { norm: isShared && hasAttention ? undefined : block.ln2, isRead: hasMlp },
    { norm: block.ln1Post, isRead: hasAttention },
    { norm: block.ln2Post, isRead: hasMlp },
    { norm: block.attn.qNorm, isRead: hasAttention },
    { norm: block.attn.kNorm, isRead: hasAttention },
  ];
  return read.reduce((sum, { norm, isRead }) => sum + (isRead ? normSize(parts, norm) : 0), 0);
}

/** Counts what is left of one block. */
export function countBlock(
  config: ModelConfig,
  sizes: LayerSizes,
  parts: CountedParts | undefined,
  layer: number,
): BlockCounts {
  const { dModel, dHead, gatedMlp } = config;
  const block = parts?.map.blocks[layer];
  return {
    attention: 2 * dModel * dHead * (sizes.heads + sizes.kvHeads),
    mlp: (gatedMlp ? 3 : 2) * dModel * sizes.neurons,
    other:
      parts === undefined || block === undefined
        ? 0
        : norms(config, sizes, block, parts) + biases(config, sizes, block),
  };
}

/** Counts embeddings, unembedding and final norm. */
export function countEmbeddings(
  config: ModelConfig,
  parts: CountedParts | undefined,
): { readonly embedding: number; readonly other: number } {
  const { dModel, dVocab, dVocabOut, nCtx, tiedEmbeddings, positionalEmbedding } = config;
  const unembed = tiedEmbeddings ? 0 : dModel * dVocabOut;
  if (parts === undefined) {
    const positions = positionalEmbedding === "standard" ? nCtx * dModel : 0;
    return { embedding: dModel * dVocab + positions + unembed, other: 0 };
  }
  const { map } = parts;
  return {
    embedding: sizeOf(parts, map.embed) + sizeOf(parts, map.posEmbed) + unembed,
    other: normSize(parts, map.lnFinal) + (map.unembed.bias === undefined ? 0 : dVocabOut),
  };
}
