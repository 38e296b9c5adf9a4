/**
 * `npm start`: from a fresh clone to a first result.
 *
 * Installs and builds what is missing, makes sure of Jupyter, executes the first notebook with the project's own
 * TypeScript kernel, and writes one page that opens offline. Beside it goes the redundancy report of the embedded model, drawn
 * from numbers that were computed before: `limpid redundancy tiny` computes them again.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuilt } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { ensureJupyter, executeNotebook } from "./lib/jupyter.mjs";
import { writeNotebookPage } from "./lib/notebook-page.mjs";
import { root, runScript, Stop, since } from "./lib/process.mjs";

const candidates = ["notebooks/01-first-look.ipynb", "notebooks/00-five-questions.ipynb"];
const reportPath = join(root, "fixtures", "reports", "tiny-redundancy.json");
const pagePath = join(root, "out", "first-look.html");

/** Executes a notebook; cells of parts that are not built yet may fail, any other failure stops with its text. */
async function execute(notebook, target) {
  process.stdout.write(`Running ${relative(root, notebook)} …\n`);
  const { code, output } = await executeNotebook(notebook, target, { allowErrors: true });
  if (code !== 0) throw new Stop(`The notebook did not run:\n${output.trim().split("\n").slice(-15).join("\n")}`);
  return JSON.parse(readFileSync(target, "utf8")).cells.filter((cell) => cell.cell_type === "code");
}

/** Returns what a cell wrote to `stream`, or the text form of its pictures; its error counts as stderr. */
function textOf(cell, stream) {
  const texts = cell.outputs.map((output) => {
    if (stream === "stderr" && output.output_type === "error") return `${output.ename}: ${output.evalue}\n`;
    if (stream === "stderr") return output.name === "stderr" ? output.text : "";
    return output.name === "stdout" ? output.text : (output.data?.["text/plain"] ?? "");
  });
  return texts.flat().join("").trimEnd();
}

function printFindings(cells) {
  for (const cell of cells) {
    const text = textOf(cell, "stdout");
    if (text === "") continue;
    const lines = text.split("\n");
    const shown = lines.slice(0, 6).map((line) => `  ${line.slice(0, 110)}`);
    process.stdout.write(`\n[${cell.execution_count}]\n${shown.join("\n")}${lines.length > 6 ? "\n  …" : ""}\n`);
  }
}

/** Returns the first lines of the cells that failed. */
function failuresOf(cells) {
  const texts = cells
    .map((cell) => [cell, textOf(cell, "stderr")])
    .filter(([, text]) => /Error|^Thrown: |^\d+:\d+ - /m.test(text));
  return texts.map(([cell, text]) => ({
    count: cell.execution_count,
    line: text.split("\n")[0],
  }));
}

async function main() {
  const start = performance.now();
  await ensureInstalled();
  await ensureBuilt();
  await ensureJupyter();
  const notebook = candidates.map((path) => join(root, path)).find((path) => existsSync(path));
  if (notebook === undefined) throw new Stop(`No notebook found; expected ${candidates.join(" or ")}.`);
  const scratch = mkdtempSync(join(tmpdir(), "limpid-start-"));
  try {
    const executed = join(scratch, "first-look.ipynb");
    const runStart = performance.now();
    const cells = await execute(notebook, executed);
    mkdirSync(join(root, "out"), { recursive: true });
    await writeNotebookPage(executed, pagePath, "limpid: a first look");
    const code = report(cells, since(runStart), since(start));
    await showRedundancy();
    return code;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Writes the report of what the embedded model could lose, and prints the first of it. */
async function showRedundancy() {
  const { redundancy } = await import("../dist/index.js");
  const opened = redundancy.open(reportPath);
  const { folder } = opened.save(join(root, "out", "redundancy"));
  const lines = `${opened}`.split("\n").slice(0, 6);
  process.stdout.write(`\n${lines.map((line) => (line.length > 160 ? `${line.slice(0, 160)}…` : line)).join("\n")}\n`);
  process.stdout.write(`Report: ${join(folder, "index.html")} (limpid redundancy tiny --out report makes it again)\n`);
}

/** Prints what the cells found and where the page is; returns the exit code. */
function report(cells, runTime, totalTime) {
  printFindings(cells);
  const failures = failuresOf(cells);
  for (const { count, line } of failures) process.stdout.write(`\n[${count}] ${line}\n`);
  const counts = [`${cells.length} cells run in ${runTime}`];
  if (failures.length > 0) counts.push(`${failures.length} failed`);
  process.stdout.write(`\n${counts.join(", ")}; ${totalTime} in all.\n`);
  process.stdout.write(`Page: ${pagePath}\n      ${pathToFileURL(pagePath).href}\n`);
  return failures.length === 0 ? 0 : 1;
}

await runScript(main);
