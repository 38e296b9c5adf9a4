/** Singular vectors as tokens: which tokens a circuit reads, and which it writes. */
import { printsItself, ShapeError } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { einsum, type Tensor } from "../../tensor/index.js";
import { table, type View } from "../../viz/index.js";
import { piecesOf } from "../prompts.js";
import type { FactoredMatrix } from "./factored-matrix.js";

/** A token and how far it lies along a singular vector. */
export interface TokenScore {
  readonly token: string;
  readonly id: number;
  readonly score: number;
}

/** One singular value with the tokens of its vectors. Turning both vectors round swaps the two signs. */
export interface SingularTokens {
  readonly value: number;
  /** Tokens whose embeddings lie most along the left vector: what is read. */
  readonly left: readonly TokenScore[];
  /** Tokens that the right vector raises: what is written for them. */
  readonly right: readonly TokenScore[];
  /** The same for the opposite direction: these are read and written together, too. */
  readonly leftNegative: readonly TokenScore[];
  readonly rightNegative: readonly TokenScore[];
}

/** Options of `singularTokens`. */
export interface SingularTokensOptions {
  /** Singular vectors to read, from the largest value. Default 5. */
  readonly vectors?: number;
  /** Tokens at each end. Default 5. */
  readonly tokens?: number;
  /** How the right vectors are read: as what is written to the logits (default), or as embeddings, for keys. */
  readonly right?: "embedding" | "unembedding";
}

/** The singular vectors of a circuit as tokens. */
export class SingularReadout {
  static {
    printsItself(this.prototype);
  }

  readonly vectors: readonly SingularTokens[];

  /** @internal */
  constructor(vectors: readonly SingularTokens[]) {
    this.vectors = vectors;
  }

  /** Returns a table: singular values with the tokens of both ends. */
  toView(): View {
    const columns = ["σ", "reads", "writes", "reads (−)", "writes (−)"];
    const rows = this.vectors.map(({ value, left, right, leftNegative, rightNegative }) => [
      value,
      ...[left, right, leftNegative, rightNegative].map(words),
    ]);
    return table(
      columns.map((name, i) => ({ name, kind: i === 0 ? "number" : "text" })),
      rows,
      { title: "Singular vectors as tokens" },
    );
  }

  /** Returns the table as text. */
  toString(): string {
    const lines = this.vectors.map(
      ({ value, left, right }) => `  ${value.toFixed(3)}  reads ${words(left)}  writes ${words(right)}`,
    );
    return ["singular vectors as tokens", ...lines].join("\n");
  }
}

function words(tokens: readonly TokenScore[]): string {
  return tokens.map(({ token }) => JSON.stringify(token)).join(" ");
}

function checkCircuit(model: Model, matrix: FactoredMatrix): void {
  const { left, right } = matrix.sizes;
  const { dModel } = model.config;
  if (left === dModel && right === dModel && matrix.A.axes.length === 2) return;
  throw new ShapeError({
    where: "singularTokens",
    got: matrix.toString(),
    expected: `one matrix of ${dModel} rows and columns, between two places of the stream`,
    fix: "Name a layer and a head: circuits.OV(model, 1, 0).",
  });
}

/** Scores of all tokens along each vector, `[singular, token]`. */
function scores(vectors: Tensor, matrix: Tensor, axis: string): Tensor {
  const [first = ""] = vectors.axes;
  const token = matrix.axes.find((name) => name !== "dModel") ?? "";
  return einsum([vectors.rename({ [first]: "dModel" }), matrix.rename({ [token]: axis })], ["singular", axis]);
}

/**
 * Reads the singular vectors of a circuit as tokens: left ones through the embedding, right ones through the unembedding.
 *
 * @param matrix - One circuit `[dModel, dModel]`, such as `await circuits.OV(model, 1, 0)`.
 * @throws ShapeError for a stack of circuits, or one over tokens.
 * @see Millidge and Black 2022, "The Singular Value Decompositions of Transformer Weight Matrices are Highly Interpretable"
 */
export async function singularTokens(
  model: Model,
  matrix: FactoredMatrix,
  { vectors = 5, tokens = 5, right = "unembedding" }: SingularTokensOptions = {},
): Promise<SingularReadout> {
  checkCircuit(model, matrix);
  const { U, S, V } = matrix.svd();
  const count = Math.min(vectors, S.size);
  const first = { singular: { from: 0, to: count } };
  const wE = await model.weights.W_E();
  const wRight = right === "embedding" ? wE : await model.weights.W_U();
  const [reads, writes] = [scores(U.at(first), wE, "token"), scores(V.at(first), wRight, "token")];
  const best = (all: Tensor, i: number): readonly TokenScore[] => {
    const { values, indices } = all.at({ singular: i }).topk(tokens, "token");
    const ids = Array.from(indices.data, Number);
    const texts = piecesOf(model, ids);
    return ids.map((id, rank) => ({ id, token: texts[rank] ?? "", score: Number(values.data[rank]) }));
  };
  const negative = (all: Tensor, i: number): readonly TokenScore[] =>
    best(all.neg(), i).map((one) => ({ ...one, score: -one.score }));
  return new SingularReadout(
    Array.from({ length: count }, (_, i) => ({
      value: Number(S.contiguous().data[i]),
      left: best(reads, i),
      right: best(writes, i),
      leftNegative: negative(reads, i),
      rightNegative: negative(writes, i),
    })),
  );
}
