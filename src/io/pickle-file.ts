/** Plain pickle files, and the tensors and arrays inside a pickle's value by dotted path. */
import { FormatError } from "../core/index.js";
import type { Tensor } from "../tensor/index.js";
import { readWholeFile } from "./files.js";
import { unpickle } from "./pickle.js";
import { numpyGlobals } from "./pickle-numpy.js";
import { isPickleDict, isPickleList, isPickleObject, type PickleObject, type PickleValue } from "./pickle-values.js";

/** What a pickle file holds. */
export interface PickleFile {
  readonly path: string;
  readonly value: PickleValue;
  /** The numpy arrays in `value` by dotted path: keys of dicts and indices of lists; `""` for the value itself. */
  readonly arrays: ReadonlyMap<string, Tensor>;
}

/** Which classes may appear as inert records. */
export interface InertOptions {
  /** Classes as `module.Name`, whose objects become records of their parts; nothing of theirs is run. Default none. */
  readonly inert?: readonly string[];
}

const maxDepth = 64;
const maxVisits = 1_000_000;

/** Reads a `.pkl` file of plain data and numpy arrays; see {@link unpickle} for what is refused. */
export async function openPickle(path: string, options: InertOptions = {}): Promise<PickleFile> {
  const bytes = await readWholeFile(path);
  const { value } = unpickle(bytes, { ...options, where: path, globals: numpyGlobals(path) });
  return { path, value, arrays: collectArrays(value, path) };
}

/** Returns the numpy arrays of a value by dotted path. */
export function collectArrays(value: PickleValue, where: string): ReadonlyMap<string, Tensor> {
  return collect(value, where, (object) => (object.kind === "array" ? object.tensor : undefined));
}

/**
 * Returns what `pick` finds in a value's objects, by dotted path.
 *
 * @throws FormatError when two of them have the same path, as `{"a.b": x, "a": {"b": y}}` would.
 */
export function collect<T>(
  value: PickleValue,
  where: string,
  pick: (object: PickleObject, path: string) => T | undefined,
): ReadonlyMap<string, T> {
  const found = new Map<string, T>();
  for (const [path, object] of walkObjects(value, where)) {
    const picked = pick(object, path);
    if (picked === undefined) continue;
    if (found.has(path)) throw ambiguous(where, path);
    found.set(path, picked);
  }
  return found;
}

/**
 * Yields every object that is not plain data with its dotted path, through dicts, lists and inert records.
 *
 * @throws FormatError for a value nested or repeated beyond what any checkpoint has, or one that contains itself.
 */
export function* walkObjects(root: PickleValue, where: string): Generator<readonly [string, PickleObject]> {
  const pending: { readonly path: string; readonly value: PickleValue; readonly depth: number }[] = [
    { path: "", value: root, depth: 0 },
  ];
  let visits = 0;
  for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
    if (++visits > maxVisits || item.depth > maxDepth) throw tooDeep(where, item.path);
    const { value, path, depth } = item;
    if (isObject(value)) yield [path, value];
    for (const [key, child] of childrenOf(value).reverse()) {
      pending.push({ path: path === "" ? key : `${path}.${key}`, value: child, depth: depth + 1 });
    }
  }
}

/** The parts of a value that may hold objects, by key or index. */
function childrenOf(value: PickleValue): [string, PickleValue][] {
  if (isPickleDict(value)) {
    return [...value].flatMap(([key, child]) => (isKey(key) && isBranch(child) ? [[`${key}`, child]] : []));
  }
  if (isPickleList(value)) return value.flatMap((child, i) => (isBranch(child) ? [[`${i}`, child]] : []));
  return isPickleObject(value, "inert") ? childrenOf(value.state ?? null) : [];
}

function isBranch(value: PickleValue): boolean {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array);
}

function isKey(key: PickleValue): key is string | number | bigint {
  return typeof key === "string" || typeof key === "number" || typeof key === "bigint";
}

function isObject(value: PickleValue): value is PickleObject {
  return typeof value === "object" && value !== null && "kind" in value;
}

function tooDeep(where: string, path: string): FormatError {
  return new FormatError({
    where,
    got: `a value nested too deep or repeated too often at ${JSON.stringify(path.slice(0, 60))}`,
    expected: `at most ${maxDepth} levels and ${maxVisits} values`,
    fix: "This is not a checkpoint; check where the file comes from.",
  });
}

function ambiguous(where: string, path: string): FormatError {
  return new FormatError({
    where,
    got: `two tensors at ${JSON.stringify(path)}`,
    expected: "one tensor for each dotted path",
    fix: "Reach them through the file's value, or save them under other names.",
  });
}
