/** `limpid generate`: a continuation, token by token as it is made. */
import type { Command } from "commander";
import type { GenerateOptions, Model, ModelInput } from "../model/index.js";
import type { CliContext } from "./context.js";
import { addTokenOptions, type InputArguments, readInput } from "./input.js";
import { addModelOptions, decimal, integer, type ModelOptions, withModel } from "./options.js";

interface GenerateArguments extends ModelOptions, InputArguments {
  readonly maxNewTokens: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly stop?: string;
  readonly prependBos?: boolean;
  readonly json?: boolean;
}

const examples = `
Without sampling options the likeliest token is taken each time.

Examples:
  limpid generate tiny "My fellow citizens"
  limpid generate tiny "Call me" --temperature 0.8 --seed 7 --max-new-tokens 60`;

/** Keeps what was given. */
function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function generateOptions(context: CliContext, options: GenerateArguments): GenerateOptions {
  const { maxNewTokens, temperature, topK, topP, seed, stop, prependBos } = options;
  return { maxNewTokens, signal: context.signal, ...given({ temperature, topK, topP, seed, stop, prependBos }) };
}

async function generateCommand(
  context: CliContext,
  model: Model,
  input: ModelInput,
  options: GenerateArguments,
): Promise<void> {
  const chosen = generateOptions(context, options);
  const hasText = model.view.core.tokenizer !== undefined;
  if (options.json === true || !hasText) {
    const { texts, newTokens, tokens, stopReasons } = await model.generate(input, chosen);
    if (options.json === true) context.printJson({ model: model.id, texts, newTokens, tokens, stopReasons });
    else context.print(newTokens.map((row) => row.join(",")).join("\n"));
    return;
  }
  for await (const { texts } of model.generateStream(input, chosen)) context.io.stdout.write(texts[0] ?? "");
  context.print("");
}

/** Adds `limpid generate`. */
export function addGenerate(program: Command, context: CliContext): void {
  const command = addModelOptions(addTokenOptions(program.command("generate <model> [prompt]")))
    .description("Continue a prompt; the text appears as it is made.")
    .option("--max-new-tokens <n>", "how many tokens at most", integer(1), 32)
    .option("--temperature <t>", "0 takes the likeliest token", decimal(0))
    .option("--top-k <k>", "draw from the k likeliest", integer(1))
    .option("--top-p <p>", "draw from the fewest tokens that reach this probability", decimal(0, 1))
    .option("--seed <n>", "seed of the draws", integer(0))
    .option("--stop <text>", "text at which to end")
    .option("--prepend-bos", "put BOS in front (default: as the tokenizer does)")
    .option("--no-prepend-bos", "never put BOS in front")
    .option("--json", "print one JSON value instead of text")
    .addHelpText("after", examples);
  command.action(async (source: string, prompt: string | undefined, options: GenerateArguments) => {
    const input = await readInput(command, prompt === undefined ? options : { ...options, prompt }, "PROMPT");
    await withModel(context, source, options, (model) => generateCommand(context, model, input, options));
  });
}
