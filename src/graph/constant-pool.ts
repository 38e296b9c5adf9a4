/** Finds constants that a builder already has. */
import { describeType } from "./describe.js";
import { bytesOfData } from "./dtypes.js";
import type { GraphData, Value } from "./ir.js";

/** Constants of at most this many bytes are shared by content, larger ones by identity of their array. */
const sharedByContent = 4096;

/** The constants of one builder, by element type, shape and content. */
export class ConstantPool {
  readonly #byContent = new Map<string, Value>();
  readonly #byArray = new Map<GraphData, Map<string, Value>>();

  /** Returns the constant with this type and content, or undefined. */
  find(type: Pick<Value, "dtype" | "shape">, array: GraphData): Value | undefined {
    if (array.byteLength <= sharedByContent) return this.#byContent.get(contentKey(type, array));
    return this.#byArray.get(array)?.get(describeType(type));
  }

  /** Remembers a constant. */
  add(value: Value, array: GraphData): void {
    if (array.byteLength <= sharedByContent) {
      this.#byContent.set(contentKey(value, array), value);
      return;
    }
    const scope = this.#byArray.get(array) ?? new Map<string, Value>();
    scope.set(describeType(value), value);
    this.#byArray.set(array, scope);
  }
}

function contentKey(type: Pick<Value, "dtype" | "shape">, array: GraphData): string {
  return `${describeType(type)}${String.fromCharCode(...bytesOfData(array))}`;
}
