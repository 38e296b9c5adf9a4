/** What a command feeds to a model: text, token ids, or token ids from a file. */
import type { Command } from "commander";
import { FormatError } from "../core/index.js";
import { readJson } from "../io/index.js";
import type { ModelInput, TokenRow } from "../model/index.js";
import { wrongUsage } from "./options.js";

/** The options that say what goes in. */
export interface InputArguments {
  readonly prompt?: string;
  readonly tokens?: string;
  readonly tokensFile?: string;
  readonly attentionMaskFile?: string;
}

/** Adds `--tokens`, `--tokens-file` and `--attention-mask-file`. */
export function addTokenOptions(command: Command): Command {
  return command
    .option("--tokens <ids>", "token ids of one row, such as 1,2,3")
    .option("--tokens-file <file.json>", "token ids: a list, or a list of lists of equal length")
    .option("--attention-mask-file <file.json>", "1 at real tokens, 0 at padding; same shape as the tokens");
}

function isRow(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((one) => typeof one === "number" && Number.isInteger(one));
}

function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

/** Reads a JSON file that holds a list or a list of lists of integers. */
async function readRows(path: string): Promise<readonly TokenRow[]> {
  const value = await readJson(path);
  if (isRow(value) && value.length > 0) return [value];
  if (Array.isArray(value) && value.length > 0 && value.every(isRow)) return value;
  throw new FormatError({
    where: path,
    got: describe(value),
    expected: "a list of integers, or a list of such lists",
    fix: "Write JSON such as [[1, 2, 3], [4, 5, 6]].",
  });
}

function parseIds(command: Command, text: string): readonly number[] {
  const ids = text.split(",").map((part) => part.trim());
  if (ids.every((id) => /^\d+$/.test(id))) return ids.map(Number);
  return wrongUsage(command, {
    where: "--tokens",
    got: JSON.stringify(text),
    expected: "token ids separated by commas, such as 1,2,3",
    fix: "For a batch, write the rows to a file and pass --tokens-file.",
  });
}

/** Checks that exactly one option says what goes in, and that a mask has tokens to belong to. */
function checkArguments(command: Command, given: InputArguments, promptName: string): void {
  const sources = { [promptName]: given.prompt, "--tokens": given.tokens, "--tokens-file": given.tokensFile };
  const used = Object.entries(sources).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (used.length !== 1)
    wrongUsage(command, {
      where: command.name(),
      got: used.length === 0 ? "nothing to run" : used.join(" and "),
      expected: `exactly one of ${Object.keys(sources).join(", ")}`,
      fix: "Say in one way what the model reads.",
    });
  if (given.attentionMaskFile !== undefined && given.prompt !== undefined)
    wrongUsage(command, {
      where: "--attention-mask-file",
      got: `a mask for ${promptName}`,
      expected: "--tokens or --tokens-file beside it",
      fix: "Text makes its own mask; leave it out.",
    });
}

/** Reads what the options name; `promptName` is how this command calls its text. */
export async function readInput(command: Command, given: InputArguments, promptName: string): Promise<ModelInput> {
  checkArguments(command, given, promptName);
  if (given.prompt !== undefined) return given.prompt;
  const rows =
    given.tokensFile === undefined ? [parseIds(command, given.tokens ?? "")] : await readRows(given.tokensFile);
  if (given.attentionMaskFile === undefined) return rows;
  const mask = await readRows(given.attentionMaskFile);
  return { tokens: rows, attentionMask: mask.map((row) => Array.from(row)) };
}
