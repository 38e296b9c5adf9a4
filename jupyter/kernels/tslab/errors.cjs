"use strict";
/** What a Jupyter reply says about a failed cell: `{ ename, evalue, traceback }`. */
const { inspect, types } = require("node:util");

/** tslab prints a complaint of the compiler with this format; file, line, column and text follow. */
const diagnosticFormat = "%s%d:%d - %s";
const interruption = "the cell was stopped; its variables are not kept";
const interrupted = { ename: "Interrupted", evalue: interruption, traceback: [`Interrupted: ${interruption}`] };
/** Fields that are shown elsewhere in the text: every error's, and those that make limpid's sentence. */
const saidFields = new Set(["name", "message", "stack", "cause", "errors", "where", "got", "expected", "fix"]);
const maxNested = 5;

/** Returns the description of a cell that failed after reporting `reports` (the arguments of tslab's `error` calls). */
function describeFailure(reports, tidyFrames) {
  const complaints = reports.filter(isDiagnostic);
  if (complaints.length > 0) return describeComplaints(complaints);
  return describeThrown(reports.at(-1)?.[0], tidyFrames);
}

/** Tells whether the arguments of an `error` call are a complaint of the compiler. */
function isDiagnostic(report) {
  return report[0] === diagnosticFormat;
}

function describeComplaints(complaints) {
  const lines = complaints.map(([, file, line, column, text]) => `${file}${line}:${column} - ${text}`);
  return { ename: "TypeScriptError", evalue: lines.join("\n"), traceback: lines };
}

/** Returns the description of a thrown value, which need not be an error. */
function describeThrown(thrown, tidyFrames) {
  if (thrown?.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED") return interrupted;
  if (!types.isNativeError(thrown)) {
    const evalue = inspect(thrown);
    return { ename: "Thrown", evalue, traceback: [`Thrown: ${evalue}`] };
  }
  return { ename: nameOf(thrown), evalue: thrown.message, traceback: linesOf(thrown, tidyFrames) };
}

function nameOf(error) {
  return error.name || error.constructor?.name || "Error";
}

/** Header, fields, frames and causes; not the source excerpt that Node puts in front of a stack, which may be megabytes. */
function linesOf(error, tidyFrames, depth = 0) {
  const header = `${nameOf(error)}: ${error.message}`.trimEnd().split("\n");
  const frames = String(error.stack ?? "")
    .split("\n")
    .filter((line) => /^ {4}at /.test(line));
  const nested = [
    ...(error.cause === undefined ? [] : [error.cause]),
    ...(Array.isArray(error.errors) ? error.errors : []),
  ];
  if (depth >= maxNested) nested.length = 0;
  const causes = nested.slice(0, maxNested).flatMap((cause) => causeLines(cause, tidyFrames, depth + 1));
  return [...header, ...fieldLines(error), ...tidyFrames(frames), ...causes];
}

function causeLines(cause, tidyFrames, depth) {
  const [first, ...rest] = types.isNativeError(cause) ? linesOf(cause, tidyFrames, depth) : inspect(cause).split("\n");
  return [`  caused by ${first}`, ...rest.map((line) => `  ${line}`)];
}

function fieldLines(error) {
  const isOurs = "fix" in error && "where" in error;
  const fields = Object.entries(error).filter(([name]) => !saidFields.has(name) && !(isOurs && name === "code"));
  return fields.length === 0
    ? []
    : inspect(Object.fromEntries(fields))
        .split("\n")
        .map((line) => `  ${line}`);
}

/** Returns text that a cell writes to stderr with stack frames tidied; other text stays as it is. */
function tidyText(text, tidyFrames) {
  if (!/^ +at .*:\d+:\d+/m.test(text)) return text;
  return text
    .split("\n")
    .flatMap((line) => (/^ +at /.test(line) ? tidyBraced(line, tidyFrames) : [line]))
    .join("\n");
}

/** The last frame of a printed error with fields ends in ` {`. */
function tidyBraced(line, tidyFrames) {
  const brace = line.endsWith(" {") ? " {" : "";
  const kept = tidyFrames([brace === "" ? line : line.slice(0, -brace.length)]);
  return kept.length === 0 && brace !== "" ? ["    {"] : kept.map((frame) => frame + brace);
}

module.exports = { describeFailure, describeThrown, interrupted, tidyText };
