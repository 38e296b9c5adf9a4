/** Turns what a user gives into one checked batch. */
import { InputError, ShapeError, TokenError, UnsupportedError } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import type { ModelConfig } from "../config.js";
import type { EntryKind } from "../plan/request.js";
import type { BosPolicy, ChatMessage, Tokenizer } from "../tokenizer/index.js";
import type { FieldsInput, InputOptions, ModelInput, TokenRow } from "./input-types.js";

/** One batch, checked: what every run starts from. */
export interface Batch {
  readonly entry: EntryKind;
  readonly batch: number;
  readonly pos: number;
  /** `[batch·pos]`; padding slots hold a valid id that nothing looks at. Absent for embeddings and residuals. */
  readonly tokens?: Int32Array;
  /** `[batch, pos, dModel]` for embeddings and residuals. */
  readonly values?: Tensor;
  /** `[batch·pos]`, 1 at real tokens; absent when every slot is real. */
  readonly mask?: Uint8Array;
  /** `[batch·pos]`. */
  readonly positions: Int32Array;
  /** Who put BOS in front, for text. */
  readonly bos: BosPolicy | "as given";
}

/** What checking an input needs to know of a model. */
export interface InputModel {
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer | undefined;
}

interface Rows {
  readonly rows: readonly TokenRow[];
  readonly bos: Batch["bos"];
}

function needTokenizer(tokenizer: Tokenizer | undefined): Tokenizer {
  if (tokenizer !== undefined) return tokenizer;
  throw new InputError({
    where: "model input",
    got: "text, for a model without a tokenizer",
    expected: "token ids",
    fix: "Pass ids, such as model.run([[1, 2, 3]]), or put tokenizer.json into the model's folder.",
  });
}

function encodeTexts(model: InputModel, texts: readonly string[], options: InputOptions): Rows {
  const tokenizer = needTokenizer(model.tokenizer);
  const encoded = texts.map((text) => tokenizer.encode(text, pick(options, ["prependBos", "allowSpecial"])));
  return { rows: encoded.map(({ ids }) => ids), bos: encoded[0]?.bos ?? "none" };
}

function pick<T extends object, K extends keyof T>(object: T, keys: readonly K[]): Partial<Pick<T, K>> {
  const entries = keys.filter((key) => object[key] !== undefined).map((key) => [key, object[key]] as const);
  return Object.fromEntries(entries) as Partial<Pick<T, K>>;
}

function isTexts(input: readonly unknown[]): input is readonly string[] {
  return input.length > 0 && input.every((one) => typeof one === "string");
}

function isMessages(input: readonly unknown[]): input is readonly ChatMessage[] {
  const [first] = input;
  return typeof first === "object" && first !== null && "role" in first && "content" in first;
}

function tensorRows(tokens: Tensor): readonly TokenRow[] {
  const data = Array.from(tokens.data as Iterable<number | bigint>, Number);
  const pos = tokens.shape.at(-1) ?? 0;
  if (tokens.rank === 1) return [data];
  if (tokens.rank === 2)
    return Array.from({ length: tokens.shape[0] ?? 0 }, (_, row) => data.slice(row * pos, (row + 1) * pos));
  throw new ShapeError({
    where: "model input: tokens",
    got: `a tensor of rank ${tokens.rank}`,
    expected: "[pos] or [batch, pos]",
    fix: "Select or flatten the surplus axes.",
  });
}

function isRow(value: unknown): value is TokenRow {
  return value instanceof Int32Array || (Array.isArray(value) && value.every((id) => typeof id === "number"));
}

function idRows(input: TokenRow | readonly TokenRow[] | Tensor): readonly TokenRow[] {
  if (input instanceof Tensor) return tensorRows(input);
  return isRow(input) ? [input] : input;
}

/** The rows of token ids that an input means. */
function toRows(model: InputModel, input: ModelInput, options: InputOptions): Rows {
  if (typeof input === "string") return encodeTexts(model, [input], options);
  if (input instanceof Tensor || input instanceof Int32Array) return { rows: idRows(input), bos: "as given" };
  if (isFields(input)) return { rows: idRows(input.tokens ?? []), bos: "as given" };
  if (isMessages(input)) {
    const { ids, bos } = needTokenizer(model.tokenizer).chat(input);
    return { rows: [ids], bos };
  }
  if (isTexts(input)) return encodeTexts(model, input, options);
  return { rows: idRows(input as TokenRow | readonly TokenRow[]), bos: "as given" };
}

function checkRow(model: InputModel, row: TokenRow, index: number): void {
  const where = `model input: row ${index}`;
  const { dVocab, nCtx } = model.config;
  if (row.length === 0)
    throw new TokenError({
      where,
      got: "0 tokens",
      expected: "at least one token",
      fix: "Give a prompt, or prependBos: true for an empty one.",
    });
  if (row.length > nCtx)
    throw new TokenError({
      where,
      got: `${row.length} tokens`,
      expected: `at most ${nCtx}, the model's context`,
      fix: "Shorten the prompt, or split it with data.text(...).pack().",
    });
  const bad = Array.from(row).findIndex((id) => !Number.isInteger(id) || id < 0 || id >= dVocab);
  if (bad >= 0)
    throw new TokenError({
      where: `${where}, position ${bad}`,
      got: `token id ${String(row[bad])}`,
      expected: `an integer from 0 to ${dVocab - 1}`,
      fix: "Use ids of this model's own tokenizer.",
    });
}

/** Refuses rows that begin with BOS twice; padding before them does not count. */
function checkBos({ tokenizer }: InputModel, tokens: Int32Array, { batch, pos, mask }: Omit<Padded, "tokens">): void {
  for (let row = 0; row < batch; row++) {
    const start = row * pos;
    const real = tokens
      .subarray(start, start + pos)
      .filter((_, slot) => mask === undefined || mask[start + slot] === 1);
    tokenizer?.checkSingleBos(real, `model input: row ${row}`);
  }
}

function checkEqualRows(rows: readonly TokenRow[], padding: InputOptions["padding"]): void {
  const lengths = [...new Set(rows.map((row) => row.length))];
  if (lengths.length <= 1 || padding !== undefined) return;
  throw new TokenError({
    where: "model input",
    got: `rows of ${lengths.join(", ")} tokens`,
    expected: "rows of equal length",
    fix: 'Pass padding: "left" or "right", or an attentionMask.',
  });
}

interface Padded {
  readonly tokens: Int32Array;
  readonly mask?: Uint8Array;
  readonly batch: number;
  readonly pos: number;
}

function padRows(rows: readonly TokenRow[], side: "left" | "right", padId: number): Padded {
  const pos = Math.max(...rows.map((row) => row.length));
  const tokens = new Int32Array(rows.length * pos).fill(padId);
  const mask = new Uint8Array(rows.length * pos);
  rows.forEach((row, r) => {
    const start = r * pos + (side === "left" ? pos - row.length : 0);
    tokens.set(row, start);
    mask.fill(1, start, start + row.length);
  });
  const shape = { batch: rows.length, pos };
  return mask.includes(0) ? { tokens, mask, ...shape } : { tokens, ...shape };
}

/** Position ids: real tokens counted from 0 in each row; padding before the first gets 0 (TransformerLens). */
export function countPositions(mask: Uint8Array | undefined, batch: number, pos: number): Int32Array {
  const positions = new Int32Array(batch * pos);
  for (let row = 0; row < batch; row++) {
    let seen = 0;
    for (let slot = row * pos; slot < (row + 1) * pos; slot++) {
      seen += mask === undefined ? 1 : (mask[slot] ?? 0);
      positions[slot] = Math.max(seen - 1, 0);
    }
  }
  return positions;
}

type Grid = readonly (readonly number[])[] | Tensor;

function gridData(grid: Grid, batch: number, pos: number, where: string): readonly number[] {
  const rows = grid instanceof Tensor ? tensorRows(grid) : grid;
  if (rows.length === batch && rows.every((row) => row.length === pos)) return rows.flatMap((row) => Array.from(row));
  throw new ShapeError({
    where: `model input: ${where}`,
    got: `[${rows.length}, ${[...new Set(rows.map((row) => row.length))].join(" or ")}]`,
    expected: `[batch=${batch}, pos=${pos}]`,
    fix: "Give one number per slot.",
  });
}

function maskOf(grid: Grid, batch: number, pos: number): Uint8Array | undefined {
  const data = gridData(grid, batch, pos, "attentionMask");
  if (data.some((x) => x !== 0 && x !== 1))
    throw new InputError({
      where: "model input: attentionMask",
      got: "other numbers than 0 and 1",
      expected: "1 at real tokens, 0 at padding",
      fix: "Give a 0/1 mask; weight masks are edits.",
    });
  for (let row = 0; row < batch; row++)
    if (!data.slice(row * pos, (row + 1) * pos).includes(1))
      throw new TokenError({
        where: `model input: row ${row}`,
        got: "a row of padding only",
        expected: "at least one real token",
        fix: "Drop the row.",
      });
  return data.includes(0) ? Uint8Array.from(data) : undefined;
}

function positionsOf(model: InputModel, grid: Grid | undefined, base: Omit<Padded, "tokens">): Int32Array {
  if (grid === undefined) return countPositions(base.mask, base.batch, base.pos);
  const data = Int32Array.from(gridData(grid, base.batch, base.pos, "positions"));
  const { nCtx } = model.config;
  const bad = data.find((position) => position < 0 || position >= nCtx);
  if (bad === undefined) return data;
  throw new TokenError({
    where: "model input: positions",
    got: String(bad),
    expected: `0 to ${nCtx - 1}`,
    fix: "Positions count from 0.",
  });
}

function withBatchAxis(tensor: Tensor, dModel: number, where: string): Tensor {
  const shape = tensor.rank === 2 ? [1, ...tensor.shape] : tensor.shape;
  if (shape.length === 3 && shape[2] === dModel && !shape.includes(0))
    return Tensor.of(tensor.data, shape, ["batch", "pos", "dModel"]);
  throw new ShapeError({
    where: `model input: ${where}`,
    got: `[${tensor.shape.join(", ")}]`,
    expected: `[batch, pos, dModel=${dModel}]`,
    fix: "Give one vector per slot.",
  });
}

function valuesBatch(model: InputModel, input: FieldsInput, entry: "embeddings" | "residual", values: Tensor): Batch {
  const tensor = withBatchAxis(values, model.config.dModel, entry);
  const [batch = 0, pos = 0] = tensor.shape;
  if (pos > model.config.nCtx) checkRow(model, new Int32Array(pos), 0);
  const mask = input.attentionMask === undefined ? undefined : maskOf(input.attentionMask, batch, pos);
  const base = { batch, pos, ...(mask === undefined ? {} : { mask }) };
  return { entry, ...base, values: tensor, positions: positionsOf(model, input.positions, base), bos: "as given" };
}

function isFields(input: ModelInput): input is FieldsInput {
  return (
    typeof input === "object" && !Array.isArray(input) && !(input instanceof Tensor) && !(input instanceof Int32Array)
  );
}

function isText(input: ModelInput): boolean {
  return typeof input === "string" || (Array.isArray(input) && isTexts(input));
}

function checkFields(input: FieldsInput): void {
  const given = [input.tokens, input.embeddings, input.residual].filter((one) => one !== undefined);
  if (given.length === 1) return;
  throw new UnsupportedError({
    where: "model input",
    got: `${given.length} of tokens, embeddings, residual`,
    expected: "exactly one of them",
    fix: "Say what enters the model in one way.",
  });
}

/** The rows of an input, each checked, of equal length unless padding may make them so. */
function checkedRows(model: InputModel, input: ModelInput, options: InputOptions): Rows {
  const rows = toRows(model, input, options);
  if (rows.rows.length === 0)
    throw new TokenError({
      where: "model input",
      got: "no rows",
      expected: "at least one prompt",
      fix: "Give a prompt.",
    });
  rows.rows.forEach((row, index) => {
    checkRow(model, row, index);
  });
  checkEqualRows(rows.rows, options.padding);
  return rows;
}

/**
 * Tells whether two BOS in front would be a mistake. Rows of `dataset.pack` may begin anywhere in a stream of documents, where
 * BOS can also be the end of the one before; `prependBos: false` says that rows are as they should be.
 */
function mayBeDoubled(fields: FieldsInput, { prependBos }: InputOptions): boolean {
  return prependBos !== false && !("segmentIds" in fields);
}

/** Rows side by side, with the mask that was given or that padding makes. */
function paddedRows(
  { tokenizer }: InputModel,
  rows: Rows["rows"],
  padding: InputOptions["padding"],
  fields: FieldsInput,
): Padded {
  const padded = padRows(rows, padding ?? "right", tokenizer?.padId ?? tokenizer?.eosId ?? 0);
  const { tokens, batch, pos } = padded;
  const given = fields.attentionMask === undefined ? padded.mask : maskOf(fields.attentionMask, batch, pos);
  return { tokens, batch, pos, ...(given === undefined ? {} : { mask: given }) };
}

function tokenBatch(model: InputModel, input: ModelInput, options: InputOptions): Batch {
  const fields: FieldsInput = isFields(input) ? input : {};
  const padding = options.padding ?? (isText(input) ? "right" : undefined);
  const { rows, bos } = checkedRows(model, input, padding === undefined ? options : { ...options, padding });
  const base = paddedRows(model, rows, padding, fields);
  if (mayBeDoubled(fields, options)) checkBos(model, base.tokens, base);
  return { entry: "tokens", ...base, positions: positionsOf(model, fields.positions, base), bos };
}

/**
 * Checks and completes an input.
 *
 * @throws TokenError for empty prompts, ids out of range, prompts beyond the context, unequal rows without padding, a
 * doubled BOS; ShapeError and InputError for misshapen fields.
 */
export function prepareInput(model: InputModel, input: ModelInput, options: InputOptions = {}): Batch {
  if (!isFields(input)) return tokenBatch(model, input, options);
  checkFields(input);
  if (input.embeddings !== undefined) return valuesBatch(model, input, "embeddings", input.embeddings);
  if (input.residual !== undefined) return valuesBatch(model, input, "residual", input.residual);
  return tokenBatch(model, input, options);
}
