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
  export class Tokenizer {
    constructor(tokenizer: object, config: object);
    model: Model;
    encode(text: string, options?: { add_special_tokens?: boolean }): { ids: (number | undefined)[]; tokens: string[] };
    decode(ids: number[], options?: { skip_special_tokens?: boolean; clean_up_tokenization_spaces?: boolean }): string;
  }
}
