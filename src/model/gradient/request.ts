/** How a run's question names its gradients: what decides the graph. */
import type { ResolvedEdit } from "../plan/request.js";

/** The gradients of a question; equal ones add the same nodes. */
export interface GradientRequest {
  /** Full names of hook points, in the model's order. */
  readonly wrt: readonly string[];
  /** Stored names of weights. */
  readonly weights: readonly string[];
  /** Full names of hook points that no gradient passes. */
  readonly stopAt: readonly string[];
  readonly edits: readonly ResolvedEdit[];
  readonly reduce: "mean" | "sum";
  /** Whether products of the Hessian with directions given with the run are asked for. */
  readonly hessian: boolean;
}

/** Prefix of outputs that hold gradients with respect to hook points. */
export const gradientPrefix = "gradient:";

/** Prefix of outputs that hold products with the Hessian. */
export const hessianPrefix = "hessian:";

/** Prefix of inputs that hold the directions. */
export const tangentPrefix = "tangent:";

/** Prefix of outputs that hold gradients with respect to stored weights. */
export const weightGradientPrefix = "weight-gradient:";

/**
 * Hook points that must lie on the path: those that are read or changed on the way back, and patterns and heads' results
 * where gradients stop. A norm lies on it anyway.
 */
export function gradientEdited(request: GradientRequest | undefined): ReadonlySet<string> {
  if (request === undefined) return new Set();
  const stops = request.stopAt.filter((hook) => !/\.hook_(?:scale|normalized)$/.test(hook));
  return new Set([...request.wrt, ...stops, ...request.edits.flatMap(({ hooks }) => hooks)]);
}

/** Hook points whose values a gradient must find on the path, as values of their own. */
export function gradientHooks(request: GradientRequest | undefined): ReadonlySet<string> {
  if (request === undefined) return new Set();
  return new Set([...request.wrt, ...request.stopAt, ...request.edits.flatMap(({ hooks }) => hooks)]);
}
