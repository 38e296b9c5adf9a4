/** `limpid dictionary`: train, judge and look at sparse dictionaries. */
import { resolve } from "node:path";
import type { Command } from "commander";
import {
  collectExamples,
  type DashboardOptions,
  type DictionaryEvaluation,
  type DictionarySetEvaluation,
  evaluateDictionary,
  featureDashboard,
  openExamples,
} from "../dictionary/index.js";
import type { Model } from "../model/index.js";
import type { CliContext } from "./context.js";
import {
  addDataOptions,
  addOpenOptions,
  type DataArguments,
  dataOptions,
  type OpenArguments,
  openData,
  openOne,
  openSet,
} from "./dictionary-options.js";
import { addDictionaryTrain } from "./dictionary-train.js";
import { integer, withModel, wrongUsage } from "./options.js";

interface EvalArguments extends DataArguments, OpenArguments {
  readonly set?: boolean;
  readonly losses: boolean;
  readonly json?: boolean;
}

interface DashboardArguments extends DataArguments, OpenArguments {
  readonly out: string;
  readonly examples?: string;
  readonly features?: readonly number[];
  readonly cards?: number;
  readonly title?: string;
  readonly json?: boolean;
}

const evalExamples = `
DICTIONARY is an embedded name such as tiny/resid_post.3, a folder of any known format, or a hub id. DATA is held-out text.
Printed: FVU, L0, CE score with all three losses, KL score, dead features. Special tokens are left out and not replaced.

Examples:
  limpid dictionary eval tiny sae held-out.txt --tokens 100000
  limpid dictionary eval tiny transcoders held-out.jsonl --set --json`;

const dashboardExamples = `
The page opens anywhere, offline: a map and a list of all features, and a card for some of them.
With --examples the collected examples are kept in a folder; called again, the page is made from it without DATA.

Examples:
  limpid dictionary dashboard tiny sae corpus.txt --tokens 500000 --out features.html
  limpid dictionary dashboard tiny sae corpus.txt --examples examples --out features.html
  limpid dictionary dashboard tiny sae --examples examples --features 3,17,256 --out three.html`;

/** Numbers of one evaluation, without the lists of single features. */
function evaluationJson(evaluation: DictionaryEvaluation): Record<string, unknown> {
  const { name, kind, readHook, writeHook, nFeatures, reconstruction, l0, dead, losses, provenance } = evaluation;
  const counts = { count: dead.count, tokens: dead.tokens };
  return { name, kind, readHook, writeHook, nFeatures, l0, reconstruction, dead: counts, losses, provenance };
}

function setJson({ name, evaluations, together, provenance }: DictionarySetEvaluation): Record<string, unknown> {
  return { name, evaluations: evaluations.map(evaluationJson), together, provenance };
}

interface EvalTarget {
  readonly dictionary: string;
  readonly path: string;
}

async function evalCommand(
  context: CliContext,
  model: Model,
  { dictionary, path }: EvalTarget,
  args: EvalArguments,
): Promise<void> {
  const options = { ...dataOptions(context, args), losses: args.losses };
  const texts = openData(path, args);
  const isJson = args.json === true;
  if (args.set === true) {
    const evaluation = await evaluateDictionary(model, await openSet(context, dictionary, args), texts, options);
    if (isJson) context.printJson(setJson(evaluation));
    else context.print(evaluation.toString());
    return;
  }
  const evaluation = await evaluateDictionary(model, await openOne(context, dictionary, args), texts, options);
  if (isJson) context.printJson(evaluationJson(evaluation));
  else context.print(evaluation.toString());
}

async function dashboardCommand(
  { context, command }: { readonly context: CliContext; readonly command: Command },
  model: Model,
  { source, path }: { readonly source: string; readonly path: string | undefined },
  args: DashboardArguments,
): Promise<void> {
  const dictionary = await openOne(context, source, args);
  if (path === undefined && args.examples === undefined)
    wrongUsage(command, {
      where: "dashboard",
      got: "neither data nor --examples",
      expected: "a text file, or a folder of examples that were collected before",
      fix: "Name the text to look for examples in.",
    });
  const kept = args.examples === undefined ? {} : { folder: resolve(args.examples) };
  const examples =
    path === undefined
      ? await openExamples(args.examples ?? "")
      : await collectExamples(model, dictionary, openData(path, args), { ...dataOptions(context, args), ...kept });
  const { signal, onProgress } = context;
  const options: DashboardOptions = {
    signal,
    onProgress,
    overview: true,
    ...(args.features === undefined ? {} : { features: args.features }),
    ...(args.cards === undefined ? {} : { cards: args.cards }),
    ...(args.title === undefined ? {} : { title: args.title }),
  };
  const dashboard = await featureDashboard(model, dictionary, examples, options);
  const page = await dashboard.save(args.out);
  const { features } = dashboard;
  if (args.json === true)
    context.printJson({
      page,
      features,
      dead: examples.dead.length,
      tokens: examples.tokens,
      nFeatures: examples.nFeatures,
    });
  else context.print(`${examples.toString()}\n${page}`);
}

function featureList(text: string): readonly number[] {
  return text.split(",").map((part) => integer(0)(part.trim()));
}

/** Adds `limpid dictionary`. */
export function addDictionary(program: Command, context: CliContext): void {
  const parent = program
    .command("dictionary")
    .description("Train, judge and look at sparse dictionaries; see limpid dictionary train --help.");
  addDictionaryTrain(parent, context);
  addOpenOptions(addDataOptions(parent.command("eval <model> <dictionary> <data>")))
    .description("Judge a dictionary, or a set of them, on held-out text.")
    .option("--set", "the dictionary is a set: each alone, and all at once")
    .option("--no-losses", "reconstruction and features only; three times as fast")
    .option("--json", "print one JSON value")
    .addHelpText("after", evalExamples)
    .action((source: string, dictionary: string, path: string, args: EvalArguments) =>
      withModel(context, source, args, (model) => evalCommand(context, model, { dictionary, path }, args)),
    );
  const dashboard = parent.command("dashboard <model> <dictionary> [data]");
  addOpenOptions(addDataOptions(dashboard))
    .description("Write a page of features that opens offline.")
    .requiredOption("--out <page.html>", "the page")
    .option("--examples <folder>", "keep collected examples here; without data: read them from here")
    .option("--features <list>", "features with a card, such as 3,17,256 (default: a fair choice)", featureList)
    .option("--cards <n>", "how many features a fair choice has (default: 40)", integer(1))
    .option("--title <text>", "headline of the page")
    .option("--json", "print one JSON value")
    .addHelpText("after", dashboardExamples)
    .action((source: string, dictionary: string, path: string | undefined, args: DashboardArguments) =>
      withModel(context, source, args, (model) =>
        dashboardCommand({ context, command: dashboard }, model, { source: dictionary, path }, args),
      ),
    );
}
