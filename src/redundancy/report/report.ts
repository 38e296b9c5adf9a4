/** The finished report: data, pictures, sentences, files. */
import { accessSync, constants, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { InputError, printsItself } from "../../core/index.js";
import { panels, type View } from "../../viz/index.js";
import type { PartScore, ReportContent } from "./content.js";
import { reportPage } from "./page.js";
import { reportMarkdown, reportSummary } from "./sentences.js";
import { frontierView, mapView, type ReportSection, sectionView, sectionViews } from "./views.js";

/** The files that a report wrote. */
export interface SavedReport {
  readonly folder: string;
  readonly files: readonly string[];
}

function notWritable(folder: string, cause: unknown): InputError {
  return new InputError(
    {
      where: `redundancy report: ${folder}`,
      got: cause instanceof Error ? cause.message : String(cause),
      expected: "a folder that can be written",
      fix: "Choose another folder, or change its permissions.",
    },
    { cause },
  );
}

/**
 * Makes a folder for a report, and makes sure that files can be written there: before hours of work, not after.
 *
 * @throws InputError when they cannot.
 */
export function prepareFolder(folder: string): string {
  const path = resolve(folder);
  const probe = join(path, `.limpid-${process.pid}.part`);
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK);
    writeFileSync(probe, "");
    rmSync(probe);
  } catch (error) {
    throw notWritable(path, error);
  }
  return path;
}

/** Numbers that JSON lacks become null. */
function jsonNumber(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? null : value;
}

/** Every part of a model, ranked by what is lost without it; what can go, and how to trust it. */
export class RedundancyReport {
  static {
    printsItself(this.prototype);
  }

  /** Everything, as `report.json` has it. */
  readonly content: ReportContent;

  /** @internal Made by `redundancy.report`. */
  constructor(content: ReportContent) {
    this.content = content;
  }

  /** Loss of the whole model, in nats a token. */
  get loss(): number {
    return this.content.loss;
  }

  /** Least important first. */
  get parts(): readonly PartScore[] {
    return this.content.parts.toSorted((a, b) => a.lossWithout - b.lossWithout);
  }

  /**
   * Returns the map of losses and the frontier, or one section alone.
   *
   * @throws InputError for a section that the report does not have.
   */
  toView(section?: ReportSection): View {
    const { content } = this;
    if (section === undefined)
      return panels([mapView(content), frontierView(content)], { title: `What ${content.model.id} could lose` });
    const view = sectionView(content, section);
    if (view !== undefined) return view;
    throw new InputError({
      where: `redundancyReport.toView: ${JSON.stringify(section)}`,
      got: "a section that this report does not have",
      expected: `one of ${Object.keys(sectionViews).join(", ")} that neither the budget nor the text's length left out`,
      fix: "Make the report with a larger budget or more tokens.",
    });
  }

  /** Returns the report in sentences, as Markdown. */
  toMarkdown(): string {
    return reportMarkdown(this.content);
  }

  /** Returns the report as one page that opens anywhere, offline. */
  toPage(): string {
    return reportPage(this.content);
  }

  /** Returns the content, so that `JSON.stringify(report)` writes it; numbers that JSON lacks are `null` in the file. */
  toJSON(): ReportContent {
    return this.content;
  }

  /**
   * Writes `index.html`, `report.md` and `report.json` into a folder; each appears whole or not at all.
   *
   * @throws InputError for a folder that cannot be written.
   */
  save(folder: string): SavedReport {
    const target = prepareFolder(folder);
    const files = {
      "index.html": this.toPage(),
      "report.md": this.toMarkdown(),
      "report.json": `${JSON.stringify(this.content, jsonNumber, 2)}\n`,
    };
    for (const [name, text] of Object.entries(files)) {
      const path = join(target, name);
      const scratch = `${path}.${process.pid}.part`;
      try {
        writeFileSync(scratch, text);
        renameSync(scratch, path);
      } finally {
        if (existsSync(scratch)) rmSync(scratch);
      }
    }
    return { folder: target, files: Object.keys(files).map((name) => join(target, name)) };
  }

  /** A few lines: what can go at which cost, and which score is to be believed. */
  toString(): string {
    return reportSummary(this.content);
  }
}
