/** `limpid trace`: an attribution graph as files, a page and sentences. */
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import {
  type AttributionGraph,
  type AttributionGraphOptions,
  attributionGraph,
  describeFeatures,
  graphFaithfulness,
  graphSummary,
  saveGraph,
  verifyGraph,
} from "../circuits/index.js";
import type { DictionarySet } from "../dictionary/index.js";
import { writeFileAtomic } from "../io/index.js";
import type { Model } from "../model/index.js";
import type { CliContext } from "./context.js";
import { type OpenArguments, openSet } from "./dictionary-options.js";
import { addModelOptions, decimal, integer, type ModelOptions, withModel, wrongUsage } from "./options.js";

interface TraceArguments extends ModelOptions, OpenArguments {
  readonly dictionaries?: string;
  readonly target?: readonly string[];
  readonly versus?: string;
  readonly out: string;
  readonly name: string;
  readonly nodes: number;
  readonly keep: number;
  readonly verify: number;
  readonly json?: boolean;
}

const examples = `
Written to the folder: NAME.json (opens in circuit-tracer's viewer and on Neuronpedia), NAME.limpid.json (every number),
NAME.html (a page that opens anywhere), NAME.md (the graph in sentences, and how far to trust it).

Examples:
  limpid trace tiny "The capital of France is" --out paris
  limpid trace tiny "The capital of France is" --target " Paris" --versus " Berlin" --out paris-or-berlin
  limpid trace openai-community/gpt2 "The capital of France is" --dictionaries ./transcoders --out gpt2`;

/** Sets that come with limpid, by model. */
const shipped: Readonly<Record<string, string>> = { tiny: "tiny/transcoders" };

function dictionariesOf(command: Command, model: string, { dictionaries }: TraceArguments): string {
  const name = dictionaries ?? shipped[model];
  if (name !== undefined) return name;
  return wrongUsage(command, {
    where: "trace",
    got: "no --dictionaries",
    expected: "transcoders of the model's MLPs: a folder or a hub id",
    fix: "Only tiny has transcoders that come with limpid; see limpid dictionary train.",
  });
}

function targetOf(command: Command, { target, versus }: TraceArguments): Pick<AttributionGraphOptions, "target"> {
  if (versus === undefined) return target === undefined ? {} : { target };
  const [one] = target ?? [];
  if (one !== undefined && target?.length === 1) return { target: { logitDiff: [one, versus] } };
  return wrongUsage(command, {
    where: "--versus",
    got: `${target?.length ?? 0} targets`,
    expected: "one --target to compare with",
    fix: 'Pass --target " Paris" --versus " Berlin".',
  });
}

interface Traced {
  readonly graph: AttributionGraph;
  readonly set: DictionarySet;
}

/** Checks by intervention, unless told not to. */
async function checks(
  { signal, onProgress }: CliContext,
  model: Model,
  { graph, set }: Traced,
  { verify }: TraceArguments,
): Promise<Pick<NonNullable<Parameters<typeof graphSummary>[1]>, "faithfulness" | "verification">> {
  if (verify === 0) return {};
  const verification = await verifyGraph(model, graph, set, { nodes: verify, signal, onProgress });
  const [first] = graph.nodes;
  const hasToken = first?.kind === "target" && first.token !== undefined;
  const hasFeatures = graph.nodes.some(({ kind }) => kind === "feature");
  if (!hasToken || !hasFeatures) return { verification };
  return { verification, faithfulness: await graphFaithfulness(model, graph, set, { signal, onProgress }) };
}

async function traceCommand(
  context: CliContext,
  model: Model,
  {
    prompt,
    set,
    target,
  }: { readonly prompt: string; readonly set: DictionarySet } & Pick<AttributionGraphOptions, "target">,
  args: TraceArguments,
): Promise<void> {
  const { signal, onProgress } = context;
  const options = { maxFeatureNodes: args.nodes, signal, onProgress, ...(target === undefined ? {} : { target }) };
  const graph = await attributionGraph(model, prompt, set, options);
  const checked = await checks(context, model, { graph, set }, args);
  const prune = { nodeShare: args.keep, edgeShare: 0.98 };
  const describe = await describeFeatures(model, graph.prune(prune), set);
  const folder = resolve(args.out);
  await mkdir(folder, { recursive: true });
  const { viewer, whole } = await saveGraph(graph, folder, { slug: args.name, describe, prune });
  const summary = join(folder, `${args.name}.md`);
  await writeFileAtomic(summary, graphSummary(graph, { describe, ...checked }));
  const page = join(folder, `${args.name}.html`);
  await graph.toView({ ...prune, describe }).save(page);
  if (args.json === true) {
    const { edgeAgreement, totalAgreement } = checked.verification ?? {};
    context.printJson({
      files: { viewer, whole, summary, page },
      features: graph.nodes.filter(({ kind }) => kind === "feature").length,
      edges: graph.size,
      certificate: graph.certificate,
      scores: graph.scores(),
      edgeAgreement,
      totalAgreement,
    });
    return;
  }
  for (const text of [graph, checked.verification, checked.faithfulness])
    if (text !== undefined) context.print(String(text));
  for (const path of [viewer, whole, summary, page]) context.print(path);
}

/** Adds `limpid trace`. */
export function addTrace(program: Command, context: CliContext): void {
  const collect = (text: string, earlier: readonly string[] | undefined): readonly string[] => [
    ...(earlier ?? []),
    text,
  ];
  addModelOptions(program.command("trace <model> <prompt>"))
    .description("Trace a prediction back to features and tokens, check it, and write it down.")
    .option("--dictionaries <set>", "transcoders of the model's MLPs: an embedded name, a folder or a hub id")
    .option("--target <token>", "a token whose logit is traced; may be repeated (default: the likeliest)", collect)
    .option("--versus <token>", "trace the target's logit minus that of this token")
    .requiredOption("--out <folder>", "where files go")
    .option("--name <name>", "name of the files", "graph")
    .option("--nodes <n>", "features that get edges of their own, the most influential", integer(1), 8192)
    .option("--keep <share>", "share of the influence that the file for viewers keeps", decimal(0, 1), 0.8)
    .option("--verify <n>", "nodes that are taken away to check the graph; 0 for none", integer(0), 32)
    .option("--json", "print one JSON value")
    .addHelpText("after", examples)
    .action(async (source: string, prompt: string, args: TraceArguments, command: Command) => {
      const name = dictionariesOf(command, source, args);
      const target = targetOf(command, args);
      await withModel(context, source, args, async (model) => {
        const set = await openSet(context, name, args);
        await traceCommand(context, model, { prompt, set, ...target }, args);
      });
    });
}
