/** The graph inputs of gradients for one run: directions to differentiate along. */
import { ShapeError } from "../../core/index.js";
import { evalShape } from "../../graph/index.js";
import type { RawTensor } from "../../runtime/index.js";
import type { Precision } from "../components/context.js";
import { floatData, valueAt } from "../edits/values.js";
import type { HookPoints } from "../view.js";
import { tangentPrefix } from "./request.js";
import type { ResolvedGradients } from "./resolve.js";

/** What directions are checked against. */
export interface TangentRun {
  readonly points: HookPoints;
  readonly sizes: Readonly<Record<string, number>>;
  readonly precision: Precision;
}

/**
 * Fills the directions of a run.
 *
 * @throws ShapeError when one has not the shape of its hook point.
 */
export function tangentFeeds({ along }: ResolvedGradients, run: TangentRun): Record<string, RawTensor> {
  const { points, sizes, precision } = run;
  return Object.fromEntries(
    [...(along ?? [])].flatMap(([hook, given]) => {
      const point = points.get(hook);
      if (point === undefined) return [];
      const tensor = valueAt(given, point);
      const shape = evalShape(point.shape, sizes);
      if (tensor.shape.join() !== shape.join()) throw misfit(hook, tensor.shape, shape);
      return [[`${tangentPrefix}${hook}`, { dtype: precision, shape, data: floatData(tensor, precision) }]];
    }),
  );
}

function misfit(hook: string, got: readonly number[], expected: readonly number[]): ShapeError {
  return new ShapeError({
    where: `model.run: gradients.along at ${hook}`,
    got: `a direction of shape [${got.join(", ")}]`,
    expected: `[${expected.join(", ")}], that of the hook point in this run`,
    fix: "Give a direction for every element; 0 where it does not move.",
  });
}
