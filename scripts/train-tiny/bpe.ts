/**
 * Byte-level byte-pair encoding in the manner of GPT-2: the trainer, and `tokenizer.json`.
 *
 * 1. Cut the text with GPT-2's pattern and count the distinct pieces.
 * 2. Write each piece as byte symbols and count adjacent pairs over all pieces.
 * 3. Merge the most frequent pair (ties: the pair that sorts first), update only the pieces that hold it; repeat.
 *
 * Words that are to stay whole are entries of the vocabulary without merges, which `ignore_merges` looks up first.
 */

/** The token between documents. */
export const endOfText = "<|endoftext|>";

const pattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** GPT-2's 256 printable characters by byte; ids follow the order of this list. */
function byteSymbols(): readonly (readonly [byte: number, symbol: string])[] {
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
  const printable = [...range(33, 127), ...range(161, 173), ...range(174, 256)];
  const rest = range(0, 256).filter((byte) => !printable.includes(byte));
  return [
    ...printable.map((byte) => [byte, String.fromCodePoint(byte)] as const),
    ...rest.map((byte, n) => [byte, String.fromCodePoint(256 + n)] as const),
  ];
}

const symbolOf: ReadonlyMap<number, string> = new Map(byteSymbols());

/** Returns a text in byte symbols. */
function inSymbols(text: string): string[] {
  return Array.from(new TextEncoder().encode(text), (byte) => symbolOf.get(byte) ?? "");
}

function countPieces(texts: readonly string[], extra: Readonly<Record<string, number>>): Map<string, number> {
  const counts = new Map<string, number>(Object.entries(extra));
  for (const text of texts)
    for (const [piece] of text.matchAll(pattern)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  return counts;
}

/** A pair as one key: symbols never contain a space. */
const keyOf = (left: string, right: string): string => `${left} ${right}`;

function joinPair(word: readonly string[], left: string, right: string): string[] {
  const joined: string[] = [];
  for (let i = 0; i < word.length; i++) {
    const isPair = word[i] === left && word[i + 1] === right;
    joined.push(isPair ? left + right : (word[i] ?? ""));
    if (isPair) i += 1;
  }
  return joined;
}

/** Distinct pieces of the text with their counts, and where each pair occurs. */
class PairTable {
  readonly #words: string[][];
  readonly #counts: readonly number[];
  readonly #pairs = new Map<string, number>();
  readonly #where = new Map<string, Set<number>>();

  constructor(counts: ReadonlyMap<string, number>) {
    const pieces = [...counts.keys()].sort();
    this.#words = pieces.map(inSymbols);
    this.#counts = pieces.map((piece) => counts.get(piece) ?? 0);
    this.#words.forEach((_, index) => {
      this.#count(index, 1);
    });
  }

  #count(index: number, sign: 1 | -1): void {
    const word = this.#words[index] ?? [];
    for (let i = 0; i + 1 < word.length; i++) {
      const key = keyOf(word[i] ?? "", word[i + 1] ?? "");
      this.#pairs.set(key, (this.#pairs.get(key) ?? 0) + sign * (this.#counts[index] ?? 0));
      const places = this.#where.get(key) ?? new Set();
      this.#where.set(key, places.add(index));
    }
  }

  /** Merges the most frequent pair and returns it. */
  merge(): string {
    let [best, most] = ["", 0];
    for (const [key, count] of this.#pairs) {
      if (count > most || (count === most && key < best)) [best, most] = [key, count];
    }
    const [left = "", right = ""] = best.split(" ");
    for (const index of this.#where.get(best) ?? []) {
      this.#count(index, -1);
      this.#words[index] = joinPair(this.#words[index] ?? [], left, right);
      this.#count(index, 1);
    }
    this.#pairs.delete(best);
    this.#where.delete(best);
    return best;
  }
}

/** What a tokenizer is trained on. */
export interface BpeOptions {
  /** Ids in all, `<|endoftext|>` included. */
  readonly size: number;
  /** Words that are one token each, space in front included. */
  readonly whole: readonly string[];
  /** Counts added to those of the texts. */
  readonly extra: Readonly<Record<string, number>>;
}

/** Trains on texts and returns the content of a `tokenizer.json`. */
export function trainTokenizer(texts: readonly string[], { size, whole, extra }: BpeOptions): unknown {
  const table = new PairTable(countPieces(texts, extra));
  const words = whole.map((word) => inSymbols(word).join(""));
  const vocabulary = new Map(byteSymbols().map(([, symbol], id) => [symbol, id]));
  const add = (token: string): unknown => vocabulary.has(token) || vocabulary.set(token, vocabulary.size);
  const merges: string[] = [];
  const missing = (): number => words.filter((word) => !vocabulary.has(word)).length;
  while (vocabulary.size + missing() < size - 1) {
    const pair = table.merge();
    merges.push(pair);
    add(pair.replace(" ", ""));
  }
  words.forEach(add);
  return tokenizerFile(vocabulary, merges);
}

function tokenizerFile(vocabulary: ReadonlyMap<string, number>, merges: readonly string[]): unknown {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [{ id: vocabulary.size, content: endOfText, ...flags }],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: { ...byteLevel, trim_offsets: false },
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: true,
      vocab: { ...Object.fromEntries(vocabulary), [endOfText]: vocabulary.size },
      merges,
    },
  };
}
