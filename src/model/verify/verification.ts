/** The result of a verification: a table that prints itself. */
import { formatCount, printsItself } from "../../core/index.js";
import { table, type View } from "../../viz/index.js";
import type { Bound, CheckStatus, VerificationCheck } from "./check.js";

/** What a verification looked at. */
export interface VerificationCoverage {
  /** Layers whose hook points were read and edited. */
  readonly layers: readonly number[];
  readonly nLayers: number;
  readonly nParameters: number;
  /** Tokens of the longest input. */
  readonly tokens: number;
  readonly inputs: "text" | "random tokens";
}

/** The fields of a verification. */
export interface VerificationFields {
  readonly model: string;
  readonly identity: string;
  readonly architecture: string;
  readonly coverage: VerificationCoverage;
  readonly checks: readonly VerificationCheck[];
}

function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e5 ? String(Number(value.toPrecision(4))) : value.toExponential(1);
}

function bound({ relation, value }: Bound): string {
  return `${{ "<=": "≤", ">": ">", "==": "=" }[relation]} ${number(value)}`;
}

function row({ law, measured, value, bound: limit, status }: VerificationCheck): readonly string[] {
  return [law, measured, value === undefined ? "" : number(value), limit === undefined ? "" : bound(limit), status];
}

const columns = ["law", "what was measured", "value", "bound", "result"].map(
  (name) => ({ name, kind: "text" }) as const,
);

/** What was measured about a model, and whether every bound held. */
export class Verification {
  /** The model as it was named when loaded. */
  readonly model: string;
  /** Identity of its weights. */
  readonly identity: string;
  readonly architecture: string;
  readonly coverage: VerificationCoverage;
  /** In the order they were measured. */
  readonly checks: readonly VerificationCheck[];

  static {
    printsItself(this.prototype);
  }

  /** @internal */
  constructor({ model, identity, architecture, coverage, checks }: VerificationFields) {
    this.model = model;
    this.identity = identity;
    this.architecture = architecture;
    this.coverage = coverage;
    this.checks = checks;
  }

  /** Whether nothing failed. */
  get isOk(): boolean {
    return this.count("failed") === 0;
  }

  /** Number of checks that ended so. */
  count(status: CheckStatus): number {
    return this.checks.filter((check) => check.status === status).length;
  }

  /** Checks whose bound did not hold, or that could not be measured. */
  get failures(): readonly VerificationCheck[] {
    return this.checks.filter(({ status }) => status === "failed");
  }

  /** The checks as a table, for `show`. */
  toView(): View {
    return table(columns, this.checks.map(row), { title: this.#title() });
  }

  /** The table, what was covered, and the details of whatever did not hold or was not run. */
  toString(): string {
    const { layers, nLayers, tokens, inputs } = this.coverage;
    const covered = layers.length === nLayers ? `all ${nLayers}` : `${layers.join(", ")} of ${nLayers}`;
    const details = this.checks.filter(({ status, detail }) => status !== "ok" && detail !== undefined);
    return [
      this.toView().toText(),
      "",
      `Layers read and edited: ${covered}. Inputs: ${tokens} tokens (${inputs}).`,
      ...details.map(({ law, measured, status, detail = "" }) => `${status}: ${law}: ${measured}: ${detail}`),
      `${this.count("ok")} ok, ${this.count("failed")} failed, ${this.count("not run")} not run.`,
    ].join("\n");
  }

  /** Plain data for files and other programs. */
  toJSON(): VerificationFields & { readonly isOk: boolean } {
    const { model, identity, architecture, coverage, checks, isOk } = this;
    return { model, identity, architecture, isOk, coverage, checks };
  }

  #title(): string {
    return `Verification of ${this.model} (${this.architecture}, ${formatCount(this.coverage.nParameters)} parameters)`;
  }
}
