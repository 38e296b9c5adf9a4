/**
 * Products of activations with weights as small graphs, so that weights stay mapped and the engine does the work.
 *
 * Heads: `result[h] = z[h] W_O[h]`; neurons: `result[n] = post[n] W_out[n]`. Both are followed by a {@link Tail}. With
 * directions `p` the weights are projected first: `z[h] · (W_O[h] Mᵀp)`, so that nothing of size `dModel` per head or
 * neuron and position exists. Rows (positions) are flattened; groups are the positions that have directions of their own.
 */
import { InternalError, type LongCallOptions } from "../../core/index.js";
import { type Dim, type Graph, GraphBuilder, Ops, type Value } from "../../graph/index.js";
import type { RawTensor } from "../../runtime/index.js";
import { Tensor } from "../../tensor/index.js";
import { masksOver } from "../edits/keep-weights.js";
import { floatData } from "../edits/values.js";
import type { ModelView } from "../view.js";
import { mappedWeight } from "../weights/store.js";
import type { Linear } from "../weights/weight-map.js";
import { type Tail, transposedMaps } from "./tail.js";
import { storedWeight } from "./vectors.js";

/** What a product needs. */
export interface ProductJob {
  readonly view: ModelView;
  /** The matrix, `W_O` or `W_out`. */
  readonly linear: Linear;
  /** Heads: `[…positions, head, dHead]`; neurons: `[…positions, dMlp]`. */
  readonly activations: Tensor;
  readonly tail: Tail;
  /** Directions `[dModel, …]`; axes that positions have too belong to them. */
  readonly directions?: Tensor | undefined;
  readonly long: LongCallOptions;
}

type FloatType = "float32" | "float64";

/** How axes are arranged for a graph. */
interface Axes {
  /** Position axes along which directions differ. */
  readonly group: readonly string[];
  /** The other position axes. */
  readonly row: readonly string[];
  /** The directions' own axes. */
  readonly direction: readonly string[];
}

/** The run of one product: what is fed, and how the output's axes are named. */
interface Run {
  readonly job: ProductJob;
  readonly dtype: FloatType;
  readonly axes: Axes;
  readonly feeds: Record<string, RawTensor>;
}

function axesOf({ activations, directions }: ProductJob, own: readonly string[]): Axes {
  const positions = activations.axes.filter((axis) => !own.includes(axis));
  const given = directions?.axes.filter((axis) => axis !== "dModel") ?? [];
  return {
    group: positions.filter((axis) => given.includes(axis)),
    row: positions.filter((axis) => !given.includes(axis)),
    direction: given.filter((axis) => !positions.includes(axis)),
  };
}

function sizeAlong(tensor: Tensor, axes: readonly string[]): number {
  return axes.reduce((product, axis) => product * tensor.sizeOf(axis), 1);
}

/** A tensor as a feed: axes of each list joined to one, in the order given; axes that it lacks count as size 1. */
function feed(tensor: Tensor, dtype: FloatType, ...lists: readonly (readonly string[])[]): RawTensor {
  const present = lists.map((list) => list.filter((axis) => tensor.axes.includes(axis)));
  const ordered: Tensor = tensor.transpose(present.flat());
  return { dtype, shape: present.map((list) => sizeAlong(tensor, list)), data: floatData(ordered, dtype) };
}

function startRun(job: ProductJob, own: readonly string[]): Run {
  const dtype = job.activations.dtype === "float64" ? "float64" : "float32";
  const axes = axesOf(job, own);
  const feeds: Record<string, RawTensor> = {};
  const { scale } = job.tail;
  if (scale !== undefined) feeds["scale"] = feed(scale, dtype, axes.group, axes.row, []);
  if (job.directions !== undefined)
    feeds["directions"] = feed(transposedMaps(job.directions, job.tail), dtype, axes.group, axes.direction, ["dModel"]);
  return { job, dtype, axes, feeds };
}

function weight(ops: Ops, { job, dtype, feeds }: Run, shape: readonly number[]): Value {
  const mapped = mappedWeight(ops.builder, storedWeight(job.view, job.linear.weight), { shape });
  const value = dtype === "float64" ? ops.cast(mapped, "float64") : mapped;
  return masksOver(job.view.edits, job.linear.weight).reduce((kept, [index, data]) => {
    const name = `kept.${index}`;
    feeds[name] = { dtype: "bool", shape, data };
    return ops.where(ops.builder.input(name, "bool", shape), kept, ops.scalar(0, dtype));
  }, value);
}

/** The fixed maps of the tail on the last axis of `x`; gains become feeds. */
function mapped(ops: Ops, x: Value, run: Run): Value {
  const axis = x.shape.length - 1;
  return run.job.tail.maps.reduce((value, map, i) => {
    if (map === "centre") return ops.sub(value, ops.reduceMean(value, [axis]));
    run.feeds[`gain.${i}`] = feed(map, run.dtype, ["dModel"]);
    return ops.mul(value, ops.builder.input(`gain.${i}`, run.dtype, [map.size]));
  }, x);
}

/** One group where all positions share their directions, or have none. */
function groupDim({ job }: Run): Dim {
  return job.directions === undefined ? 1 : "group";
}

/** Divides `[component, row, …]`, or `[group, component, row, …]` when projected, by the scale of each row. */
function scaled(ops: Ops, x: Value, run: Run): Value {
  if (run.job.tail.scale === undefined) return x;
  const scale = ops.builder.input("scale", run.dtype, [groupDim(run), "row", 1]);
  return ops.div(x, run.job.directions === undefined ? scale : ops.unsqueeze(scale, [1]));
}

function directionsInput(ops: Ops, run: Run): Value {
  return ops.builder.input("directions", run.dtype, ["group", "direction", run.job.view.core.config.dModel]);
}

/** `[group, direction, dModel] × W → [group, direction, inputs]` for a stored matrix of either layout. */
function projectWeight(ops: Ops, run: Run, inputs: number): Value {
  const { dModel } = run.job.view.core.config;
  const directions = directionsInput(ops, run);
  if (run.job.linear.layout === "out-in") return ops.matmul(directions, weight(ops, run, [dModel, inputs]));
  return ops.fusedMatmul(directions, weight(ops, run, [inputs, dModel]), { transB: true });
}

/** `[head, row, dHead] → [head, row, dModel]`. */
function headGraph(run: Run, heads: number, dHead: number): Graph {
  const ops = new Ops(new GraphBuilder());
  const { dModel } = run.job.view.core.config;
  const perHead = ops.squeeze(ops.builder.input("z", run.dtype, [1, heads, "row", dHead]), [0]);
  const isOutIn = run.job.linear.layout === "out-in";
  const product = isOutIn
    ? ops.fusedMatmul(perHead, weight(ops, run, [dModel, heads, dHead]), { transB: true, transBatchB: true })
    : ops.matmul(perHead, weight(ops, run, [heads, dHead, dModel]));
  return ops.builder.build({ out: scaled(ops, mapped(ops, product, run), run) });
}

/** `[group, head, row, dHead] → [group, head, row, direction]`. */
function projectedHeadGraph(run: Run, heads: number, dHead: number): Graph {
  const ops = new Ops(new GraphBuilder());
  const z = ops.builder.input("z", run.dtype, ["group", heads, "row", dHead]);
  const perHead = ops.reshape(projectWeight(ops, run, heads * dHead), ["group", "direction", heads, dHead]);
  const product = ops.matmul(z, ops.transpose(perHead, [0, 2, 3, 1]));
  return ops.builder.build({ out: scaled(ops, product, run) });
}

/** Rows of `W_out` that were asked for, `[neuron, dModel]`. */
function neuronRows(ops: Ops, run: Run): Value {
  const { dModel, dMlp } = run.job.view.core.config;
  const ids = ops.builder.input("neurons", "int64", ["neuron"]);
  if (run.job.linear.layout === "out-in")
    return ops.transpose(ops.gather(weight(ops, run, [dModel, dMlp]), ids, 1), [1, 0]);
  return ops.gather(weight(ops, run, [dMlp, dModel]), ids, 0);
}

/** `[neuron, row] → [neuron, row, dModel]`. */
function neuronGraph(run: Run): Graph {
  const ops = new Ops(new GraphBuilder());
  const post = ops.unsqueeze(ops.squeeze(ops.builder.input("post", run.dtype, [1, "neuron", "row"]), [0]), [2]);
  const rows = ops.unsqueeze(mapped(ops, neuronRows(ops, run), run), [1]);
  return ops.builder.build({ out: scaled(ops, ops.mul(post, rows), run) });
}

/** `[group, neuron, row] → [group, neuron, row, direction]`. */
function projectedNeuronGraph(run: Run): Graph {
  const ops = new Ops(new GraphBuilder());
  const post = ops.unsqueeze(ops.builder.input("post", run.dtype, ["group", "neuron", "row"]), [3]);
  const rows = ops.matmul(neuronRows(ops, run), ops.transpose(directionsInput(ops, run), [0, 2, 1]));
  return ops.builder.build({ out: scaled(ops, ops.mul(post, ops.unsqueeze(rows, [2])), run) });
}

/** Runs the graph and names the output's axes: `[component, …positions, …directions or dModel]`. */
async function execute({ job, axes, feeds }: Run, graph: Graph): Promise<Tensor> {
  const { view, activations, directions, long } = job;
  const given = Object.fromEntries(
    graph.inputs.flatMap(({ name }) => (feeds[name] === undefined ? [] : [[name, feeds[name]]])),
  );
  const { signal } = long;
  const { out } = await view.core.engine.run(
    { segments: [graph], outputs: ["out"] },
    given,
    signal === undefined ? {} : { signal },
  );
  const end = directions === undefined ? ["dModel"] : axes.direction;
  const sizes = (names: readonly string[], source: Tensor): readonly number[] =>
    names.map((name) => source.sizeOf(name));
  const endSizes = directions === undefined ? [view.core.config.dModel] : sizes(end, directions);
  const names = [...axes.group, "component", ...axes.row, ...end];
  const data = floatsOf(out);
  const rest = [...sizes(axes.group, activations), ...sizes(axes.row, activations), ...endSizes];
  const count = data.length / rest.reduce((a, b) => a * b, 1);
  const shape = [...sizes(axes.group, activations), count, ...sizes(axes.row, activations), ...endSizes];
  const positions = activations.axes.filter((axis) => axes.group.includes(axis) || axes.row.includes(axis));
  return (Tensor.of(data, shape, names) as Tensor).transpose(["component", ...positions, ...end]);
}

/** The floats of an engine result. */
export function floatsOf(raw: RawTensor | undefined): Float32Array | Float64Array {
  if (raw?.data instanceof Float32Array || raw?.data instanceof Float64Array) return raw.data;
  throw new InternalError({
    where: "cache: product",
    got: raw?.dtype ?? "no output",
    expected: "floats",
    fix: "Report this as a bug of limpid.",
  });
}

/** What each head adds to the stream: `[component, …positions, dModel]`, or projected onto directions. */
export function headProduct(job: ProductJob): Promise<Tensor> {
  const run = startRun(job, ["head", "dHead"]);
  const { group, row } = run.axes;
  run.feeds["z"] = feed(job.activations, run.dtype, group, ["head"], row, ["dHead"]);
  const [heads, dHead] = [job.activations.sizeOf("head"), job.activations.sizeOf("dHead")];
  return execute(
    run,
    job.directions === undefined ? headGraph(run, heads, dHead) : projectedHeadGraph(run, heads, dHead),
  );
}

/** What each of the neurons adds to the stream: `[component, …positions, dModel]`, or projected onto directions. */
export function neuronProduct(job: ProductJob, neurons: readonly number[]): Promise<Tensor> {
  const run = startRun(job, ["dMlp"]);
  const { group, row } = run.axes;
  run.feeds["post"] = feed(job.activations, run.dtype, group, ["dMlp"], row);
  run.feeds["neurons"] = { dtype: "int64", shape: [neurons.length], data: BigInt64Array.from(neurons, BigInt) };
  return execute(run, job.directions === undefined ? neuronGraph(run) : projectedNeuronGraph(run));
}
