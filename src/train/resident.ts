/** The tensors of a run that live in the engine: put there at the start, read back for checkpoints. */
import { DTypeError, FormatError, ShapeError } from "../core/index.js";
import type { Engine } from "../runtime/index.js";
import { Tensor } from "../tensor/index.js";
import type { ShapedDefinition, TensorShape, TrainingDefinition } from "./definition.js";
import type { ResolvedGroup } from "./groups.js";
import { averagedParameters, residentNames, zeroResidents } from "./program.js";
import { inputNames } from "./trace.js";

/** A tensor on its way to the engine. */
interface Putting {
  readonly name: string;
  readonly tensor: Tensor;
  /** Nobody else has it: its memory may be given away. */
  readonly isOwned: boolean;
}

const emptyShape: TensorShape = { shape: [], axes: [], size: 1 };

/** Throws unless a tensor can be trained. */
export function checkFloat32(where: string, tensor: Tensor): void {
  if (tensor.dtype === "float32") return;
  throw new DTypeError({
    where,
    got: `dtype ${tensor.dtype}`,
    expected: "float32",
    fix: 'Convert it first: tensor.cast("float32").',
  });
}

function zeros(name: string, { shape, size }: TensorShape): Putting {
  return { name, tensor: Tensor.of(new Float32Array(size), shape), isOwned: true };
}

/** Yields every resident tensor as a run begins, one by one. */
export function* initialResidents(
  definition: TrainingDefinition,
  groups: readonly ResolvedGroup[],
): Generator<Putting> {
  const { parameters, buffers = {} } = definition;
  for (const [name, tensor] of Object.entries(parameters)) yield { name, tensor, isOwned: false };
  for (const [name, tensor] of Object.entries(buffers)) yield { name: inputNames.buffer(name), tensor, isOwned: false };
  for (const { name, parameter } of zeroResidents(definition, groups))
    yield zeros(name, parameters[parameter] ?? emptyShape);
  for (const name of averagedParameters(definition, groups)) {
    const tensor = parameters[name];
    if (tensor !== undefined) yield { name: residentNames.average(name), tensor, isOwned: false };
  }
}

/** Shapes of the resident tensors, other than parameters, that a checkpoint holds. */
export function savedResidents(
  definition: ShapedDefinition,
  groups: readonly ResolvedGroup[],
): ReadonlyMap<string, TensorShape> {
  const { parameters, buffers = {} } = definition;
  const shapeOf = (name: string): TensorShape => parameters[name] ?? emptyShape;
  return new Map([
    ...Object.entries(buffers).map(([name, shape]) => [inputNames.buffer(name), shape] as const),
    ...zeroResidents(definition, groups).flatMap(({ name, parameter, isSaved }) =>
      isSaved ? [[name, shapeOf(parameter)] as const] : [],
    ),
    ...averagedParameters(definition, groups).map((name) => [residentNames.average(name), shapeOf(name)] as const),
  ]);
}

/** Returns what a checkpoint's tensors and zeros for the rest make of a run. */
export function restoredResidents(
  where: string,
  saved: Readonly<Record<string, Tensor>>,
  definition: ShapedDefinition,
  groups: readonly ResolvedGroup[],
): readonly Putting[] {
  const expected = new Map([...Object.entries(definition.parameters), ...savedResidents(definition, groups)]);
  const restored = [...expected].map(([name, shape]): Putting => {
    const tensor = saved[name];
    if (tensor === undefined) throw missing(where, name);
    checkReplacement(`${where}: tensor "${name}"`, tensor, shape);
    return { name, tensor, isOwned: true };
  });
  const fresh = zeroResidents(definition, groups).filter(({ isSaved }) => !isSaved);
  return [
    ...restored,
    ...fresh.map(({ name, parameter }) => zeros(name, definition.parameters[parameter] ?? emptyShape)),
  ];
}

/** Reads and writes resident tensors under a prefix, so that several trainers can share an engine. */
export class ResidentTensors {
  readonly #engine: Engine;
  readonly #prefix: string;
  readonly #names = new Set<string>();

  constructor(engine: Engine, prefix: string) {
    this.#engine = engine;
    this.#prefix = prefix;
  }

  /** Returns the engine's name of a resident tensor. */
  nameOf(name: string): string {
    return `${this.#prefix}${name}`;
  }

  /** Stores tensors; those of the same name are replaced. */
  async put(tensors: Iterable<Putting>): Promise<void> {
    for (const { name, tensor, isOwned } of tensors) {
      const { data, shape } = tensor;
      if (!(data instanceof Float32Array)) continue;
      this.#names.add(name);
      await this.#engine.put(this.nameOf(name), { dtype: "float32", shape, data }, { transfer: isOwned });
    }
  }

  /** Reads tensors back, each with the axis names of its entry. */
  async get(names: ReadonlyMap<string, Pick<TensorShape, "axes">>): Promise<Record<string, Tensor>> {
    const tensors: [string, Tensor][] = [];
    for (const [name, { axes }] of names) {
      const { data, shape } = await this.#engine.get(this.nameOf(name));
      tensors.push([name, Tensor.of(data, shape, axes)]);
    }
    return Object.fromEntries(tensors);
  }

  /** Forgets everything that was put. */
  async drop(): Promise<void> {
    for (const name of this.#names) await this.#engine.drop(this.nameOf(name));
    this.#names.clear();
  }
}

/** Throws unless a loaded tensor is float32 of the shape of the one that it replaces. */
function checkReplacement(where: string, tensor: Tensor, { shape }: TensorShape): void {
  checkFloat32(where, tensor);
  if (tensor.shape.join() === shape.join()) return;
  throw new ShapeError({
    where,
    got: `shape [${tensor.shape.join(", ")}]`,
    expected: `[${shape.join(", ")}]`,
    fix: "Load the checkpoint of this run.",
  });
}

function missing(where: string, name: string): FormatError {
  return new FormatError({
    where,
    got: `no tensor "${name}"`,
    expected: "every parameter and the optimiser's state",
    fix: "Take another checkpoint of the run; this one is not whole.",
  });
}
