/** The mutable half of the graph layer: values are added one by one, checked and shared, then frozen into a graph. */
import { GraphError } from "../core/index.js";
import {
  checkAxes,
  checkCall,
  checkSource,
  conflict,
  constantData,
  defaultShape,
  foreign,
  freezeAttributes,
  freezeNode,
  identitySchema,
  nodeKey,
  type OpAttributes,
  type OpInputs,
  sameList,
  sameSource,
  trimTrailing,
  unknownOp,
} from "./builder-parts.js";
import { ConstantPool } from "./constant-pool.js";
import { type ContentsContext, inferContents } from "./contents.js";
import { describeOp, describeShape, describeType, describeValue } from "./describe.js";
import { normalizeDim, sameShape } from "./dims.js";
import { inlineGraph } from "./inline.js";
import type { Dim, Graph, GraphData, GraphDType, Initializer, Node, Value, WeightSource } from "./ir.js";
import { neededNodes } from "./reach.js";
import { findSchema, type OpSchema, type TypedShape } from "./schema.js";

export type { OpAttributes, OpInputs } from "./builder-parts.js";

/** Further choices for {@link GraphBuilder.op}. */
export interface OpOptions {
  /** Domain of the op; found from the op table when left out. */
  readonly domain?: string;
  /** Axis names of the output, as {@link GraphBuilder.named} gives them. */
  readonly axes?: readonly string[];
}

/** What makes a value. */
export type Producer =
  | { readonly kind: "input" }
  | { readonly kind: "initializer"; readonly source: WeightSource }
  | { readonly kind: "node"; readonly node: Node };

/** A value while its builder may still give it axis names. */
interface OpenValue {
  readonly name: string;
  readonly dtype: GraphDType;
  readonly shape: readonly Dim[];
  axes?: readonly string[];
}

/** What a builder knows of one of its values. */
interface Entry {
  readonly id: number;
  readonly producer: Producer;
  /** The value itself until it is part of a finished graph. */
  open: OpenValue | undefined;
}

/**
 * Builds one graph: declares inputs and weights, adds ops, infers element types and shapes, shares equal expressions.
 *
 * Every method checks what it is given and throws GraphError before anything is added. Names of values are
 * deterministic: the same calls give the same names.
 */
export class GraphBuilder {
  readonly #entries = new Map<Value, Entry>();
  readonly #inputs = new Map<string, Value>();
  readonly #initializers = new Map<string, Initializer>();
  readonly #nodes: Node[] = [];
  readonly #known = new Map<Value, readonly Dim[]>();
  readonly #shared = new Map<string, readonly Value[]>();
  readonly #constants = new ConstantPool();
  readonly #counters = new Map<string, number>();
  readonly #names = new Set<string>();

  /**
   * Returns a builder that continues an existing graph: its values, by identity, can be used as inputs of new ops.
   *
   * Outputs of `graph` are forgotten; name them again in {@link build}.
   */
  static from(graph: Graph): GraphBuilder {
    const builder = new GraphBuilder();
    for (const value of graph.inputs) {
      builder.#register(value, { kind: "input" });
      builder.#inputs.set(value.name, value);
    }
    for (const initializer of graph.initializers) builder.#adoptInitializer(initializer);
    for (const node of graph.nodes) builder.#adoptNode(node);
    return builder;
  }

  /**
   * Declares a graph input. The same name twice returns the same value.
   *
   * @throws GraphError when the name is taken by something else or has another element type or shape.
   */
  input(name: string, dtype: GraphDType, shape: readonly Dim[], axes?: readonly string[]): Value {
    const known = this.#inputs.get(name);
    const normal = shape.map(normalizeDim);
    if (known !== undefined) return this.#redeclared(known, dtype, normal, axes);
    this.#checkFree(name);
    checkAxes(`input "${name}"`, normal, axes);
    const value = newValue(name, { dtype, shape: normal });
    if (axes !== undefined) value.axes = Object.freeze([...axes]);
    this.#register(value, { kind: "input" }, value);
    this.#inputs.set(name, value);
    return value;
  }

  /**
   * Declares a weight whose bytes are a range of a file or a typed array. The same name twice returns the same value.
   *
   * Several weights may use the same bytes with other shapes or offsets; the bytes are never copied.
   *
   * @throws GraphError when the byte count does not fit the shape, or the name is declared otherwise.
   */
  weight(name: string, dtype: GraphDType, shape: readonly number[], source: WeightSource): Value {
    const known = this.#initializers.get(name);
    if (known !== undefined) {
      if (!sameSource(known.source, source)) throw conflict(name, "a weight with another source", "the same source");
      return this.#redeclared(known.value, dtype, shape, undefined);
    }
    this.#checkFree(name);
    checkSource(name, dtype, shape, source);
    return this.#addInitializer(name, { dtype, shape }, source);
  }

  /**
   * Returns a constant, shared with every equal constant of this builder.
   *
   * @param data - A number, a list (rank 1 unless `shape` is given) or a typed array of the element type.
   * @throws GraphError when the number of elements does not fit `shape` or the array has another element type.
   */
  constant(
    data: number | bigint | readonly number[] | GraphData,
    dtype: GraphDType,
    shape: readonly number[] = defaultShape(data),
  ): Value {
    const array = constantData(data, dtype);
    const count = shape.reduce((product, size) => product * size, 1);
    if (array.length !== count) {
      throw new GraphError({
        where: "constant",
        got: `${array.length} elements for shape ${describeShape(shape)}`,
        expected: `${count} elements`,
        fix: "Check the shape.",
      });
    }
    const type = { dtype, shape: [...shape] };
    const known = this.#constants.find(type, array);
    if (known !== undefined) return known;
    const value = this.#addInitializer(this.#uniqueName("const"), type, { kind: "data", data: array });
    this.#learnConstant(value, array);
    this.#constants.add(value, array);
    return value;
  }

  /**
   * Adds an operation with one output and returns it; an equal operation that exists already is returned instead.
   *
   * @throws GraphError when the op is unknown, or its inputs or attributes do not fit; the message names them all.
   */
  op(op: string, inputs: OpInputs, attributes: OpAttributes = {}, options: OpOptions = {}): Value {
    const { domain } = options;
    if (domain !== undefined && findSchema(op, domain) === undefined) throw unknownOp(`${domain}.${op}`, inputs);
    const [value] = this.ops(op, inputs, attributes, 1);
    if (value === undefined) throw unknownOp(op, inputs);
    return options.axes === undefined ? value : this.named(value, options.axes);
  }

  /** Adds an operation with `outputCount` outputs; see {@link op}. The domain follows from the op table. */
  ops(op: string, inputs: OpInputs, attributes: OpAttributes, outputCount: number): readonly Value[] {
    const schema = findSchema(op);
    if (schema === undefined) throw unknownOp(op, inputs);
    const trimmed = trimTrailing(inputs);
    const ids = this.#idsOf(trimmed);
    checkCall(schema, trimmed, attributes, outputCount);
    const rounded = freezeAttributes(schema, attributes);
    const key = nodeKey(schema, ids, rounded, outputCount);
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const outputs = this.#addNode(schema, trimmed, rounded, outputCount);
    this.#shared.set(key, outputs);
    return outputs;
  }

  /**
   * Gives axis names to a value, outermost first, and returns it.
   *
   * A value has one set of names: asking for others (or naming a value of a graph that is already built) returns an
   * `Identity` of it that carries them.
   *
   * @throws GraphError when the number of names is not the rank.
   */
  named(value: Value, axes: readonly string[]): Value {
    const { id, open } = this.#entryOf(value);
    checkAxes(describeValue(value), value.shape, axes);
    if (value.axes !== undefined && sameList(value.axes, axes)) return value;
    if (value.axes === undefined && open !== undefined) {
      open.axes = Object.freeze([...axes]);
      return value;
    }
    const key = `named|${id}|${axes.join(",")}`;
    const known = this.#shared.get(key)?.[0];
    if (known !== undefined) return known;
    const [copy = value] = this.#addNode(identitySchema(), [value], freezeAttributes(identitySchema(), {}), 1);
    const openCopy = this.#entryOf(copy).open;
    if (openCopy !== undefined) openCopy.axes = Object.freeze([...axes]);
    this.#shared.set(key, [copy]);
    return copy;
  }

  /** Returns what is known of the contents of an integer value of rank 0 or 1 (shapes, constants), else undefined. */
  known(value: Value): readonly Dim[] | undefined {
    return this.#known.get(value);
  }

  /** Returns what makes a value of this builder: an input, an initializer, or a node. */
  producer(value: Value): Producer {
    return this.#entryOf(value).producer;
  }

  /** Returns the declared inputs, in the order of declaration. */
  get inputs(): readonly Value[] {
    return [...this.#inputs.values()];
  }

  /** Tells whether `value` was made by this builder or belongs to the graph it continues. */
  has(value: Value): boolean {
    return this.#entries.has(value);
  }

  /** Every node so far, in topological order. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /**
   * Copies a graph into this builder, with its inputs replaced by values of this builder.
   *
   * @param replacements - A value for each input of `graph`, by name; any other value of `graph` may be replaced too.
   * @returns The values here that stand for the outputs of `graph`, by output name.
   * @throws GraphError when an input of `graph` has no replacement of the same element type.
   */
  inline(graph: Graph, replacements: ReadonlyMap<Value, Value>): Readonly<Record<string, Value>> {
    return inlineGraph(this, graph, replacements);
  }

  /**
   * Freezes what `outputs` need into an immutable graph, nodes in topological order.
   *
   * Inputs that are not needed are left out; {@link unusedInputs} lists them.
   *
   * @throws GraphError when there is no output, or one is not a value of this builder.
   */
  build(outputs: Readonly<Record<string, Value>>): Graph {
    const entries = Object.entries(outputs);
    if (entries.length === 0) {
      throw new GraphError({
        where: "GraphBuilder.build",
        got: "no outputs",
        expected: "at least one",
        fix: "Name a value.",
      });
    }
    const values = entries.map(([, value]) => value);
    for (const value of values) this.#entryOf(value);
    const { nodes, values: needed } = neededNodes(this.#nodes, values);
    for (const value of needed) this.#close(value);
    return Object.freeze({
      inputs: Object.freeze([...this.#inputs.values()].filter((value) => needed.has(value))),
      initializers: Object.freeze([...this.#initializers.values()].filter(({ value }) => needed.has(value))),
      nodes: Object.freeze(nodes),
      outputs: Object.freeze(entries.map(([name, value]) => Object.freeze({ name, value }))),
    });
  }

  /** Returns the declared inputs that `graph` does not use. */
  unusedInputs(graph: Graph): readonly Value[] {
    return [...this.#inputs.values()].filter((value) => !graph.inputs.includes(value));
  }

  #entryOf(value: Value): Entry {
    const entry = this.#entries.get(value);
    if (entry === undefined) throw foreign(value);
    return entry;
  }

  /** Inputs as text: two lists are the same values where their texts are equal. */
  #idsOf(inputs: OpInputs): string {
    let ids = "";
    for (const value of inputs) ids += value === undefined ? ",-" : `,${this.#entryOf(value).id}`;
    return ids;
  }

  #close(value: Value): void {
    const entry = this.#entryOf(value);
    if (entry.open === undefined) return;
    entry.open = undefined;
    Object.freeze(value.shape);
    Object.freeze(value);
  }

  #checkFree(name: string): void {
    if (name === "") throw conflict(name, "an empty name", "a name");
    if (this.#names.has(name)) throw conflict(name, "a name that is taken", "a new name");
  }

  #uniqueName(base: string): string {
    let count = this.#counters.get(base) ?? 0;
    while (this.#names.has(`${base}_${count}`) || this.#names.has(`${base}_${count}.0`)) count++;
    this.#counters.set(base, count);
    return `${base}_${count}`;
  }

  #register(value: Value, producer: Producer, open?: OpenValue): void {
    this.#entries.set(value, { id: this.#entries.size, producer, open });
    this.#names.add(value.name);
  }

  #redeclared(known: Value, dtype: GraphDType, shape: readonly Dim[], axes: readonly string[] | undefined): Value {
    if (known.dtype !== dtype || !sameShape(known.shape, shape)) {
      throw conflict(known.name, describeType({ dtype, shape }), `${describeType(known)} as declared before`);
    }
    return axes === undefined ? known : this.named(known, axes);
  }

  #addInitializer(name: string, type: TypedShape, source: WeightSource): Value {
    const value = newValue(name, type);
    this.#register(value, { kind: "initializer", source }, value);
    this.#initializers.set(name, Object.freeze({ value, source }));
    return value;
  }

  #learnConstant(value: Value, array: GraphData): void {
    const integer = value.dtype === "int64" || value.dtype === "int32";
    const short = value.shape.length <= 1 && array.length <= 64;
    if (value.shape.length === 0 || (integer && short)) this.#known.set(value, [...array].map(Number));
  }

  #addNode(schema: OpSchema, inputs: OpInputs, attributes: OpAttributes, outputCount: number): readonly Value[] {
    const base = this.#uniqueName(schema.op);
    const context = {
      where: () => describeOp(schema.op, inputs),
      inputs,
      attributes,
      outputCount,
      known: (value: Value) => this.#known.get(value),
      fresh: (axis: number) => `${base}.${axis}`,
    };
    const types = schema.infer(context);
    const outputs = types.map((type, index) => newValue(outputCount === 1 ? base : `${base}.${index}`, type));
    const node = freezeNode(schema, inputs, attributes, outputs);
    const producer: Producer = { kind: "node", node };
    for (const value of outputs) this.#register(value, producer, value);
    this.#nodes.push(node);
    this.#learnNode(schema.op, outputs, context);
    return node.outputs;
  }

  #learnNode(op: string, outputs: readonly Value[], context: ContentsContext): void {
    const [only] = outputs;
    if (only === undefined || outputs.length > 1) return;
    const contents = inferContents(op, only, context);
    if (contents !== undefined) this.#known.set(only, contents);
  }

  #adoptInitializer(initializer: Initializer): void {
    const { value, source } = initializer;
    this.#register(value, { kind: "initializer", source });
    this.#initializers.set(value.name, initializer);
    if (source.kind !== "data") return;
    this.#learnConstant(value, source.data);
    this.#constants.add(value, source.data);
  }

  #adoptNode(node: Node): void {
    const schema = findSchema(node.op, node.domain);
    if (schema === undefined) throw unknownOp(node.op, node.inputs);
    for (const value of node.outputs) this.#register(value, { kind: "node", node });
    this.#nodes.push(node);
    const { inputs, attributes } = node;
    this.#shared.set(nodeKey(schema, this.#idsOf(inputs), attributes, node.outputs.length), node.outputs);
    this.#learnNode(node.op, node.outputs, { inputs, attributes, known: (value) => this.#known.get(value) });
  }
}

function newValue(name: string, { dtype, shape }: TypedShape): OpenValue {
  return { name, dtype, shape };
}
