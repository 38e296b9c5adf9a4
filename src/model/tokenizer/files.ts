/** Reads a tokenizer's files from a model folder. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FormatError } from "../../core/index.js";
import { isJsonObject } from "../../io/index.js";
import { integerList, type JsonObject, parseJsonObject } from "./json.js";

/** The roles that tokenizer files name special tokens for. */
export type SpecialRole = "bos" | "eos" | "pad" | "unk" | "cls" | "sep" | "mask";

/** One token with an id of its own outside the model's merges. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

/** Everything that a folder says about its tokenizer. */
export interface TokenizerFiles {
  /** The folder, for messages. */
  readonly folder: string;
  /** `tokenizer.json`. */
  readonly tokenizer: JsonObject;
  /** `tokenizer_config.json`, or `{}`. */
  readonly config: JsonObject;
  /** Added tokens of `tokenizer.json`; the tokens with a role count as special whatever the file says. */
  readonly added: readonly AddedToken[];
  /** Token strings by role, from `tokenizer_config.json`, then `special_tokens_map.json`. */
  readonly roles: ReadonlyMap<SpecialRole, string>;
  /** `eos_token_id` of `generation_config.json`, or of `config.json`; may be several, may be empty. */
  readonly eosIds: readonly number[];
  /** Chat templates by name; a single one is `default`. */
  readonly templates: ReadonlyMap<string, string>;
}

const roles: readonly SpecialRole[] = ["bos", "eos", "pad", "unk", "cls", "sep", "mask"];

/** Reads and checks the tokenizer files of `folder`; only `tokenizer.json` must be there. */
export function readTokenizerFiles(folder: string): TokenizerFiles {
  const path = join(folder, "tokenizer.json");
  const tokenizer = readJson(path);
  if (tokenizer === undefined || !isJsonObject(tokenizer["model"])) throw noModel(path);
  const config = readJson(join(folder, "tokenizer_config.json")) ?? {};
  const map = readJson(join(folder, "special_tokens_map.json")) ?? {};
  const named = rolesOf(config, map);
  return {
    folder,
    tokenizer,
    config,
    added: addedTokens(tokenizer, config, named),
    roles: named,
    eosIds: eosIdsOf(folder),
    templates: templatesOf(folder, config),
  };
}

function noModel(path: string): FormatError {
  const expected = "a Hugging Face tokenizers file with a `model` object";
  return new FormatError({ where: path, got: "no `model` in it", expected, fix: "Fetch the file again." });
}

function readJson(path: string): JsonObject | undefined {
  return existsSync(path) ? parseJsonObject(readFileSync(path, "utf8"), path) : undefined;
}

function rolesOf(config: JsonObject, map: JsonObject): ReadonlyMap<SpecialRole, string> {
  const named = new Map<SpecialRole, string>();
  for (const role of roles) {
    const content = contentOf(config[`${role}_token`]) ?? contentOf(map[`${role}_token`]);
    if (content !== undefined) named.set(role, content);
  }
  return named;
}

/** A token is written as its string or as an object with `content`. */
function contentOf(value: unknown): string | undefined {
  const content = isJsonObject(value) ? value["content"] : value;
  return typeof content === "string" && content.length > 0 ? content : undefined;
}

function addedTokens(
  tokenizer: JsonObject,
  config: JsonObject,
  named: ReadonlyMap<SpecialRole, string>,
): readonly AddedToken[] {
  const extra = config["additional_special_tokens"];
  const special = new Set<unknown>([...named.values(), ...(Array.isArray(extra) ? extra.map(contentOf) : [])]);
  const entries = tokenizer["added_tokens"];
  const list: readonly unknown[] = Array.isArray(entries) ? entries : [];
  const added = list.map((entry) => addedToken(entry, special)).filter((token) => token !== undefined);
  return [...added, ...namedOnly(tokenizer, added, special)];
}

function addedToken(entry: unknown, special: ReadonlySet<unknown>): AddedToken | undefined {
  if (!isJsonObject(entry)) return undefined;
  const { id, content } = entry;
  if (typeof id !== "number" || typeof content !== "string" || content.length === 0) return undefined;
  const isSpecial = entry["special"] === true || special.has(content);
  return { id, content, special: isSpecial, lstrip: entry["lstrip"] === true, rstrip: entry["rstrip"] === true };
}

/** Special tokens that only the configuration names, though the vocabulary has them. */
function namedOnly(
  tokenizer: JsonObject,
  added: readonly AddedToken[],
  special: ReadonlySet<unknown>,
): readonly AddedToken[] {
  const known = new Set<unknown>(added.map((token) => token.content));
  const model = tokenizer["model"];
  const vocab = isJsonObject(model) && isJsonObject(model["vocab"]) ? model["vocab"] : {};
  return [...special].flatMap((content) => {
    if (typeof content !== "string" || known.has(content) || !Object.hasOwn(vocab, content)) return [];
    const id = vocab[content];
    return typeof id === "number" ? [{ id, content, special: true, lstrip: false, rstrip: false }] : [];
  });
}

function eosIdsOf(folder: string): readonly number[] {
  const generation = integerList(readJson(join(folder, "generation_config.json"))?.["eos_token_id"]);
  return generation.length > 0 ? generation : integerList(readJson(join(folder, "config.json"))?.["eos_token_id"]);
}

function templatesOf(folder: string, config: JsonObject): ReadonlyMap<string, string> {
  const path = join(folder, "chat_template.jinja");
  if (existsSync(path)) return new Map([["default", readFileSync(path, "utf8")]]);
  const template = config["chat_template"];
  if (typeof template === "string") return new Map([["default", template]]);
  const named = new Map<string, string>();
  for (const entry of Array.isArray(template) ? template : []) {
    if (!isJsonObject(entry)) continue;
    const { name, template: text } = entry;
    if (typeof name === "string" && typeof text === "string") named.set(name, text);
  }
  return named;
}
