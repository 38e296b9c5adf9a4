/** A scanner for JSON text that finds what `JSON.parse` does not tell: where an error is, and repeated keys. */

/** What a scan found. */
export interface JsonScan {
  /** Index into the text of the first character that breaks the grammar, or the text's length when it ends too soon. */
  readonly errorAt?: number;
  /** The first key that an object holds twice, and where its second use starts. */
  readonly duplicate?: { readonly key: string; readonly at: number };
}

/** Deeper nesting than this is reported as an error; no file format of limpid's comes near. */
const maxDepth = 512;
const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const stringPattern = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const spacePattern = /[ \t\n\r]*/y;

/** Scans JSON text; an empty result means that it is valid and repeats no key. */
export function scanJson(text: string): JsonScan {
  const scanner = new Scanner(text);
  try {
    scanner.value(0);
    scanner.end();
  } catch (error) {
    if (error instanceof Stop) return { errorAt: error.at };
    // A string too long for the pattern engine: JSON.parse has the last word, and the place is as near as is known.
    if (error instanceof RangeError) return { errorAt: scanner.at };
    throw error;
  }
  return scanner.duplicate === undefined ? {} : { duplicate: scanner.duplicate };
}

/** Returns the 1-based line and column of an index. */
export function lineAndColumn(text: string, index: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, index);
  const lastBreak = before.lastIndexOf("\n");
  return { line: before.split("\n").length, column: index - lastBreak };
}

/** Ends a scan; it never leaves this file. */
class Stop extends Error {
  readonly at: number;
  constructor(at: number) {
    super("not JSON");
    this.at = at;
  }
}

class Scanner {
  readonly #text: string;
  #at = 0;
  duplicate: { readonly key: string; readonly at: number } | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  get at(): number {
    return this.#at;
  }

  value(depth: number): void {
    this.#skip(spacePattern);
    const char = this.#text[this.#at];
    if (depth > maxDepth) throw new Stop(this.#at);
    if (char === "{") this.#object(depth);
    else if (char === "[") this.#array(depth);
    else if (char === '"') this.#string();
    else if (!["true", "false", "null"].some((word) => this.#word(word))) this.#number();
    this.#skip(spacePattern);
  }

  end(): void {
    if (this.#at < this.#text.length) throw new Stop(this.#at);
  }

  #object(depth: number): void {
    const keys = new Set<string>();
    this.#at++;
    this.#skip(spacePattern);
    if (this.#word("}")) return;
    do {
      this.#skip(spacePattern);
      this.#key(keys);
      this.#skip(spacePattern);
      this.#expect(":");
      this.value(depth + 1);
    } while (this.#word(","));
    this.#expect("}");
  }

  #key(keys: Set<string>): void {
    const at = this.#at;
    const key: unknown = JSON.parse(this.#string());
    if (typeof key !== "string") throw new Stop(at);
    if (keys.has(key)) this.duplicate ??= { key, at };
    keys.add(key);
  }

  #array(depth: number): void {
    this.#at++;
    this.#skip(spacePattern);
    if (this.#word("]")) return;
    do this.value(depth + 1);
    while (this.#word(","));
    this.#expect("]");
  }

  #string(): string {
    const start = this.#at;
    if (!this.#skip(stringPattern)) throw new Stop(start);
    return this.#text.slice(start, this.#at);
  }

  #number(): void {
    if (!this.#skip(numberPattern)) throw new Stop(this.#at);
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #expect(char: string): void {
    if (!this.#word(char)) throw new Stop(this.#at);
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }
}
