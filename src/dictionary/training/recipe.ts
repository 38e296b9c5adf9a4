/** From what a user says to what is trained: names, architectures, shapes, numbers of steps. */
import { InputError } from "../../core/index.js";
import { type Architecture, type ArchitectureConfig, architectureOf } from "../architectures/index.js";
import type { DictionarySpec, TrainingRunOptions } from "./options.js";

/** A dictionary to train whose hook points are known. */
export interface Plan {
  readonly name: string;
  readonly readHook: string;
  readonly writeHook: string;
  readonly width: number;
  readonly hasSkip: boolean;
  readonly architecture: Architecture;
  readonly seed: number | undefined;
}

/** A spec with the full names of its hook points. */
export interface NamedSpec {
  readonly spec: DictionarySpec;
  readonly readHook: string;
  readonly writeHook: string;
}

/** Options of a named architecture from those beside it; a misfit is an error of the architecture itself. */
function configOf({ architecture, k, targetL0, coefficient }: DictionarySpec): ArchitectureConfig {
  const beside = Object.entries({ k, targetL0, coefficient }).filter(([, value]) => value !== undefined);
  if (typeof architecture !== "string") {
    if (beside.length === 0) return architecture;
    throw twice(
      architecture.name,
      beside.map(([name]) => name),
    );
  }
  const family = ["topk", "batch_topk", "matryoshka_batch_topk"].includes(architecture);
  const known: readonly string[] = family ? ["k"] : ["targetL0", "coefficient"];
  const wrong = beside.find(([name]) => !known.includes(name))?.[0];
  if (wrong !== undefined) throw misfit(architecture, wrong, known);
  if (family && k === undefined) throw misfit(architecture, "no k", known);
  return { name: architecture, ...Object.fromEntries(beside) } as ArchitectureConfig;
}

function checkWidth(width: number, architecture: Architecture): void {
  if (!Number.isSafeInteger(width) || width < 1) throw badWidth(`width ${width}`, "a whole number of features");
  const k = architecture.settings["k"];
  if (typeof k === "number" && k > width) throw badWidth(`width ${width} with k ${k}`, "a width of at least k");
}

/** `resid_post.3` from `blocks.3.hook_resid_post`. */
function shortName(hook: string): string {
  const [, layer, point = hook] = /^blocks\.(\d+)\.(.+)$/.exec(hook) ?? [];
  const short = point.replace(/(^|\.)hook_/, "$1");
  return layer === undefined ? short : `${short}.${layer}`;
}

/** Names of dictionaries; equal ones get numbers unless they were given. */
function namesOf(specs: readonly NamedSpec[]): readonly string[] {
  const own = specs.map(({ spec, writeHook }) => spec.name ?? shortName(writeHook));
  const names = own.map((name, i) => {
    const isGiven = specs[i]?.spec.name !== undefined;
    const earlier = own.slice(0, i).filter((one) => one === name).length;
    return isGiven || earlier === 0 ? name : `${name}#${earlier + 1}`;
  });
  const again = names.find((name, i) => names.indexOf(name) !== i || name === "" || name.includes("/"));
  if (again === undefined) return names;
  throw new InputError({
    where: "trainDictionaries: name",
    got: `"${again}"${names.filter((name) => name === again).length > 1 ? " more than once" : ""}`,
    expected: "a name without / for each dictionary, all different",
    fix: "Rename it, or leave names out.",
  });
}

/** Reads specs; `where` names the call. */
export function plansOf(specs: readonly NamedSpec[]): readonly Plan[] {
  if (specs.length === 0) throw noSpecs();
  const names = namesOf(specs);
  return specs.map(({ spec, readHook, writeHook }, i) => {
    const architecture = architectureOf(configOf(spec));
    checkWidth(spec.width, architecture);
    const hasSkip = spec.hasSkip === true;
    if (hasSkip && readHook === writeHook) throw skippingSae(readHook);
    const name = names[i] ?? "";
    return { name, readHook, writeHook, width: spec.width, hasSkip, architecture, seed: spec.seed };
  });
}

/** Numbers of a run. */
export interface RunNumbers {
  readonly steps: number;
  readonly batch: number;
  readonly seed: number;
  readonly deadAfter: number;
  readonly warmup: number;
  readonly decaySteps: number;
}

const defaultBatch = 2048;
const mostWarmup = 1000;
const mostDead = 10_000_000;

/** Reads the numbers of a run. */
export function runNumbers(options: TrainingRunOptions): RunNumbers {
  const { batch = defaultBatch, seed = 0, decay = 0.2 } = options;
  checkCount("batch", batch);
  const steps = stepsOf(options, batch);
  if (!(decay >= 0 && decay <= 1)) throw badNumber("decay", decay, "a share from 0 to 1");
  const warmup = options.warmup ?? Math.min(mostWarmup, Math.floor(steps / 20));
  if (!(Number.isSafeInteger(warmup) && warmup >= 0 && warmup < steps))
    throw badNumber("warmup", warmup, `a whole number of steps below ${steps}`);
  const deadAfter = options.deadAfter ?? Math.max(batch, Math.min(mostDead, Math.floor((steps * batch) / 20)));
  checkCount("deadAfter", deadAfter);
  return { steps, batch, seed, deadAfter, warmup, decaySteps: Math.round(decay * (steps - warmup)) };
}

function stepsOf(options: TrainingRunOptions, batch: number): number {
  const { steps, tokens } = options;
  if ((steps === undefined) === (tokens === undefined)) throw stepsOrTokens(options);
  checkCount(steps === undefined ? "tokens" : "steps", steps ?? tokens ?? 0);
  return steps ?? Math.ceil((tokens ?? 0) / batch);
}

function checkCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) throw badNumber(name, value, "a whole number, 1 or more");
}

function badNumber(name: string, value: number, expected: string): InputError {
  return new InputError({
    where: `trainDictionary: ${name}`,
    got: String(value),
    expected,
    fix: "Correct the number.",
  });
}

function stepsOrTokens({ steps }: TrainingRunOptions): InputError {
  return new InputError({
    where: "trainDictionary",
    got: steps === undefined ? "neither steps nor tokens" : "both steps and tokens",
    expected: "one of them",
    fix: "Say how long to train, such as tokens: 5_000_000.",
  });
}

function twice(name: string, beside: readonly string[]): InputError {
  return new InputError({
    where: "trainDictionary: architecture",
    got: `the options of ${name}, and ${beside.join(", ")} beside them`,
    expected: "everything in one place",
    fix: "Put them into the architecture's options.",
  });
}

function misfit(architecture: string, wrong: string, known: readonly string[]): InputError {
  return new InputError({
    where: `trainDictionary: architecture "${architecture}"`,
    got: wrong,
    expected: known.join(" or "),
    fix: `Say ${known[0] === "k" ? "k: the features of a token" : "targetL0: the mean number of features of a token"}.`,
  });
}

function badWidth(got: string, expected: string): InputError {
  return new InputError({ where: "trainDictionary: width", got, expected, fix: "Make it wider, or k smaller." });
}

function noSpecs(): InputError {
  return new InputError({
    where: "trainDictionaries",
    got: "an empty list",
    expected: "at least one dictionary to train",
    fix: 'List what to train: [{ from: at.residPost(0), architecture: "topk", k: 32, width: 1024 }].',
  });
}

function skippingSae(hook: string): InputError {
  return new InputError({
    where: "trainDictionary: hasSkip",
    got: `true for a dictionary that reads and writes ${hook}`,
    expected: "a transcoder",
    fix: "Say what it reconstructs with `to`, or leave hasSkip out: an SAE could pass its input through.",
  });
}
