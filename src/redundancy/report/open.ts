/** A report that was written before, read again. */
import { readFileSync } from "node:fs";
import { FormatError, InputError } from "../../core/index.js";
import type { ReportContent } from "./content.js";
import { RedundancyReport } from "./report.js";

const format = "limpid-redundancy-report";

const fields = [
  ...["model", "provenance", "loss", "cuts", "parts", "scores", "frontier"],
  ...["neurons", "depth", "similarity", "claims"],
] as const;

/** Numbers that JSON lacks were written as null. */
function reviveNumber(_key: string, value: unknown): unknown {
  return value === null ? Number.NaN : value;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"), reviveNumber);
  } catch (error) {
    throw new InputError(
      {
        where: `redundancy.open: ${path}`,
        got: error instanceof Error ? error.message : String(error),
        expected: "the report.json that a report wrote",
        fix: "Check the path.",
      },
      { cause: error },
    );
  }
}

/** See `Redundancy.open`. */
export function openReport(path: string): RedundancyReport {
  const json = readJson(path);
  const found = new Map(Object.entries(typeof json === "object" && json !== null ? json : {}) as [string, unknown][]);
  const missing = fields.find((field) => !found.has(field));
  if (found.get("format") === format && found.get("version") === 1 && missing === undefined)
    return new RedundancyReport(json as ReportContent);
  const about = `format ${String(found.get("format"))}, version ${String(found.get("version"))}`;
  throw new FormatError({
    where: `redundancy.open: ${path}`,
    got: missing === undefined ? about : `${about}, without ${missing}`,
    expected: `format ${format}, version 1, with ${fields.join(", ")}`,
    fix: "Make the report again.",
  });
}
