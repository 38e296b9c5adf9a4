/** The tensors of a run that live in the engine: put there at the start, read back for checkpoints. */
import { DTypeError, ShapeError } from "../core/index.js";
import type { Engine, RawTensor } from "../runtime/index.js";
import { Tensor } from "../tensor/index.js";
import type { TrainingDefinition } from "./definition.js";
import type { ResolvedGroup } from "./groups.js";
import { averagedParameters, residentNames, zeroResidents } from "./program.js";
import { inputNames } from "./trace.js";

/** Resident tensors by their names in the step graph. */
type Residents = ReadonlyMap<string, Tensor>;

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

function zeros(like: Tensor | undefined): Tensor {
  const { shape = [], axes, size = 1 } = like ?? {};
  return Tensor.of(new Float32Array(size), [...shape], axes);
}

/** Returns every resident tensor as a run begins. */
export function initialResidents(definition: TrainingDefinition, groups: readonly ResolvedGroup[]): Residents {
  const { parameters, buffers = {} } = definition;
  return new Map([
    ...Object.entries(parameters),
    ...Object.entries(buffers).map(([name, tensor]) => [inputNames.buffer(name), tensor] as const),
    ...zeroResidents(definition, groups).map(({ name, parameter }) => [name, zeros(parameters[parameter])] as const),
    ...averagedParameters(definition, groups).map(
      (name) => [residentNames.average(name), parameters[name] ?? zeros(undefined)] as const,
    ),
  ]);
}

/** Returns the names of resident tensors, other than parameters, that a checkpoint holds. */
export function savedResidents(definition: TrainingDefinition, groups: readonly ResolvedGroup[]): readonly string[] {
  return [
    ...Object.keys(definition.buffers ?? {}).map(inputNames.buffer),
    ...zeroResidents(definition, groups).flatMap(({ name, isSaved }) => (isSaved ? [name] : [])),
    ...averagedParameters(definition, groups).map(residentNames.average),
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
  async put(tensors: Residents): Promise<void> {
    for (const [name, { dtype, shape, data }] of tensors) {
      if (dtype !== "float32" || !(data instanceof Float32Array)) continue;
      this.#names.add(name);
      await this.#engine.put(this.nameOf(name), { dtype, shape, data });
    }
  }

  /** Reads tensors back; axis names come from `like`. */
  async get(names: readonly string[], like: (name: string) => Tensor | undefined): Promise<Record<string, Tensor>> {
    const tensors: [string, Tensor][] = [];
    for (const name of names) tensors.push([name, toTensor(await this.#engine.get(this.nameOf(name)), like(name))]);
    return Object.fromEntries(tensors);
  }

  /** Forgets everything that was put. */
  async drop(): Promise<void> {
    for (const name of this.#names) await this.#engine.drop(this.nameOf(name));
    this.#names.clear();
  }
}

function toTensor({ data, shape }: RawTensor, like: Tensor | undefined): Tensor {
  return Tensor.of(data, shape, like?.axes);
}

/** Throws unless a loaded tensor is float32 of the shape of the one that it replaces. */
export function checkReplacement(where: string, tensor: Tensor, expected: Tensor): void {
  checkFloat32(where, tensor);
  if (tensor.shape.join() === expected.shape.join()) return;
  throw new ShapeError({
    where,
    got: `shape [${tensor.shape.join(", ")}]`,
    expected: `[${expected.shape.join(", ")}]`,
    fix: "Load the checkpoint of this run.",
  });
}
