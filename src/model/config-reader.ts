/** Reads the fields of a `config.json` with errors that name the field. */
import { CheckpointError } from "../core/index.js";

/** Reads typed fields out of one raw configuration. */
export interface ConfigReader {
  readonly raw: Readonly<Record<string, unknown>>;
  /** The number under `key`, or `fallback`; absent without a fallback is an error. */
  number(key: string, fallback?: number): number;
  /** The number under `key`, or `undefined` when it is absent or null. */
  optionalNumber(key: string): number | undefined;
  string(key: string, fallback?: string): string;
  boolean(key: string, fallback: boolean): boolean;
  /** The object under `key`, or `undefined` when it is absent or null. */
  object(key: string): ConfigReader | undefined;
}

function missing(where: string, key: string, value: unknown, expected: string): CheckpointError {
  return new CheckpointError({
    where: `${where}: "${key}"`,
    got: value === undefined ? "nothing" : JSON.stringify(value),
    expected,
    fix: "Correct the checkpoint's configuration file.",
  });
}

/** Wraps a raw configuration; `where` names the file in messages. */
export function configReader(raw: Readonly<Record<string, unknown>>, where: string): ConfigReader {
  const read = <T>(key: string, expected: string, is: (value: unknown) => value is T, fallback: T | undefined): T => {
    const value = raw[key] ?? undefined;
    if (value === undefined && fallback !== undefined) return fallback;
    if (!is(value)) throw missing(where, key, value, expected);
    return value;
  };
  const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
  return {
    raw,
    number: (key, fallback) => read(key, "a number", isNumber, fallback),
    optionalNumber: (key) =>
      raw[key] === undefined || raw[key] === null ? undefined : read(key, "a number", isNumber, undefined),
    string: (key, fallback) => read(key, "a string", (v): v is string => typeof v === "string", fallback),
    boolean: (key, fallback) => read(key, "true or false", (v): v is boolean => typeof v === "boolean", fallback),
    object: (key) => {
      const value = raw[key];
      if (value === undefined || value === null) return undefined;
      if (typeof value !== "object" || Array.isArray(value)) throw missing(where, key, value, "an object");
      return configReader(value as Readonly<Record<string, unknown>>, `${where}: ${key}`);
    },
  };
}
