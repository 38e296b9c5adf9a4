/**
 * Reverse mode: walks the region backwards once and adds up what every use of a value contributes.
 *
 * 1. The outputs start with their seeds.
 * 2. Each step, last first, turns the total gradients of its outputs into contributions to its inputs.
 * 3. A value's contributions are summed when the step that makes it is reached: all of its uses lie behind.
 */
import { GraphError, InternalError } from "../core/index.js";
import { describeType, describeValue, type GraphBuilder, Ops, type Value } from "../graph/index.js";
import { Contributions } from "./contributions.js";
import type { CustomGradient } from "./custom.js";
import { type NodeSource, nodeContext } from "./node-context.js";
import type { GradientOptions } from "./options.js";
import { LooseEnds } from "./order.js";
import { Recompute } from "./recompute.js";
import type { Region, Step } from "./region.js";
import type { Contribution } from "./rule.js";
import { spread } from "./shapes.js";

/** One run of reverse mode over a region. */
export class Backward implements NodeSource {
  readonly ops: Ops;
  readonly #region: Region;
  readonly #options: GradientOptions;
  readonly #pending = new Map<Value, Contributions>();
  readonly #totals = new Map<Value, Value>();
  readonly #recompute: Recompute;
  readonly #ends: LooseEnds;

  constructor(builder: GraphBuilder, region: Region, options: GradientOptions) {
    this.ops = new Ops(builder);
    this.#region = region;
    this.#options = options;
    this.#recompute = new Recompute(builder, region, options.keep);
    this.#ends = new LooseEnds(builder);
  }

  /** Adds to the gradient of a value. */
  add(value: Value, contribution: Contribution): void {
    const known = this.#pending.get(value);
    const contributions = known ?? new Contributions(this.ops, value);
    if (known === undefined) this.#pending.set(value, contributions);
    this.#ends.added(value, contributions.add(contribution));
  }

  /** Takes every step back. */
  run(): void {
    for (const step of this.#region.steps.toReversed()) this.#step(step);
  }

  /** Returns the total gradient of a value, after its edit; undefined when none arrived. Ask when all uses are behind. */
  gradientOf(value: Value): Value | undefined {
    const known = this.#totals.get(value);
    if (known !== undefined) return known;
    const total = this.#pending.get(value)?.total();
    if (total === undefined) return undefined;
    const edited = this.#edited(value, total);
    this.#totals.set(value, edited);
    return edited;
  }

  /** Returns a forward value for use in the backward part. */
  forward(value: Value): Value {
    return this.#recompute.read(value);
  }

  /** Tells whether a value needs a gradient. */
  wants(value: Value | undefined): boolean {
    return value !== undefined && this.#region.active.has(value);
  }

  /** Tells whether some node of this op reads a value. */
  isRead(value: Value, op: string): boolean {
    return this.#region.readers.get(value)?.has(op) === true;
  }

  #edited(value: Value, total: Value): Value {
    const edit = this.#options.edits?.get(value);
    if (edit === undefined) return total;
    const whole = spread(this.ops, total, value);
    const edited = edit(this.ops, whole);
    if (describeType(edited) === describeType(whole)) return edited;
    throw new GraphError({
      where: `edit of the gradient of ${describeValue(value)}`,
      got: describeType(edited),
      expected: describeType(whole),
      fix: "Return a gradient of the same shape and element type.",
    });
  }

  /** Sums the gradients of what a step makes; where they alone lead further back, they wait for what is finished. */
  #arrive(outputs: readonly Value[]): Value | undefined {
    const arrived = outputs.filter((value) => this.gradientOf(value) !== undefined);
    const [value] = arrived;
    const total = value === undefined ? undefined : this.gradientOf(value);
    this.#ends.closed(outputs);
    if (value === undefined || total === undefined || arrived.length > 1 || !this.#ends.isBottleneck) return total;
    const tied = this.#ends.tie(total);
    this.#totals.set(value, tied);
    return tied;
  }

  #step(step: Step): void {
    if (step.kind === "custom") {
      this.#custom(step.custom);
      return;
    }
    const { node, entry, place } = step;
    const gradient = this.#arrive(node.outputs);
    if (gradient === undefined) return;
    if (typeof entry !== "function") throw refusal(step, place());
    this.#recompute.enter(step, gradient);
    const contributions = entry(nodeContext(node, this));
    node.inputs.forEach((value, index) => {
      const contribution = contributions[index];
      if (value !== undefined && contribution !== undefined && this.wants(value)) this.add(value, contribution);
    });
  }

  #custom(custom: CustomGradient): void {
    const { output, inputs, rule } = custom;
    const total = this.#arrive([output]);
    if (total === undefined) return;
    const gradient = spread(this.ops, total, output);
    this.#recompute.enter({ kind: "custom", custom }, gradient);
    const read = (value: Value): Value => this.forward(value);
    const contributions = rule({ ops: this.ops, gradient, output: read(output), inputs: inputs.map(read) });
    inputs.forEach((value, index) => {
      const contribution = contributions[index];
      if (contribution !== undefined && this.wants(value)) this.add(value, contribution);
    });
  }
}

function refusal(step: Extract<Step, { kind: "node" }>, place: string): GraphError | InternalError {
  const { entry } = step;
  if (typeof entry === "function" || entry.kind === "zero") {
    return new InternalError({
      where: place,
      got: "a step without a rule to apply",
      expected: "a step on the way of the gradient",
      fix: "Report this as a bug of limpid.",
    });
  }
  return new GraphError({
    where: `gradient through ${place}`,
    got: `an op without a derivative rule: ${entry.reason}`,
    expected: "ops that can be differentiated between the outputs and the values asked for",
    fix: entry.fix,
  });
}
