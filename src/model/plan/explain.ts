/** The plan of a run before any compute: bytes, work, segments, and what each edit reaches. */
import { formatBytes, formatCount, printsItself } from "../../core/index.js";
import { evalShape, graphFlops, reaches } from "../../graph/index.js";
import { gradientPrefix, weightGradientPrefix } from "../gradient/request.js";
import type { ModelInput } from "../run/input-types.js";
import type { RunOptions } from "../run/options.js";
import { type PreparedRun, prepareRun, resultBytes, runSizes } from "../run/prepare.js";
import type { ModelView } from "../view.js";
import { capturePrefix } from "./build.js";
import { planSteps } from "./plan.js";

/** One capture, as it will come back. */
export interface CapturePlan {
  readonly name: string;
  readonly axes: readonly string[];
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** One edit at one hook point, with the outputs that it can change. */
export interface EditPlan {
  readonly name: string;
  readonly hook: string;
  /** Captured names, `logits`, `loss`, `metric`, `residual`, or `gradient of` a hook point or stored weight. */
  readonly reaches: readonly string[];
}

/** What a run would do; it prints itself. */
export class Explanation {
  static {
    printsItself(this.prototype);
  }

  readonly batch: number;
  readonly pos: number;
  /** Layer ids in order. */
  readonly layers: readonly number[];
  readonly captures: readonly CapturePlan[];
  readonly edits: readonly EditPlan[];
  /** Gradients at hook points and of stored weights, as they will come back; none when none are asked for. */
  readonly gradients: readonly CapturePlan[];
  /** Bytes of everything that comes back. */
  readonly resultBytes: number;
  /** Bytes of weights that the run reads; mapped, not copied. */
  readonly weightBytes: number;
  /** Floating-point operations, a multiply-add counted as two. */
  readonly flops: number;
  readonly nodes: number;
  /** Pieces that run one after the other; an abort is honoured between them. */
  readonly segments: number;

  /** @internal */
  constructor(fields: Readonly<Omit<Explanation, "toString">>) {
    this.batch = fields.batch;
    this.pos = fields.pos;
    this.layers = fields.layers;
    this.captures = fields.captures;
    this.edits = fields.edits;
    this.gradients = fields.gradients;
    this.resultBytes = fields.resultBytes;
    this.weightBytes = fields.weightBytes;
    this.flops = fields.flops;
    this.nodes = fields.nodes;
    this.segments = fields.segments;
  }

  /** A few lines of text. */
  toString(): string {
    const { batch, pos, layers, captures, gradients, edits, nodes, segments } = this;
    return [
      `Plan: batch ${batch} × ${pos} tokens through ${layers.length} layers, ${formatCount(nodes)} nodes in ${segments} segment${segments === 1 ? "" : "s"}`,
      `  ${(this.flops / 1e9).toPrecision(3)} GFLOP; reads ${formatBytes(this.weightBytes)} of weights; returns ${formatBytes(this.resultBytes)}`,
      ...listed("captures", captures),
      ...listed("gradients", gradients),
      ...edits.map(
        ({ name, hook, reaches: reached }) =>
          `  edit.${name} at ${hook} reaches ${reached.slice(0, 4).join(", ")}${reached.length > 4 ? ", …" : ""}`,
      ),
    ].join("\n");
  }
}

function listed(word: "captures" | "gradients", plans: readonly CapturePlan[]): readonly string[] {
  const verb = word === "captures" ? word : "gradient of";
  return [
    ...plans
      .slice(0, 6)
      .map(({ name, shape, bytes }) => `  ${verb} ${name} [${shape.join(", ")}] ${formatBytes(bytes)}`),
    ...(plans.length > 6 ? [`  … and ${plans.length - 6} more ${word}`] : []),
  ];
}

function capturePlans(run: PreparedRun, sizes: Readonly<Record<string, number>>): readonly CapturePlan[] {
  return run.request.captures.map((name) => {
    const point = run.points.get(name);
    const shape = evalShape(point?.shape ?? [], sizes);
    const width = run.request.precision === "float64" ? 8 : 4;
    return { name, axes: point?.axes ?? [], shape, bytes: width * shape.reduce((a, b) => a * b, 1) };
  });
}

/** The gradients among the outputs of a graph. */
function gradientPlans(
  { built, points }: PreparedRun,
  sizes: Readonly<Record<string, number>>,
): readonly CapturePlan[] {
  return built.graph.outputs.flatMap(({ name, value }) => {
    const prefix = [gradientPrefix, weightGradientPrefix].find((one) => name.startsWith(one));
    if (prefix === undefined) return [];
    const own = name.slice(prefix.length);
    const shape = evalShape(value.shape, sizes);
    const axes = prefix === gradientPrefix ? (points.get(own)?.axes ?? []) : [];
    const bytes = (value.dtype === "float64" ? 8 : 4) * shape.reduce((a, b) => a * b, 1);
    return [{ name: own, axes, shape, bytes }];
  });
}

function outputName(name: string): string {
  const gradient = [gradientPrefix, weightGradientPrefix].find((one) => name.startsWith(one));
  if (gradient !== undefined) return `gradient of ${name.slice(gradient.length)}`;
  return name.startsWith(capturePrefix) ? name.slice(capturePrefix.length) : name === "stream" ? "residual" : name;
}

function editPlans({ built }: PreparedRun): readonly EditPlan[] {
  const asked = built.graph.outputs.filter(({ name }) => !name.startsWith("check:"));
  return built.applied.map(({ edit, hook, value }) => ({
    name: edit.edit.name,
    hook,
    reaches: asked.filter((output) => reaches(built.graph, value, output.value)).map(({ name }) => outputName(name)),
  }));
}

function weightBytes({ built }: PreparedRun): number {
  const ranges = new Map<string, number>();
  for (const { source } of built.graph.initializers)
    if (source.kind === "file") ranges.set(`${source.path}:${source.offset}`, source.length);
  return [...ranges.values()].reduce((a, b) => a + b, 0);
}

/** Plans a run without computing anything; throws what the run would throw before computing. */
export function explainRun(view: ModelView, input: ModelInput, options: RunOptions = {}): Explanation {
  const run = prepareRun(view, input, options);
  const sizes = runSizes(run.layout, run.logitSlots);
  const steps = planSteps(run.built, sizes);
  const segments = steps.reduce((sum, step) => sum + (step.kind === "graphs" ? step.segments.length : 1), 0);
  return new Explanation({
    batch: run.batch.batch,
    pos: run.batch.pos,
    layers: run.request.layers,
    captures: capturePlans(run, sizes),
    edits: editPlans(run),
    gradients: gradientPlans(run, sizes),
    resultBytes: resultBytes(run),
    weightBytes: weightBytes(run),
    flops: graphFlops(run.built.graph, sizes),
    nodes: run.built.graph.nodes.length,
    segments,
  });
}
