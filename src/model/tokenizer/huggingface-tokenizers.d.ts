/* eslint-disable @typescript-eslint/naming-convention -- the package's own names */
/**
 * The part of `@huggingface/tokenizers` 0.2.0 that limpid uses.
 *
 * The package's own declarations import each other without file endings, which ESM resolution reads as `any`.
 */
declare module "@huggingface/tokenizers" {
  /** Turns the pieces of pre-tokenised text into tokens of the vocabulary. */
  export interface Model {
    /** Token strings by id; may have holes. */
    readonly vocab: readonly (string | undefined)[];
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    readonly unk_token_id: number | undefined;
  }
  /** A tokenizer made from the two JSON files. */
  export class Tokenizer {
    constructor(tokenizer: object, config: object);
    model: Model;
    /** Returns ids, a hole where the vocabulary lacks a token, and the tokens' strings. */
    encode(text: string, options?: { add_special_tokens?: boolean }): { ids: (number | undefined)[]; tokens: string[] };
    /** Returns text; an empty list throws. */
    decode(ids: number[], options?: { skip_special_tokens?: boolean; clean_up_tokenization_spaces?: boolean }): string;
  }
}
