/** `limpid verify`: a table of what was measured about a model; exit code 1 when a bound was missed. */
import type { Command } from "commander";
import { verify } from "../model/index.js";
import type { CliContext } from "./context.js";
import { addModelOptions, type ModelOptions, withModel } from "./options.js";

interface VerifyArguments extends ModelOptions {
  readonly quick?: boolean;
  readonly allLayers?: boolean;
  readonly json?: boolean;
}

const examples = `
Measured: weights, shapes of every hook point, attention patterns, parts against the stream, causality, an edit at every
hook point, float32 against float64, batches, padding, generation, loss, and the recorded answers of well-known models.
All layers of models under 50 million parameters, else the first, the middle and the last; the table says which.

Examples:
  limpid verify tiny
  limpid verify openai-community/gpt2 --all-layers
  limpid verify ./my-model --quick --json`;

/** Adds `limpid verify`. */
export function addVerify(program: Command, context: CliContext): void {
  addModelOptions(program.command("verify <model>"))
    .description("Check a model thoroughly against laws that every transformer obeys.")
    .option("--quick", "first, middle and last layer only, short inputs, weights not read in full")
    .option("--all-layers", "every layer, however large the model is")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples)
    .action((source: string, options: VerifyArguments) =>
      withModel(context, source, options, async (model) => {
        const { quick = false, allLayers = false } = options;
        const { signal, onProgress } = context;
        const verification = await verify(model, { quick, allLayers, signal, onProgress });
        if (options.json === true) context.printJson(verification);
        else context.print(verification.toString());
        if (!verification.isOk) context.setExitCode(1);
      }),
    );
}
