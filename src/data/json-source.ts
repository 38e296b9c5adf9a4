/** JSON files that hold one list; the whole file is parsed at once. */
import { FormatError } from "../core/index.js";
import { readJson } from "../io/index.js";
import { describeValue } from "./rows.js";
import { memorySource, type Source } from "./source.js";

/** Returns a source over the items of a JSON list; the file is read when first needed and then kept. */
export function jsonSource<T>(path: string, toDocument: (value: unknown, place: string) => T): Source<T> {
  let loaded: Promise<Source<T>> | undefined;
  const load = (): Promise<Source<T>> => {
    loaded ??= readList(path, toDocument).catch((error: unknown) => {
      loaded = undefined;
      throw error;
    });
    return loaded;
  };
  return {
    description: `JSON file ${path}`,
    async *stream(options) {
      yield* (await load()).stream(options);
    },
    locate: async (options) => (await load()).locate(options),
  };
}

async function readList<T>(path: string, toDocument: (value: unknown, place: string) => T): Promise<Source<T>> {
  const list = await readJson(path);
  if (!Array.isArray(list) || list.length === 0) throw notAList(path, list);
  const placeOf = (index: number): string => `${path}: item ${index}`;
  return memorySource(
    list.map((value: unknown, index) => toDocument(value, placeOf(index))),
    `JSON file ${path}`,
    placeOf,
  );
}

function notAList(path: string, got: unknown): FormatError {
  return new FormatError({
    where: path,
    got: Array.isArray(got) ? "an empty list" : describeValue(got),
    expected: "a list of texts, of token lists, or of objects",
    fix: "Write the documents as one JSON list, or as JSON lines in a .jsonl file.",
  });
}
