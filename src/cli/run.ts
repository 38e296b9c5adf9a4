/** `limpid run`: the likeliest next tokens, and how surprising each token of the prompt was. */
import type { Command } from "commander";
import { UnsupportedError } from "../core/index.js";
import type { Model, Run } from "../model/index.js";
import { table } from "../viz/index.js";
import type { CliContext } from "./context.js";
import { addTokenOptions, type InputArguments, readInput } from "./input.js";
import { addModelOptions, integer, type ModelOptions, withModel } from "./options.js";

interface RunArguments extends ModelOptions, InputArguments {
  readonly top: number;
  readonly prependBos?: boolean;
  readonly json?: boolean;
}

/** One candidate for the next token. */
interface Candidate {
  readonly id: number;
  /** Absent for models without a tokenizer. */
  readonly token?: string;
  readonly probability: number;
  readonly logit: number;
}

/** One token of the prompt. */
interface PromptToken {
  readonly pos: number;
  readonly id: number;
  readonly token?: string;
  /** −log p(token | before it) in nats; absent for the first. */
  readonly loss?: number;
}

const examples = `
Examples:
  limpid run tiny "The President of the United"
  limpid run openai-community/gpt2 "The capital of France is" --top 5 --prepend-bos
  limpid run ./no-tokenizer --tokens 1,2,3 --json`;

/** The text of an id, where the model has a tokenizer. */
export function pieceOf(model: Model, id: number): { readonly token?: string } {
  const token = model.view.core.tokenizer?.piece(id);
  return token === undefined ? {} : { token };
}

function topTokens(model: Model, run: Run, count: number): readonly Candidate[] {
  const logits = run.logits.at({ batch: 0, pos: -1 });
  const probabilities = logits.cast("float64").softmax("dVocabOut");
  const { values, indices } = logits.topk(Math.min(count, logits.sizeOf("dVocabOut")), "dVocabOut");
  return Array.from(indices.data, (id, i) => {
    return {
      id,
      ...(model.config.dVocabOut === model.config.dVocab ? pieceOf(model, id) : {}),
      probability: Number(probabilities.data[id]),
      logit: Number(values.data[i]),
    };
  });
}

function promptTokens(model: Model, run: Run, hasLoss: boolean): readonly PromptToken[] {
  return Array.from(run.tokens.data, (id, pos) => ({
    pos,
    id,
    ...pieceOf(model, id),
    ...(hasLoss && pos > 0 ? { loss: Number(run.lossPerToken.data[pos - 1]) } : {}),
  }));
}

function printText(context: CliContext, top: readonly Candidate[], prompt: readonly PromptToken[]): void {
  const hasText = top[0]?.token !== undefined;
  const textColumn = hasText ? [{ name: "token", kind: "token" } as const] : [];
  const columns = [{ name: "probability", kind: "number" } as const, { name: "logit", kind: "number" } as const];
  const idColumn = { name: "id", kind: "text" } as const;
  const best = top.map(({ token = "", id, probability, logit }) => [
    ...(hasText ? [token] : []),
    String(id),
    probability,
    logit,
  ]);
  context.print(table([...textColumn, idColumn, ...columns], best, { title: "next token" }).toText());
  const rows = prompt.map(({ pos, token = "", id, loss }) => [
    String(pos),
    ...(hasText ? [token] : []),
    String(id),
    loss === undefined ? "" : loss.toFixed(3),
  ]);
  const losses = prompt.flatMap(({ loss }) => loss ?? []);
  const mean = losses.reduce((a, b) => a + b, 0) / losses.length;
  const title =
    losses.length === 0 ? "prompt" : `prompt: mean loss ${mean.toFixed(4)} nats over ${losses.length} tokens`;
  const head = [
    { name: "pos", kind: "text" } as const,
    ...textColumn,
    idColumn,
    { name: "loss", kind: "text" } as const,
  ];
  context.print(`\n${table(head, rows, { title }).toText()}`);
}

function checkOneRow(run: Run): void {
  if (run.receipt.batch === 1) return;
  throw new UnsupportedError({
    where: "limpid run",
    got: `${run.receipt.batch} rows`,
    expected: "one prompt",
    fix: "Use limpid capture for batches.",
  });
}

async function runCommand(
  context: CliContext,
  model: Model,
  input: Parameters<Model["run"]>[0],
  options: RunArguments,
): Promise<void> {
  const { prependBos, top } = options;
  const bos = prependBos === undefined ? {} : { prependBos };
  const hasLoss = model.config.dVocab === model.config.dVocabOut && (model.toTokens(input, bos).shape[1] ?? 0) > 1;
  const run = await model.run(input, { ...bos, loss: hasLoss, signal: context.signal });
  checkOneRow(run);
  const best = topTokens(model, run, top);
  const prompt = promptTokens(model, run, hasLoss);
  if (options.json !== true) {
    printText(context, best, prompt);
    return;
  }
  const { bos: policy, identity } = run.receipt;
  context.printJson({
    model: model.id,
    identity,
    bos: policy,
    ...(hasLoss ? { loss: run.loss } : {}),
    top: best,
    prompt,
  });
}

/** Adds `limpid run`. */
export function addRun(program: Command, context: CliContext): void {
  const command = addModelOptions(addTokenOptions(program.command("run <model> [prompt]")))
    .description("Run a prompt once: the likeliest next tokens, and the loss of each token in nats.")
    .option("--top <n>", "how many candidates to print", integer(1), 10)
    .option("--prepend-bos", "put BOS in front (default: as the tokenizer does)")
    .option("--no-prepend-bos", "never put BOS in front")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples);
  command.action(async (source: string, prompt: string | undefined, options: RunArguments) => {
    const given = prompt === undefined ? options : { ...options, prompt };
    const input = await readInput(command, given, "PROMPT");
    await withModel(context, source, options, (model) => runCommand(context, model, input, options));
  });
}
