/** Many marks of one style, written once: pictures with many labels stay small. */
import { type ElementMark, element, type Mark } from "./marks.js";

/** Attributes that say where a mark is, not how it looks. */
const placing = new Set(["height", "transform", "width", "x", "y"]);

/** Returns the same drawing with neighbours of one style in a group that carries it. */
export function shareStyles(marks: readonly Mark[]): readonly Mark[] {
  const runs: { style: string; marks: Mark[] }[] = [];
  for (const mark of marks) {
    const style = "tag" in mark ? JSON.stringify(split(mark).style) : "";
    const last = runs.at(-1);
    if (last !== undefined && last.style === style && style !== "") last.marks.push(mark);
    else runs.push({ style, marks: [mark] });
  }
  return runs.flatMap((run) => (run.marks.length > 1 ? [group(run.marks)] : run.marks));
}

function group(marks: readonly Mark[]): Mark {
  const elements = marks.flatMap((mark) => ("tag" in mark ? [mark] : []));
  const [first] = elements;
  const children = elements.map((mark) => element(mark.tag, split(mark).place, mark.children));
  return element("g", first === undefined ? {} : split(first).style, children);
}

type Attributes = ElementMark["attributes"];

function split({ attributes }: ElementMark): { readonly place: Attributes; readonly style: Attributes } {
  const entries = Object.entries(attributes);
  return {
    place: Object.fromEntries(entries.filter(([name]) => placing.has(name))),
    style: Object.fromEntries(entries.filter(([name]) => !placing.has(name))),
  };
}
