/** Every way limpid refuses: tagged classes whose message has the same four parts. */

/** The four parts of every message: where it happened, what came, what was expected, what to do. */
export interface ErrorParts {
  /** The public call and argument, hook point, file or tensor concerned, such as `model.run: capture[0]`. */
  readonly where: string;
  /** What came, as a noun phrase: `shape [batch=2, pos=7]`. */
  readonly got: string;
  /** What would have been right. */
  readonly expected: string;
  /** What to do next, as a full sentence. */
  readonly fix: string;
}

/** The stable tag of each error class; `docs/errors/CODE.md` explains it. */
export type ErrorCode =
  | "ABORTED"
  | "AXIS"
  | "CHECKPOINT"
  | "DISPOSED"
  | "DTYPE"
  | "FORMAT"
  | "GRAPH"
  | "HOOK_NOT_FOUND"
  | "INPUT"
  | "INTERNAL"
  | "MEMORY"
  | "NUMERIC"
  | "RUN"
  | "SHAPE"
  | "TOKEN"
  | "UNREACHED_EDIT"
  | "UNSUPPORTED";

/** Base of every error that limpid throws. Narrow with {@link isLimpidError}. */
export abstract class LimpidError extends Error {
  abstract readonly code: ErrorCode;
  readonly where: string;
  readonly got: string;
  readonly expected: string;
  readonly fix: string;

  constructor(parts: ErrorParts, options?: ErrorOptions) {
    super(`${parts.where}: got ${parts.got}; expected ${parts.expected}. ${parts.fix}`, options);
    this.name = new.target.name;
    this.where = parts.where;
    this.got = parts.got;
    this.expected = parts.expected;
    this.fix = parts.fix;
  }
}

/** The caller's signal aborted the work; nothing half-done stays behind. */
export class AbortedError extends LimpidError {
  readonly code = "ABORTED" as const;
}
/** An axis name does not exist, exists twice, or clashes between operands. */
export class AxisError extends LimpidError {
  readonly code = "AXIS" as const;
}
/** A checkpoint folder does not hold what its architecture needs (missing, surplus or misshapen weights). */
export class CheckpointError extends LimpidError {
  readonly code = "CHECKPOINT" as const;
}
/** A closed session, engine or model was used. */
export class DisposedError extends LimpidError {
  readonly code = "DISPOSED" as const;
}
/** A tensor has the wrong element type. */
export class DTypeError extends LimpidError {
  readonly code = "DTYPE" as const;
}
/** A file does not follow its format (truncated, overlapping, wrong header, forbidden pickle). */
export class FormatError extends LimpidError {
  readonly code = "FORMAT" as const;
}
/** A graph breaks a rule of the intermediate representation. */
export class GraphError extends LimpidError {
  readonly code = "GRAPH" as const;
}
/** A hook name or pattern matches nothing in this model. */
export class HookNotFoundError extends LimpidError {
  readonly code = "HOOK_NOT_FOUND" as const;
}
/** An argument is wrong in a way that no more specific class names. */
export class InputError extends LimpidError {
  readonly code = "INPUT" as const;
}
/** An invariant of limpid's own broke: a bug of ours. */
export class InternalError extends LimpidError {
  readonly code = "INTERNAL" as const;
}
/** The work would need more memory or disk than allowed. */
export class MemoryError extends LimpidError {
  readonly code = "MEMORY" as const;
}
/** NaN or infinity where there was none. */
export class NumericError extends LimpidError {
  readonly code = "NUMERIC" as const;
}
/** The runtime failed while running a graph. */
export class RunError extends LimpidError {
  readonly code = "RUN" as const;
}
/** A tensor has the wrong shape. */
export class ShapeError extends LimpidError {
  readonly code = "SHAPE" as const;
}
/** A prompt or token id is unusable: empty, too long, out of range, doubled BOS, unequal without padding. */
export class TokenError extends LimpidError {
  readonly code = "TOKEN" as const;
}
/** An edit cannot change any requested output. */
export class UnreachedEditError extends LimpidError {
  readonly code = "UNREACHED_EDIT" as const;
}
/** The model, format or platform does not offer this; the message says what does. */
export class UnsupportedError extends LimpidError {
  readonly code = "UNSUPPORTED" as const;
}

/**
 * Tells whether `error` is limpid's, optionally with one of `codes`.
 *
 * Works across two copies of the package and across worker messages, because it reads the tag and not the class.
 */
export function isLimpidError(error: unknown, ...codes: readonly ErrorCode[]): error is LimpidError {
  if (!(error instanceof Error) || !("code" in error) || !("where" in error)) return false;
  return codes.length === 0 || codes.includes(error.code as ErrorCode);
}
