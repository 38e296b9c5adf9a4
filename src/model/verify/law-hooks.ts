/** Every hook point can be read and is what it is declared to be. */
import { evalShape } from "../../graph/index.js";
import type { Run } from "../run/result.js";
import { atMost, exactly, type Law } from "./check.js";
import { numbers } from "./compare.js";
import type { Subject } from "./subject.js";

/** Bytes that one run may return; larger questions are asked layer by layer. */
const runBytes = 256e6;

/** Hook points to look at, in groups that are run together: outside the blocks, then each covered layer. */
export function hookGroups({ model, layers }: Subject): readonly (readonly string[])[] {
  const names = model.hookNames();
  const outside = names.filter((name) => !name.startsWith("blocks."));
  return [outside, ...layers.map((layer) => names.filter((name) => name.startsWith(`blocks.${layer}.`)))];
}

/** Merges groups as long as their results fit into memory. */
function runGroups(subject: Subject, groups: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const all = groups.flat();
  const bytes = subject.model.explain([...subject.rows], { capture: all, logits: "none" }).resultBytes;
  return bytes <= runBytes ? [all] : groups;
}

/** A masked score is −∞ by definition; NaN is never right. */
function countBad(name: string, data: ArrayLike<number>): number {
  const isScore = name.endsWith("hook_attn_scores");
  let bad = 0;
  for (let i = 0; i < data.length; i++) {
    const x = data[i] ?? Number.NaN;
    if (!Number.isFinite(x) && !(isScore && x === Number.NEGATIVE_INFINITY)) bad++;
  }
  return bad;
}

function misshapen(subject: Subject, run: Run): readonly string[] {
  const points = subject.model.hookPoints();
  const [batch, pos] = [2, subject.rows[0].length];
  const sizes = { batch, pos, past: 0, "past+pos": pos, count: pos };
  return run.cache.entries().flatMap(([name, { shape, axes }]) => {
    const point = points.get(name);
    const declared = evalShape(point?.shape ?? [], sizes);
    const isRight = declared.join() === shape.join() && point?.axes.join() === axes.join();
    return isRight ? [] : [`${name} is [${shape.join(", ")}], declared [${declared.join(", ")}]`];
  });
}

/** Reads every hook point of the covered layers. */
export const hooksLaw: Law = {
  name: "hook points",
  measure: async (subject) => {
    const groups = hookGroups(subject);
    const wrong: string[] = [];
    const bad: string[] = [];
    let read = 0;
    for (const capture of runGroups(subject, groups)) {
      const run = await subject.run([...subject.rows], { capture, logits: "none", checks: false });
      read += run.cache.size;
      wrong.push(...misshapen(subject, run));
      bad.push(...run.cache.entries().flatMap(([name, value]) => (countBad(name, numbers(value)) > 0 ? [name] : [])));
    }
    const detail = (names: readonly string[]): object =>
      names.length === 0 ? {} : { detail: names.slice(0, 5).join("; ") };
    return [
      { measured: "hook points read", value: read, bound: exactly(groups.flat().length) },
      { measured: "hook points not as declared", value: wrong.length, bound: atMost(0), ...detail(wrong) },
      { measured: "hook points with NaN or infinity", value: bad.length, bound: atMost(0), ...detail(bad) },
    ];
  },
};
