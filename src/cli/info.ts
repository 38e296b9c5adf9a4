/** `limpid info`: a model in figures, before anything is loaded. */
import type { Command } from "commander";
import { formatBytes } from "../core/index.js";
import { describeModel, type HookPoint, type ModelConfig, type ModelDescription } from "../model/index.js";
import type { CliContext } from "./context.js";
import { addSourceOptions, checkpointOptions, type SourceOptions } from "./options.js";
import { keyValues, symbolicShape, wholeNumber } from "./print.js";

interface InfoOptions extends SourceOptions {
  readonly json?: boolean;
  readonly hooks?: boolean;
}

const examples = `
Examples:
  limpid info tiny
  limpid info openai-community/gpt2 --hooks
  limpid info ./my-model --json`;

function describeHook({ name, axes, shape, isEditable }: HookPoint): object {
  return { name, axes, shape, isEditable };
}

function isPrepared({ isMappable }: ModelDescription["checkpoint"]): string {
  return isMappable ? "mapped as they lie" : "converted once to float32";
}

function toJson({ checkpoint, config, hookPoints }: ModelDescription, withHooks: boolean): object {
  const { raw: _, ...sizes } = config;
  return {
    ...checkpoint,
    config: sizes,
    nHookPoints: hookPoints.size,
    ...(withHooks ? { hookPoints: [...hookPoints.values()].map(describeHook) } : {}),
  };
}

function heads({ nHeads, nKeyValueHeads, dHead }: ModelConfig): string {
  const shared = nKeyValueHeads === nHeads ? "" : `, ${nKeyValueHeads} key/value heads`;
  return `${nHeads} of ${dHead}${shared}`;
}

function positions({ positionalEmbedding, rotary, windows, attentionDirection }: ModelConfig): string {
  const kind =
    rotary === undefined ? positionalEmbedding : `rotary, ${rotary.dim} dimensions of each head, base ${rotary.base}`;
  const window = windows.find((size) => size !== undefined);
  const direction = attentionDirection === "causal" ? "" : ", bidirectional";
  return `${kind}${window === undefined ? "" : `, sliding windows of ${window}`}${direction}`;
}

function mlp({ attnOnly, dMlp, gatedMlp, actFn, parallelAttnMlp }: ModelConfig): string {
  if (attnOnly) return "none (attention only)";
  return `${dMlp} wide, ${actFn}${gatedMlp ? ", gated" : ""}${parallelAttnMlp ? ", parallel to attention" : ""}`;
}

function onDisk({ checkpoint }: ModelDescription): string {
  const types = Object.entries(checkpoint.parametersByDType);
  return types.map(([dtype, count]) => `${wholeNumber(count)} ${dtype}`).join(", ");
}

function lines(description: ModelDescription): readonly (readonly [string, string])[] {
  const { checkpoint, config, hookPoints } = description;
  const { preparedFolder, preparedBytes, revision } = checkpoint;
  const vocabulary = config.dVocabOut === config.dVocab ? "" : `, ${config.dVocabOut} out`;
  return [
    ["architecture", `${config.architecture} (${checkpoint.format} checkpoint)`],
    ["parameters", `${wholeNumber(checkpoint.nParameters)} in ${checkpoint.nTensors} tensors`],
    ["on disk", onDisk(description)],
    ["weights", isPrepared(checkpoint)],
    ...(preparedFolder === undefined
      ? []
      : [["prepared", `${formatBytes(preparedBytes)} in ${preparedFolder}`] as const]),
    ["layers", `${config.nLayers}`],
    ["dModel", `${config.dModel}`],
    ["heads", heads(config)],
    ["MLP", mlp(config)],
    ["norm", config.normalization ?? "none"],
    ["positions", positions(config)],
    ["vocabulary", `${wholeNumber(config.dVocab)}${vocabulary}${config.tiedEmbeddings ? ", tied head" : ""}`],
    ["context", `${wholeNumber(config.nCtx)} tokens`],
    ["tokenizer", checkpoint.hasTokenizer ? "yes" : "none: pass token ids"],
    ["hook points", `${hookPoints.size} (list them with --hooks)`],
    ["identity", `${checkpoint.identity}${revision === undefined ? "" : `, revision ${revision}`}`],
    ["folder", checkpoint.folder],
  ];
}

function printText(context: CliContext, description: ModelDescription, withHooks: boolean): void {
  context.print(description.checkpoint.id);
  context.print(keyValues(lines(description), "  "));
  if (!withHooks) return;
  context.print("");
  const rows = [...description.hookPoints.values()].map(({ name, axes, shape, isEditable }): [string, string] => [
    name,
    `${symbolicShape(shape, axes)}${isEditable ? "" : " read only"}`,
  ]);
  context.print(keyValues(rows));
}

/** Adds `limpid info`. */
export function addInfo(program: Command, context: CliContext): void {
  addSourceOptions(program.command("info <model>"))
    .description("Describe a model: sizes, parameters, files, hook points. Converts and loads nothing.")
    .option("--hooks", "list every hook point with its axes and sizes")
    .option("--json", "print one JSON value")
    .addHelpText("after", examples)
    .action(async (source: string, options: InfoOptions) => {
      const description = await describeModel(source, checkpointOptions(context, options));
      if (options.json === true) context.printJson(toJson(description, options.hooks === true));
      else printText(context, description, options.hooks === true);
    });
}
