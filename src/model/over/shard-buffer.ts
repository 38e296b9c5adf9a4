/** The shard that is being filled: vectors of all hook points and the tokens that they belong to. */
import { createHash } from "node:crypto";
import { Tensor, toBfloat16, toFloat16 } from "../../tensor/index.js";
import type { CountedTokens } from "./counted.js";
import type { ShardDType } from "./manifest.js";
import type { ReducedPoint, TokenVectors } from "./vectors.js";

type ShardData = Float32Array | Float64Array | Uint16Array;

const constructors: { readonly [D in ShardDType]: new (length: number) => ShardData } = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
};

/** Bytes of one number. */
export const shardDTypeBytes: { readonly [D in ShardDType]: number } = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
};

/** Names of the tensors beside the activations. */
export const tokenTensors = { ids: "tokens", rows: "rows", positions: "positions" } as const;

/** Room for the tokens of one shard. */
export class ShardBuffer {
  readonly #points: readonly ReducedPoint[];
  readonly #dtype: ShardDType;
  readonly #capacity: number;
  readonly #values: ReadonlyMap<string, ShardData>;
  readonly #ids: Int32Array;
  readonly #rows: Int32Array;
  readonly #positions: Int32Array;
  #count = 0;

  constructor(points: readonly ReducedPoint[], dtype: ShardDType, capacity: number) {
    this.#points = points;
    this.#dtype = dtype;
    this.#capacity = capacity;
    this.#values = new Map(points.map(({ name, dim }) => [name, new constructors[dtype](dim * capacity)]));
    this.#ids = new Int32Array(capacity);
    this.#rows = new Int32Array(capacity);
    this.#positions = new Int32Array(capacity);
  }

  /** Tokens in it. */
  get count(): number {
    return this.#count;
  }

  /** Tokens that still fit. */
  get room(): number {
    return this.#capacity - this.#count;
  }

  /** Appends tokens `from` to `to - 1`; without vectors only the tokens are kept, for comparison. */
  append(
    tokens: CountedTokens,
    from: number,
    to: number,
    vectorsOf: ((point: ReducedPoint) => TokenVectors) | undefined,
  ): void {
    this.#ids.set(tokens.ids.subarray(from, to), this.#count);
    this.#rows.set(tokens.rows.subarray(from, to), this.#count);
    this.#positions.set(tokens.positions.subarray(from, to), this.#count);
    for (const point of vectorsOf === undefined ? [] : this.#points) {
      const target = this.#values.get(point.name);
      const vectors = vectorsOf?.(point);
      if (target !== undefined && vectors !== undefined) this.#copy(target, vectors, from, to);
    }
    this.#count += to - from;
  }

  /** Returns the hash of the tokens in it. */
  tokensHash(): string {
    const hash = createHash("sha256");
    for (const array of [this.#ids, this.#rows, this.#positions])
      hash.update(new Uint8Array(array.buffer, 0, this.#count * Int32Array.BYTES_PER_ELEMENT));
    return hash.digest("hex");
  }

  /** Returns what a shard's file holds; the tensors are views. */
  tensors(): ReadonlyMap<string, Tensor> {
    const count = this.#count;
    const values = this.#points.map(({ name, dim, shape, axes }): [string, Tensor] => {
      const data = this.#values.get(name) ?? new Float32Array(0);
      return [
        name,
        Tensor.of(
          data.subarray(0, count * dim) as Float32Array,
          [count, ...shape],
          ["token", ...axes],
          this.#dtype as "float32",
        ),
      ];
    });
    const tokens = [
      [tokenTensors.ids, this.#ids] as const,
      [tokenTensors.rows, this.#rows] as const,
      [tokenTensors.positions, this.#positions] as const,
    ].map(([name, array]): [string, Tensor] => [name, Tensor.of(array.subarray(0, count), [count], ["token"])]);
    return new Map([...values, ...tokens]);
  }

  /** Empties it. */
  clear(): void {
    this.#count = 0;
  }

  #copy(target: ShardData, { data, dim, starts }: TokenVectors, from: number, to: number): void {
    for (let t = from; t < to; t++) {
      const start = starts[t] ?? 0;
      const numbers = data.subarray(start, start + dim);
      target.set(this.#stored(numbers), (this.#count + t - from) * dim);
    }
  }

  #stored(numbers: Float32Array | Float64Array): ArrayLike<number> {
    if (this.#dtype === "float16") return toFloat16(numbers);
    return this.#dtype === "bfloat16" ? toBfloat16(numbers) : numbers;
  }
}
