/** The stored names and shapes that a weight map implies, so that a checkpoint can be checked before use. */
import type { ModelConfig } from "../config.js";
import type { BlockWeights, Linear, NormWeights, WeightMap } from "./weight-map.js";

type Shapes = Map<string, readonly number[]>;

function outputs(linear: Linear): number {
  return (linear.layout === "out-in" ? linear.shape[0] : linear.shape.at(-1)) ?? 0;
}

function addLinear(shapes: Shapes, linear: Linear): void {
  shapes.set(linear.weight, linear.shape);
  if (linear.bias === undefined) return;
  const [heads = 0, , dHead = 0] = linear.shape;
  shapes.set(linear.bias, linear.layout === "head-in-out" ? [heads, dHead] : [outputs(linear)]);
}

function addNorm(shapes: Shapes, norm: NormWeights | undefined, size: number): void {
  if (norm?.weight !== undefined) shapes.set(norm.weight, [size]);
  if (norm?.bias !== undefined) shapes.set(norm.bias, [size]);
}

function addBlock(shapes: Shapes, { attn, mlp, ...norms }: BlockWeights, config: ModelConfig): void {
  for (const norm of [norms.ln1, norms.ln1Post, norms.ln2, norms.ln2Post]) addNorm(shapes, norm, config.dModel);
  for (const norm of [attn.qNorm, attn.kNorm]) addNorm(shapes, norm, config.dHead);
  for (const linear of [attn.q, attn.k, attn.v, attn.o]) addLinear(shapes, linear);
  for (const linear of [mlp?.gate, mlp?.in, mlp?.out]) if (linear) addLinear(shapes, linear);
  if (mlp?.postBias !== undefined) shapes.set(mlp.postBias, [config.dMlp]);
}

/** Returns every stored name that the map needs, with the shape it must have. */
export function expectedWeights(map: WeightMap, config: ModelConfig): ReadonlyMap<string, readonly number[]> {
  const shapes: Shapes = new Map([[map.embed, [config.dVocab, config.dModel]]]);
  if (map.posEmbed !== undefined) shapes.set(map.posEmbed, [config.nCtx, config.dModel]);
  for (const block of map.blocks) addBlock(shapes, block, config);
  addNorm(shapes, map.lnFinal, config.dModel);
  addLinear(shapes, map.unembed);
  return shapes;
}
