/** Reads fields of a JSON file, and says which one is wrong. */
import { FormatError } from "../core/index.js";
import { isJsonObject } from "./json.js";

type Json = Readonly<Record<string, unknown>>;

/** The fields of a JSON object from a file. */
export class JsonFields {
  /** The file, and the place in it; for messages. */
  readonly where: string;
  readonly json: Json;

  constructor(where: string, json: unknown) {
    this.where = where;
    if (!isJsonObject(json)) throw this.#wrong("", json, "an object");
    this.json = json;
  }

  /** Whether the field is there and not null. */
  has(key: string): boolean {
    return this.json[key] !== undefined && this.json[key] !== null;
  }

  /** A text. */
  text(key: string): string {
    return this.optionalText(key) ?? this.#missing(key, "a text");
  }

  /** A text; absent means undefined. */
  optionalText(key: string): string | undefined {
    const value = this.json[key];
    if (value === undefined || value === null || typeof value === "string") return value ?? undefined;
    throw this.#wrong(key, value, "a text");
  }

  /** A whole number above zero. */
  size(key: string): number {
    return this.optionalSize(key) ?? this.#missing(key, "a whole number above 0");
  }

  /** A whole number above zero; absent means undefined. */
  optionalSize(key: string): number | undefined {
    const value = this.json[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
    throw this.#wrong(key, value, "a whole number above 0");
  }

  /** A finite number. */
  number(key: string): number {
    return this.optionalNumber(key) ?? this.#missing(key, "a finite number");
  }

  /** A finite number; absent means undefined. */
  optionalNumber(key: string): number | undefined {
    const value = this.json[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw this.#wrong(key, value, "a finite number");
  }

  /** A boolean; absent means undefined. */
  optionalFlag(key: string): boolean | undefined {
    const value = this.json[key];
    if (value === undefined || value === null || typeof value === "boolean") return value ?? undefined;
    throw this.#wrong(key, value, "true or false");
  }

  /** One of some words. */
  word<W extends string>(key: string, words: readonly W[]): W {
    const value = this.json[key];
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    throw this.#wrong(key, value, `one of ${words.map((word) => JSON.stringify(word)).join(", ")}`);
  }

  /** A list of whole numbers above zero; absent means undefined. */
  optionalSizes(key: string): readonly number[] | undefined {
    const value = this.json[key];
    if (value === undefined || value === null) return undefined;
    const list: readonly unknown[] = Array.isArray(value) ? value : [undefined];
    const sizes = list.filter((one) => typeof one === "number" && Number.isSafeInteger(one) && one > 0);
    if (sizes.length === list.length) return sizes.map(Number);
    throw this.#wrong(key, value, "a list of whole numbers above 0");
  }

  /** A whole number from 0. */
  index(key: string): number {
    const value = this.json[key];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw this.#wrong(key, value, "a whole number from 0");
  }

  /** A list, each entry read by `read`, which is told the entry's place. */
  list<T>(key: string, read: (value: unknown, where: string) => T): readonly T[] {
    const value = this.json[key];
    if (!Array.isArray(value)) throw this.#wrong(key, value, "a list");
    return value.map((one: unknown, i) => read(one, `${this.where}: ${key}[${i}]`));
  }

  /** A list of finite numbers. */
  numbers(key: string): readonly number[] {
    return this.list(key, (value) => {
      if (typeof value === "number" && Number.isFinite(value)) return value;
      throw this.#wrong(key, value, "finite numbers");
    });
  }

  /** A list of texts. */
  texts(key: string): readonly string[] {
    return this.list(key, (value) => {
      if (typeof value === "string") return value;
      throw this.#wrong(key, value, "texts");
    });
  }

  /** An object inside; absent counts as an empty one. */
  inner(key: string): JsonFields {
    return new JsonFields(`${this.where}: ${key}`, this.json[key] ?? {});
  }

  #missing(key: string, expected: string): never {
    throw this.#wrong(key, undefined, expected);
  }

  #wrong(key: string, value: unknown, expected: string): FormatError {
    const shown = value === undefined ? "nothing" : (JSON.stringify(value)?.slice(0, 80) ?? typeof value);
    return new FormatError({
      where: key === "" ? this.where : `${this.where}: ${key}`,
      got: shown,
      expected,
      fix: "Check that this is the right file, and that it is whole.",
    });
  }
}
