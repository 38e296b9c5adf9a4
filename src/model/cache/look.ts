/** How parts of a stream are looked at: which positions, through which norm, along which directions. */
import { type LongCallOptions, ShapeError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { PositionSelection } from "../edits/types.js";
import type { CacheContext } from "./context.js";
import { normTail } from "./layer-norm.js";
import type { Site } from "./site.js";
import { type Frame, frameWithout } from "./stack-builder.js";
import { noTail, type Tail } from "./tail.js";
import type { ProjectionOptions, StackOptions } from "./types.js";

/** How parts of a stream are looked at. */
export interface Look {
  readonly posSlice?: PositionSelection | undefined;
  /** The norm that reads the place, or nothing. */
  readonly tail: Tail;
  readonly directions?: Tensor | undefined;
  readonly long: LongCallOptions;
}

/** What a call asks for, with the norm of a place where it wants one. */
export async function lookOf(ctx: CacheContext, options: StackOptions & ProjectionOptions, site?: Site): Promise<Look> {
  const { posSlice, applyLn = false, projectOutputOnto, signal, onProgress } = options;
  const tail = applyLn && site !== undefined ? await normTail(ctx, site, { posSlice }) : noTail;
  const long = { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) };
  return { posSlice, tail, directions: projectOutputOnto, long };
}

/**
 * Returns the last axes of what is looked at: `dModel`, or those of the directions.
 *
 * @throws ShapeError for directions that do not fit the stream or its positions.
 */
export function endOf(ctx: CacheContext, positions: Frame, directions: Tensor | undefined): Frame {
  const { dModel } = ctx.view.core.config;
  if (directions === undefined) return { axes: ["dModel"], shape: [dModel] };
  checkDirections(ctx, positions, directions);
  return frameWithout(directions, ["dModel", ...positions.axes]);
}

/** Axis names that directions may not have, because stacks use them. */
const takenAxes: readonly string[] = ["component", "head", "dHead", "dMlp"];

function checkDirections(ctx: CacheContext, positions: Frame, directions: Tensor): void {
  const sizes = new Map([
    ["dModel", ctx.view.core.config.dModel],
    ...positions.axes.map((axis, i) => [axis, positions.shape[i] ?? 0] as const),
  ]);
  const fits = (axis: string): boolean => {
    if (["batch", "pos"].includes(axis) && !sizes.has(axis)) return false;
    return !takenAxes.includes(axis) && directions.sizeOf(axis) === (sizes.get(axis) ?? directions.sizeOf(axis));
  };
  if (directions.axes.includes("dModel") && directions.axes.every(fits)) return;
  throw new ShapeError({
    where: `${ctx.where}: projectOutputOnto`,
    got: `[${directions.axes.map((axis, i) => `${axis}=${directions.shape[i] ?? 0}`).join(", ")}]`,
    expected: `axes among ${[...sizes].map(([axis, size]) => `${axis}=${size}`).join(", ")} (dModel is needed) and names of your own`,
    fix: 'Name the axis of the stream "dModel" with rename().',
  });
}
