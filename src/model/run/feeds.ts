/** The graph inputs of one run. */
import type { GraphDType } from "../../graph/index.js";
import type { RawTensor } from "../../runtime/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { EditInput } from "../edits/apply.js";
import { bindMask, bindValue, type Sizes, touchesNothing } from "../edits/bind.js";
import { masksOver } from "../edits/keep-weights.js";
import type { BatchLayout } from "../edits/positions.js";
import { floatData } from "../edits/values.js";
import type { BuiltGraph } from "../plan/build.js";
import type { GraphRequest } from "../plan/request.js";
import type { Batch } from "./input.js";

function int64(values: ArrayLike<number>, shape: readonly number[]): RawTensor {
  return { dtype: "int64", shape, data: BigInt64Array.from(Array.from(values, BigInt)) };
}

/** Next-token ids at every slot; the last slot of each row repeats itself and is dropped later. */
export function labels(tokens: Int32Array, batch: number, pos: number): Int32Array {
  return Int32Array.from({ length: batch * pos }, (_, i) => tokens[i % pos === pos - 1 ? i : i + 1] ?? 0);
}

/** Everything but edits: tokens or values, positions, masks, wanted slots. */
export function batchFeeds(batch: Batch, request: GraphRequest, logitSlots?: Int32Array): Record<string, RawTensor> {
  const { tokens, values, positions, mask } = batch;
  const shape = [batch.batch, batch.pos];
  const feeds: Record<string, RawTensor> = { positions: int64(positions, shape) };
  if (tokens !== undefined) {
    feeds["tokens"] = int64(tokens, shape);
    feeds["labels"] = int64(labels(tokens, batch.batch, batch.pos), shape);
  }
  if (values !== undefined)
    feeds[batch.entry] = {
      dtype: request.precision,
      shape: [...values.shape],
      data: floatData(values, request.precision),
    };
  const real = mask ?? new Uint8Array(batch.batch * batch.pos).fill(1);
  feeds["key_is_real"] = { dtype: "bool", shape, data: real };
  feeds["query_is_real"] = { dtype: "bool", shape, data: real };
  if (logitSlots !== undefined)
    feeds["logit_slots"] = int64(logitSlots, [batch.batch, logitSlots.length / batch.batch]);
  return feeds;
}

function weightFeed(tensor: Tensor, dtype: GraphDType): RawTensor {
  return { dtype, shape: tensor.shape, data: floatData(tensor, dtype) };
}

function keptFeed({ index, stored, shape }: Extract<EditInput, { kind: "kept" }>, request: GraphRequest): RawTensor {
  const edits = request.edits.map(({ edit }) => edit);
  const [, data = new Uint8Array(0)] = masksOver(edits, stored).find(([own]) => own === index) ?? [];
  return { dtype: "bool", shape, data };
}

/** The inputs of edits. */
export function editFeeds(built: BuiltGraph, layout: BatchLayout, request: GraphRequest): Record<string, RawTensor> {
  const { batch, pos, past } = layout;
  const sizes: Sizes = { batch, pos, past, "past+pos": past + pos };
  return Object.fromEntries(
    built.editInputs.map((input) => {
      if (input.kind === "kept") return [input.name, keptFeed(input, request)];
      if (input.kind === "weight") return [input.name, weightFeed(input.tensor, request.precision)];
      if (input.kind === "value") return [input.name, bindValue(input, layout, sizes, request.precision)];
      const mask = bindMask(input, layout, sizes);
      if (mask === undefined) throw touchesNothing(input);
      return [input.name, mask];
    }),
  );
}

/** Exactly the inputs that a graph has left after pruning. */
export function neededFeeds(built: BuiltGraph, feeds: Readonly<Record<string, RawTensor>>): Record<string, RawTensor> {
  return Object.fromEntries(
    built.graph.inputs.flatMap(({ name }) => {
      const feed = feeds[name];
      return feed === undefined ? [] : [[name, feed]];
    }),
  );
}
