/**
 * Scores of sublayers and blocks from one pass over the text: how much each turns or lengthens the stream.
 *
 * - `similarity`: `1 − cos(X, X + out)`, the sublayer with its residual; of a block `1 − cos(resid_pre, resid_post)`.
 * - `bareSimilarity`: `1 − cos(norm(X), out)`, without the residual: the control of He et al.
 * - `magnitude`: `‖out‖ / ‖X‖`.
 *
 * X is `resid_pre` for attention and `resid_mid` for MLPs; `resid_pre` for both where they run side by side.
 * He et al. 2024, "What Matters in Transformers?"; Men et al. 2024, "ShortGPT".
 */
import { type LongCallOptions, throwIfAborted } from "../../core/index.js";
import type { Model, Run, TokenRow } from "../../model/index.js";
import { bootstrapIntervals } from "../../stats/index.js";
import type { Part, Score } from "../parts.js";

/** Sums over the tokens of one sequence. */
interface Sums {
  similarity: number;
  bareSimilarity: number;
  magnitude: number;
}

type Floats = ArrayLike<number>;
type ScoreName = keyof Sums;

const titles: Readonly<Record<ScoreName, string>> = {
  similarity: "1 − cosine, with residual",
  bareSimilarity: "1 − cosine, without residual",
  magnitude: "relative magnitude",
};

/** Bytes that the captures of one run may take. */
const captureBytes = 128 * 2 ** 20;

/** Hook points of one part: what it reads, what it adds, and its norm's output. */
interface Places {
  readonly part: Part;
  readonly x: string;
  /** What is added to x; for a block, the stream behind it. */
  readonly out: string;
  readonly norm: string | undefined;
}

function placesOf(model: Model, part: Part, names: ReadonlySet<string>): Places {
  const block = `blocks.${part.layer}`;
  const { parallelAttnMlp } = model.config;
  const isMlp = part.kind === "mlp";
  const norm = `${block}.${isMlp && names.has(`${block}.ln2.hook_normalized`) ? "ln2" : "ln1"}.hook_normalized`;
  const x = `${block}.hook_resid_${isMlp && !parallelAttnMlp ? "mid" : "pre"}`;
  if (part.kind === "block") return { part, x, out: `${block}.hook_resid_post`, norm: undefined };
  const out = `${block}.hook_${isMlp ? "mlp" : "attn"}_out`;
  return { part, x, out, norm: names.has(norm) ? norm : undefined };
}

const zeroNorm = 1e-8;

/** `1 − cos` of two vectors at one token; 1 where a norm is 0. */
function turned(dot: number, x: number, y: number): number {
  const [a, b] = [Math.sqrt(x), Math.sqrt(y)];
  return a < zeroNorm || b < zeroNorm ? 1 : 1 - Math.min(1, Math.max(-1, dot / (a * b)));
}

/** Dot products of two vectors at one token: with themselves and with each other. */
function products(x: Floats, y: Floats, at: number, size: number): readonly [number, number, number] {
  let [xx, yy, xy] = [0, 0, 0];
  for (let i = at; i < at + size; i++) {
    const [a, b] = [x[i] ?? 0, y[i] ?? 0];
    xx += a * a;
    yy += b * b;
    xy += a * b;
  }
  return [xx, yy, xy];
}

/** Adds one row's tokens. */
function addRow(
  sums: Sums,
  { part, x, out, norm }: Places,
  read: (hook: string) => Floats,
  at: { readonly from: number; readonly pos: number; readonly size: number },
): void {
  const [xs, outs, norms] = [read(x), read(out), norm === undefined ? undefined : read(norm)];
  for (let p = 0; p < at.pos; p++) {
    const start = (at.from + p) * at.size;
    const [xx, yy, xy] = products(xs, outs, start, at.size);
    const isBlock = part.kind === "block";
    sums.similarity += isBlock ? turned(xy, xx, yy) : turned(xx + xy, xx, xx + 2 * xy + yy);
    sums.magnitude += Math.sqrt(isBlock ? Math.max(0, xx - 2 * xy + yy) : yy) / Math.max(Math.sqrt(xx), 1e-6);
    if (norms === undefined) continue;
    const [nn, oo, no] = products(norms, outs, start, at.size);
    sums.bareSimilarity += turned(no, nn, oo);
  }
}

function reader(run: Run): (hook: string) => Floats {
  const known = new Map<string, Floats>();
  return (hook) => {
    const found = known.get(hook) ?? (run.cache.get(hook).contiguous().data as Floats);
    known.set(hook, found);
    return found;
  };
}

/** Sequences that run at once. */
function rowsPerRun(model: Model, hooks: number, length: number): number {
  return Math.max(1, Math.floor(captureBytes / (hooks * length * model.config.dModel * 4)));
}

/** Means over tokens, `[part][sequence]`. */
async function measure(
  model: Model,
  rows: readonly TokenRow[],
  places: readonly Places[],
  { signal }: LongCallOptions,
): Promise<readonly (readonly Sums[])[]> {
  const hooks = [...new Set(places.flatMap(({ x, out, norm }) => [x, out, ...(norm === undefined ? [] : [norm])]))];
  const found = places.map(() => rows.map((): Sums => ({ similarity: 0, bareSimilarity: 0, magnitude: 0 })));
  // Every edit of the model reaches the last stream; one that reached nothing would be refused.
  const last = model.hookNames().findLast((name) => name.endsWith(".hook_resid_post"));
  const capture = last === undefined || hooks.includes(last) ? hooks : [...hooks, last];
  const lengths = [...new Set(rows.map(({ length }) => length))];
  for (const pos of lengths) {
    const own = rows.flatMap((row, place) => (row.length === pos ? [place] : []));
    const step = rowsPerRun(model, capture.length, pos);
    for (let from = 0; from < own.length; from += step) {
      throwIfAborted(signal, "redundancy.report");
      const batch = own.slice(from, from + step);
      const run = await model.run(
        batch.map((place) => rows[place] ?? []),
        { capture, logits: "none", ...(signal === undefined ? {} : { signal }) },
      );
      const read = reader(run);
      for (const [i, one] of places.entries())
        for (const [row, place] of batch.entries()) {
          const sums = found[i]?.[place];
          if (sums !== undefined) addRow(sums, one, read, { from: row * pos, pos, size: model.config.dModel });
        }
    }
  }
  return found;
}

function scoreOf(
  name: ScoreName,
  parts: readonly Part[],
  sums: readonly (readonly Sums[])[],
  rows: readonly TokenRow[],
): Score {
  const means = (extra?: Float64Array): number[] =>
    sums.map((own) => {
      let [sum, tokens] = [0, 0];
      own.forEach((one, i) => {
        const weight = extra?.[i] ?? 1;
        sum += weight * one[name];
        tokens += weight * (rows[i]?.length ?? 0);
      });
      return sum / tokens;
    });
  const intervals = bootstrapIntervals(rows.length, means, { resamples: 300 });
  return {
    name,
    title: titles[name],
    parts,
    values: Float64Array.from(means()),
    low: Float64Array.from(intervals, ({ low }) => low),
    high: Float64Array.from(intervals, ({ high }) => high),
  };
}

/** Returns the scores of some blocks and sublayers; those without a residual only where every part has a norm. */
export async function similarityScores(
  model: Model,
  rows: readonly TokenRow[],
  parts: readonly Part[],
  options: LongCallOptions = {},
): Promise<readonly Score[]> {
  const names = new Set(model.hookNames());
  const places = parts.map((part) => placesOf(model, part, names));
  const sums = await measure(model, rows, places, options);
  const hasNorms = places.every(({ norm }) => norm !== undefined);
  const wanted: readonly ScoreName[] = hasNorms
    ? ["similarity", "bareSimilarity", "magnitude"]
    : ["similarity", "magnitude"];
  return wanted.map((name) => scoreOf(name, parts, sums, rows));
}
