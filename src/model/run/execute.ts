/** Runs the steps of a plan: graphs in the engine, callbacks here. */

import type { LongCallOptions } from "../../core/index.js";
import { DTypeError, NumericError, ShapeError, throwIfAborted } from "../../core/index.js";
import type { Engine, RawTensor } from "../../runtime/index.js";
import { Tensor } from "../../tensor/index.js";
import type { EditCall } from "../edits/apply.js";
import { floatData } from "../edits/values.js";
import type { PlanStep } from "../plan/plan.js";

type Values = Readonly<Record<string, RawTensor>>;

/** What {@link executeSteps} needs besides the steps. */
export interface ExecuteOptions extends LongCallOptions {
  readonly prepack?: boolean;
}

function misfit(call: EditCall, got: string, expected: string): ShapeError {
  return new ShapeError({
    where: `callback at ${call.point.name}`,
    got,
    expected,
    fix: "Return a tensor of the value's own shape.",
  });
}

/** Checks what a callback returned against what it was given. */
function checkResult(call: EditCall, given: RawTensor, result: Tensor): void {
  if (result.dtype !== "float32" && result.dtype !== "float64")
    throw new DTypeError({
      where: `callback at ${call.point.name}`,
      got: result.dtype,
      expected: given.dtype,
      fix: 'Cast it with tensor.cast("float32").',
    });
  const fits = result.shape.length === given.shape.length && result.shape.every((size, i) => size === given.shape[i]);
  if (!fits) throw misfit(call, `shape [${result.shape.join(", ")}]`, `[${given.shape.join(", ")}]`);
  const before = (given.data as Float32Array).some((x) => Number.isNaN(x));
  if (before || !(result.data as Float32Array).some((x) => Number.isNaN(x))) return;
  throw new NumericError({
    where: `callback at ${call.point.name}`,
    got: "NaN in the returned tensor",
    expected: "numbers, as in the value it was given",
    fix: "Look for 0/0, log of a negative number or an uninitialised element in the callback.",
  });
}

async function runCall(call: EditCall, given: RawTensor): Promise<RawTensor> {
  const value = Tensor.of(given.data as Float32Array, given.shape, call.point.axes);
  const result = await call.fn(value, { hook: call.point.name, axes: call.point.axes });
  if (result === undefined) return given;
  checkResult(call, given, result);
  return { dtype: given.dtype, shape: given.shape, data: floatData(result, given.dtype) };
}

function pickInputs(step: Extract<PlanStep, { kind: "graphs" }>, values: Values): Record<string, RawTensor> {
  const made = new Set<string>();
  const feeds: Record<string, RawTensor> = {};
  for (const segment of step.segments) {
    for (const { name } of segment.inputs) {
      const value = values[name];
      if (!made.has(name) && value !== undefined) feeds[name] = value;
    }
    for (const { name } of segment.outputs) made.add(name);
  }
  return feeds;
}

/** Runs every step in order and returns all values by name. */
export async function executeSteps(
  engine: Engine,
  steps: readonly PlanStep[],
  run: { readonly feeds: Values; readonly calls: readonly EditCall[] },
  options: ExecuteOptions,
): Promise<Values> {
  let values: Values = run.feeds;
  for (const step of steps) {
    throwIfAborted(options.signal, "model.run");
    if (step.kind === "call") {
      const call = run.calls.find(({ id }) => id === step.id);
      const [input = "", output = ""] = [step.inputs[0], step.outputs[0]];
      const given = values[input];
      if (call !== undefined && given !== undefined) values = { ...values, [output]: await runCall(call, given) };
      continue;
    }
    const { signal, onProgress, prepack } = options;
    const program = { segments: step.segments, outputs: step.outputs, ...(prepack === true ? { prepack } : {}) };
    const results = await engine.run(program, pickInputs(step, values), {
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    values = { ...values, ...results };
  }
  return values;
}
