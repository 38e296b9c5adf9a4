/** Places where the residual stream is read, and the writes that come before them. */
import { InputError, UnsupportedError } from "../../core/index.js";
import { type ProgramStep, programSteps } from "../components/decoder.js";
import { type ResidualWrite, residualWrites } from "../components/writes.js";
import type { CacheContext } from "./context.js";
import type { SiteOptions } from "./types.js";

/** A place where the residual stream is read. */
export interface Site {
  /** Steps of the program that come before the place, whole. */
  readonly steps: readonly ProgramStep[];
  /** The step whose sublayer reads here; absent at the end. */
  readonly next?: ProgramStep;
  /** Whether it is the step's MLP that reads here. */
  readonly isMlp: boolean;
  /** Whether the step's attention has written before its MLP reads: not in parallel blocks. */
  readonly isMid: boolean;
}

/** One write to the stream by one step. */
export interface StepWrite {
  readonly step: ProgramStep;
  readonly write: ResidualWrite;
}

/** A step's name without `blocks.`: `"3"`, or `"3~2"` for the second time that layer 3 ran. */
export function stepLabel(step: ProgramStep): string {
  return step.name.replace(/^blocks\./, "");
}

/** The hook prefix of each step of the run. */
export function stepsOf(ctx: CacheContext): readonly ProgramStep[] {
  return programSteps(ctx.origin.layers);
}

function badLayer(ctx: CacheContext, layer: number): InputError {
  const { nLayers } = ctx.view.core.config;
  const ran = stepsOf(ctx).map(stepLabel).join(", ");
  const isNegative = layer < 0;
  return new InputError({
    where: `${ctx.where}: layer`,
    got: String(layer),
    expected: `a layer that this run passed (${ran}), or ${nLayers} or nothing for the stream after the last`,
    fix: isNegative
      ? `TransformerLens takes -1 as the end of the stream, not as the last layer: leave layer out for that, or say ${nLayers - 1}.`
      : "Leave layer out for the stream after the last layer that ran.",
  });
}

/** The number of steps before the place, and the step that reads there. */
function findStep(ctx: CacheContext, layer: number | null | undefined): { count: number; next?: ProgramStep } {
  const steps = stepsOf(ctx);
  if (layer === undefined || layer === null || layer === ctx.view.core.config.nLayers) return { count: steps.length };
  const count = steps.findIndex(({ name }) => name === `blocks.${layer}`);
  const next = steps[count];
  if (next === undefined) throw badLayer(ctx, layer);
  return { count, next };
}

/**
 * Returns the place that `layer` and `mlpInput` mean.
 *
 * @throws InputError for a layer that did not run, negative ones included; UnsupportedError for an MLP that is not there.
 */
export function siteOf(ctx: CacheContext, { layer, mlpInput }: SiteOptions): Site {
  const { count, next } = findStep(ctx, layer);
  const steps = stepsOf(ctx).slice(0, count);
  const isMlp = mlpInput === true;
  const { attnOnly, parallelAttnMlp } = ctx.view.core.config;
  if (isMlp && (attnOnly || next === undefined)) {
    throw new UnsupportedError({
      where: `${ctx.where}: mlpInput`,
      got: attnOnly ? "a model without MLPs" : "the end of the stream, which no MLP reads",
      expected: "a layer with an MLP",
      fix: attnOnly ? "Leave mlpInput out." : "Say which layer, or leave mlpInput out.",
    });
  }
  return { steps, ...(next === undefined ? {} : { next }), isMlp, isMid: isMlp && !parallelAttnMlp };
}

/** The hook point that holds the stream at a place. */
export function streamName(ctx: CacheContext, site: Site): string {
  if (site.next !== undefined) return `${site.next.name}.hook_resid_${site.isMid ? "mid" : "pre"}`;
  const last = site.steps.at(-1);
  if (last !== undefined) return `${last.name}.hook_resid_post`;
  throw new UnsupportedError({
    where: ctx.where,
    got: "a run that passed no layer",
    expected: "at least one layer",
    fix: "Run the model without stopAtLayer: 0.",
  });
}

/** The prefix of the norm that reads the stream at a place. */
export function normName({ next, isMlp }: Site): string {
  return next === undefined ? "ln_final" : `${next.name}.${isMlp ? "ln2" : "ln1"}`;
}

/** Every write to the stream before a place, in order. */
export function writesBefore(ctx: CacheContext, site: Site): readonly StepWrite[] {
  const writes = residualWrites(ctx.view.core.config);
  const whole = site.steps.flatMap((step) => writes.map((write) => ({ step, write })));
  const [first] = writes;
  return site.isMid && site.next !== undefined && first !== undefined
    ? [...whole, { step: site.next, write: first }]
    : whole;
}

/** What enters the first step: the embeddings, or the stream that the run was given. */
export function entryNames(ctx: CacheContext): readonly { readonly name: string; readonly label: string }[] {
  const [first] = stepsOf(ctx);
  if (ctx.origin.entry === "residual")
    return first === undefined ? [] : [{ name: `${first.name}.hook_resid_pre`, label: `${stepLabel(first)}_pre` }];
  const embed = { name: "hook_embed", label: "embed" };
  return ctx.view.core.map.posEmbed === undefined ? [embed] : [embed, { name: "hook_pos_embed", label: "pos_embed" }];
}

/** Hook points on the stream up to a place: an edit there makes parts that no sublayer wrote. */
export function streamHooks(ctx: CacheContext, site: Site): readonly string[] {
  const points = (step: ProgramStep, names: readonly string[]): readonly string[] =>
    names.map((name) => `${step.name}.hook_resid_${name}`);
  const inner = site.steps.flatMap((step) => points(step, ["pre", "mid", "post"]));
  const last = site.next === undefined ? [] : points(site.next, site.isMid ? ["pre", "mid"] : ["pre"]);
  const given = ctx.origin.entry === "residual" ? entryNames(ctx).map(({ name }) => name) : [];
  return [...inner, ...last].filter((name) => !given.includes(name));
}

/**
 * Returns one sublayer's write of a layer.
 *
 * @throws InputError for a layer that did not run; UnsupportedError for an MLP that is not there.
 */
export function writeOfLayer(ctx: CacheContext, layer: number, name: ResidualWrite["name"]): StepWrite {
  const { next } = siteOf(ctx, { layer });
  if (next === undefined) throw badLayer(ctx, layer);
  const write = residualWrites(ctx.view.core.config).find((one) => one.name === name);
  if (write !== undefined) return { step: next, write };
  throw new UnsupportedError({
    where: ctx.where,
    got: "a model without MLPs",
    expected: "a model with neurons",
    fix: "Ask for heads.",
  });
}
