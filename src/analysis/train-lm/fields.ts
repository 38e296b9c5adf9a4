/** Reads the fields of a recipe, so that every wrong one is named. */
import { InputError, nearestHint } from "../../core/index.js";
import { isJsonObject } from "../../io/index.js";

/** What a number must be. */
export interface NumberRule {
  readonly least?: number;
  readonly most?: number;
  readonly isWhole?: boolean;
}

function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

function describeRule({ least, most, isWhole = false }: NumberRule): string {
  const kind = isWhole ? "a whole number" : "a number";
  if (least === undefined) return kind;
  return most === undefined ? `${kind} of ${least} or more` : `${kind} from ${least} to ${most}`;
}

/** One JSON object of a recipe. Every key must be asked for or it is an error. */
export class Fields {
  readonly #where: string;
  readonly #raw: Readonly<Record<string, unknown>>;

  /** @throws InputError when `raw` is no object or has keys that are not `known`. */
  constructor(where: string, raw: unknown, known: readonly string[]) {
    this.#where = where;
    if (!isJsonObject(raw)) throw this.#wrong(undefined, raw, "a JSON object");
    this.#raw = raw;
    const unknown = Object.keys(raw).find((key) => !known.includes(key));
    if (unknown !== undefined) throw unknownKey(where, unknown, known);
  }

  /** Returns a value as it stands. */
  raw(key: string): unknown {
    return this.#raw[key];
  }

  /** Returns a number, or undefined when it is absent. */
  number(key: string, rule: NumberRule = {}): number | undefined {
    const value = this.#raw[key];
    if (value === undefined) return undefined;
    const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY, isWhole = false } = rule;
    const isRight = typeof value === "number" && value >= least && value <= most;
    if (isRight && (!isWhole || Number.isSafeInteger(value))) return value;
    throw this.#wrong(key, value, describeRule(rule));
  }

  /** Returns a number that must be there. */
  needNumber(key: string, rule: NumberRule = {}): number {
    const value = this.number(key, rule);
    if (value === undefined) throw this.#wrong(key, undefined, describeRule(rule));
    return value;
  }

  /** Returns a text, or undefined when it is absent. */
  text(key: string): string | undefined {
    const value = this.#raw[key];
    if (value === undefined || (typeof value === "string" && value !== "")) return value;
    throw this.#wrong(key, value, "a text");
  }

  /** Returns one of some words; the first is the default. */
  word<T extends string>(key: string, words: readonly [T, ...T[]]): T {
    const value = this.#raw[key];
    if (value === undefined) return words[0];
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    throw this.#wrong(key, value, `one of ${words.map((word) => JSON.stringify(word)).join(", ")}`);
  }

  /** Returns true or false, or undefined when it is absent. */
  flag(key: string): boolean | undefined {
    const value = this.#raw[key];
    if (value === undefined || typeof value === "boolean") return value;
    throw this.#wrong(key, value, "true or false");
  }

  /** Returns a text or a list of texts as a list, which must not be empty. */
  texts(key: string): readonly string[] {
    const value = this.#raw[key];
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    const texts = list.filter((one) => typeof one === "string" && one !== "") as readonly string[];
    if (texts.length === list.length && texts.length > 0) return texts;
    throw this.#wrong(key, value, "a text or a list of texts");
  }

  /** Returns an object whose keys somebody else checks. */
  plainObject(key: string): Readonly<Record<string, unknown>> {
    const value = this.#raw[key];
    if (isJsonObject(value)) return value;
    throw this.#wrong(key, value, "a JSON object");
  }

  /** Returns the fields of an object inside, or undefined when it is absent. */
  object(key: string, known: readonly string[]): Fields | undefined {
    const value = this.#raw[key];
    return value === undefined ? undefined : new Fields(this.#place(key), value, known);
  }

  /** Returns the fields of each object of a list, none when it is absent. */
  objects(key: string, known: readonly string[]): readonly Fields[] {
    const value = this.#raw[key];
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.#wrong(key, value, "a list of objects");
    return value.map((one: unknown, index) => new Fields(`${this.#place(key)}[${index}]`, one, known));
  }

  #place(key: string): string {
    return `${this.#where}: "${key}"`;
  }

  #wrong(key: string | undefined, value: unknown, expected: string): InputError {
    return new InputError({
      where: key === undefined ? this.#where : this.#place(key),
      got: describe(value),
      expected,
      fix: "Correct the recipe.",
    });
  }
}

function unknownKey(where: string, key: string, known: readonly string[]): InputError {
  return new InputError({
    where,
    got: `the unknown key "${key}"`,
    expected: `keys among ${known.join(", ")}`,
    fix: `Correct or remove it.${nearestHint(key, known)}`,
  });
}

/** Returns an object without its undefined values. */
export function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
