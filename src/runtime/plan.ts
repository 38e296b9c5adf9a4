/** Works out how values flow through a program's segments, and refuses programs that do not fit together. */
import { formatList, formatShape, GraphError, nearestHint } from "../core/index.js";
import type { Graph, Value } from "../graph/index.js";
import type { Program } from "./types.js";

/** One segment with what it takes, gives and lets go. */
export interface SegmentPlan {
  readonly graph: Graph;
  readonly inputs: readonly string[];
  /** Outputs that a later segment, the caller or a resident tensor needs. */
  readonly outputs: readonly string[];
  /** Values that nobody needs after this segment. */
  readonly drop: readonly string[];
}

/** A program whose values are accounted for. */
export interface ProgramPlan {
  readonly program: Program;
  readonly segments: readonly SegmentPlan[];
  /** Inputs to be fed: made by no segment, not resident. */
  readonly fed: readonly Value[];
  /** Inputs to be found among the resident tensors, by input name. */
  readonly residentInputs: ReadonlyMap<string, Value>;
}

/**
 * Returns a program's data flow.
 *
 * @throws GraphError when there is no segment, a name is made twice, an output is made by none, an input comes before
 *   the segment that makes it, two segments disagree about an input, or a segment's outputs are needed by nobody.
 */
export function planProgram(program: Program): ProgramPlan {
  if (program.segments.length === 0) throw emptyProgram();
  const makers = findMakers(program.segments);
  const external = findExternal(program.segments, makers);
  const residentNames = Object.keys(program.resident?.inputs ?? {});
  checkNames("resident.inputs", residentNames, external.keys());
  const asked = [...program.outputs, ...Object.keys(program.resident?.outputs ?? {})];
  checkNames("outputs", asked, makers.keys());
  const lastReaders = findLastReaders(program.segments);
  return {
    program,
    segments: program.segments.map((graph, index) => planSegment(graph, { index, lastReaders, asked: new Set(asked) })),
    fed: [...external.values()].filter(({ name }) => !residentNames.includes(name)),
    residentInputs: new Map([...external].filter(([name]) => residentNames.includes(name))),
  };
}

interface Flow {
  readonly index: number;
  readonly lastReaders: ReadonlyMap<string, number>;
  readonly asked: ReadonlySet<string>;
}

function planSegment(graph: Graph, flow: Flow): SegmentPlan {
  const { index, lastReaders, asked } = flow;
  const outputs = graph.outputs
    .map(({ name }) => name)
    .filter((name) => asked.has(name) || (lastReaders.get(name) ?? -1) > index);
  if (outputs.length === 0) throw uselessSegment(graph, index);
  const inputs = graph.inputs.map(({ name }) => name);
  const drop = [...new Set([...inputs, ...outputs])].filter((name) => (lastReaders.get(name) ?? -1) <= index);
  return { graph, inputs, outputs, drop };
}

/** Output name to the segment that makes it. */
function findMakers(segments: readonly Graph[]): ReadonlyMap<string, number> {
  const makers = new Map<string, number>();
  for (const [index, graph] of segments.entries()) {
    for (const { name } of graph.outputs) {
      const before = makers.get(name);
      if (before !== undefined) throw madeTwice(name, before, index);
      makers.set(name, index);
    }
  }
  return makers;
}

/** Inputs that no earlier segment makes. */
function findExternal(segments: readonly Graph[], makers: ReadonlyMap<string, number>): ReadonlyMap<string, Value> {
  const external = new Map<string, Value>();
  for (const [index, graph] of segments.entries()) {
    for (const input of graph.inputs) {
      const maker = makers.get(input.name);
      if (maker !== undefined && maker >= index) throw madeTooLate(input.name, maker, index);
      if (maker !== undefined) checkMade(input, segments[maker], { maker, index });
      else external.set(input.name, mergeInput(external.get(input.name), input, index));
    }
  }
  return external;
}

function findLastReaders(segments: readonly Graph[]): ReadonlyMap<string, number> {
  const readers = new Map<string, number>();
  for (const [index, graph] of segments.entries()) for (const { name } of graph.inputs) readers.set(name, index);
  return readers;
}

function checkMade(input: Value, made: Graph | undefined, at: { maker: number; index: number }): void {
  const value = made?.outputs.find(({ name }) => name === input.name)?.value;
  if (value === undefined || (value.dtype === input.dtype && value.shape.length === input.shape.length)) return;
  throw new GraphError({
    where: `program: segments[${at.index}] input "${input.name}"`,
    got: `${value.dtype} ${formatShape(value.shape)} from segments[${at.maker}]`,
    expected: describe(input),
    fix: "Give the value the same type and rank where it is made and where it is read.",
  });
}

function mergeInput(known: Value | undefined, input: Value, index: number): Value {
  if (known === undefined) return input;
  if (known.dtype === input.dtype && describe(known) === describe(input)) return known;
  throw new GraphError({
    where: `program: segments[${index}] input "${input.name}"`,
    got: describe(input),
    expected: `${describe(known)}, as an earlier segment declares it`,
    fix: "Declare a shared input alike in all segments, or give one of them another name.",
  });
}

function checkNames(what: string, names: readonly string[], known: Iterable<string>): void {
  const candidates = [...known];
  for (const name of names) {
    if (candidates.includes(name)) continue;
    throw new GraphError({
      where: `program: ${what}`,
      got: JSON.stringify(name),
      expected: `one of ${formatList(candidates)}`,
      fix: `Name a value that the segments have.${nearestHint(name, candidates)}`,
    });
  }
}

function describe(value: Value): string {
  return `${value.dtype} ${formatShape(value.shape, value.axes)}`;
}

function emptyProgram(): GraphError {
  return new GraphError({
    where: "program: segments",
    got: "no graph",
    expected: "at least one",
    fix: "Build a graph that computes what you ask for.",
  });
}

function uselessSegment(graph: Graph, index: number): GraphError {
  return new GraphError({
    where: `program: segments[${index}]`,
    got: `outputs ${formatList(graph.outputs.map(({ name }) => name))} that nobody reads`,
    expected: "an output that a later segment or the caller needs",
    fix: "Leave the segment out or name one of its outputs.",
  });
}

function madeTwice(name: string, before: number, index: number): GraphError {
  return new GraphError({
    where: `program: segments[${index}] output "${name}"`,
    got: `a name that segments[${before}] makes too`,
    expected: "each output name once in a program",
    fix: "Rename one of the outputs.",
  });
}

function madeTooLate(name: string, maker: number, index: number): GraphError {
  return new GraphError({
    where: `program: segments[${index}] input "${name}"`,
    got: `a value that segments[${maker}] makes`,
    expected: "values from feeds or earlier segments",
    fix: "Put the segments in the order in which values flow.",
  });
}
