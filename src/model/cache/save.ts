/** Caches as safetensors files: activations under their hook names, the record of their run in the metadata. */
import { FormatError } from "../../core/index.js";
import { isJsonObject, loadStored, openSafetensors, parseJson, writeSafetensors } from "../../io/index.js";
import type { Tensor } from "../../tensor/index.js";
import { noProcessing, type Processing } from "../processing.js";
import type { CacheOrigin } from "./origin.js";

/** The metadata key under which a cache keeps its record. */
const recordKey = "limpid.cache";

/** The name of the token ids in the file; no hook point is called so. */
const tokensName = "tokens";

/** The version of the record. */
const recordVersion = 1;

/** What a cache is made of. */
export interface CacheParts {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly origin?: CacheOrigin;
}

/** The record as JSON: everything of the origin but the model itself and the tokens. */
function recordOf({ tensors, origin }: CacheParts): string {
  const { view: _view, tokens: _tokens, ...rest } = origin ?? {};
  return JSON.stringify({
    version: recordVersion,
    hooks: [...tensors.keys()],
    ...(origin === undefined ? {} : { origin: rest }),
  });
}

/** Writes a cache; the file appears only when it is complete. */
export async function saveCache(path: string, parts: CacheParts): Promise<void> {
  const tokens = parts.origin?.tokens;
  const extra: readonly (readonly [string, Tensor])[] = tokens === undefined ? [] : [[tokensName, tokens]];
  await writeSafetensors(path, [...parts.tensors, ...extra], { metadata: { [recordKey]: recordOf(parts) } });
}

function badRecord(path: string, got: string): FormatError {
  return new FormatError({
    where: `${path}: metadata "${recordKey}"`,
    got,
    expected: `the record of a cache, version ${recordVersion}`,
    fix: "Load a file that cache.save wrote; loadSafetensors reads any other.",
  });
}

type Json = Readonly<Record<string, unknown>>;

function readRecord(text: string | undefined, path: string): Json {
  if (text === undefined) throw badRecord(path, "no such entry");
  const record = parseJson(text, `${path}: metadata "${recordKey}"`);
  if (isJsonObject(record) && record["version"] === recordVersion && isTexts(record["hooks"])) return record;
  throw badRecord(path, isJsonObject(record) ? `version ${JSON.stringify(record["version"])}` : "something else");
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((one) => typeof one === "number");
}

function isEdit(value: unknown): value is { readonly name: string; readonly hooks: readonly string[] } {
  return isJsonObject(value) && typeof value["name"] === "string" && isTexts(value["hooks"]);
}

function isEntry(value: unknown): value is CacheOrigin["entry"] {
  return value === "tokens" || value === "embeddings" || value === "residual";
}

function isPrecision(value: unknown): value is CacheOrigin["precision"] {
  return value === "float32" || value === "float64";
}

function isProcessing(value: unknown): value is Processing {
  return isJsonObject(value) && Object.keys(noProcessing).every((key) => typeof value[key] === "boolean");
}

type PlainOrigin = Omit<CacheOrigin, "view" | "tokens" | "realSlots">;

function isPlainOrigin(value: Json): value is Json & PlainOrigin {
  const { model, identity, processing, precision, layers, entry, edits } = value;
  const isNamed = typeof model === "string" && typeof identity === "string" && isNumbers(layers);
  const isTyped = isProcessing(processing) && isPrecision(precision) && isEntry(entry);
  return isNamed && isTyped && Array.isArray(edits) && edits.every(isEdit);
}

function readOrigin(value: unknown, tokens: Tensor | undefined, path: string): CacheOrigin | undefined {
  if (value === undefined) return undefined;
  if (!isJsonObject(value) || !isPlainOrigin(value)) throw badRecord(path, "a record with missing or wrong fields");
  const { model, identity, processing, precision, layers, entry, edits, realSlots } = value;
  const rows = Array.isArray(realSlots) && realSlots.every(isNumbers) ? realSlots : undefined;
  return {
    ...{ model, identity, processing, precision, layers, entry, edits },
    ...(tokens === undefined ? {} : { tokens }),
    ...(rows === undefined ? {} : { realSlots: rows }),
  };
}

/**
 * Reads a cache as it was saved: names, order, axes and every bit.
 *
 * @throws FormatError when the file is no safetensors file or no cache.
 */
export async function loadCache(path: string): Promise<CacheParts> {
  const file = await openSafetensors(path);
  const record = readRecord(file.metadata[recordKey], path);
  const tensors = new Map(Object.entries(await loadStored(file.tensors)));
  const hooks = isTexts(record["hooks"]) ? record["hooks"] : [];
  const entries = hooks.map((name): readonly [string, Tensor] => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw badRecord(path, `a record of ${name}, which the file lacks`);
    return [name, tensor];
  });
  const origin = readOrigin(record["origin"], tensors.get(tokensName), path);
  return { tensors: new Map(entries), ...(origin === undefined ? {} : { origin }) };
}
