/** The stack machine that a pickle drives: stack, marks, memo, and calls through the allow-list only. */

import { damagedPickle, forbiddenPickle, type PickleReader } from "./pickle-reader.js";
import { isPickleObject, type PickleGlobals, type PickleInert, type PickleValue } from "./pickle-values.js";

/** An object that BUILD may still give its state. */
export interface Buildable {
  setState(state: PickleValue): void;
}

/** What a machine needs from outside. */
export interface MachineOptions {
  readonly where: string;
  readonly globals: PickleGlobals;
  readonly inert: ReadonlySet<string>;
  readonly persistent: (id: PickleValue) => PickleValue;
}

/** The state of one unpickling. */
export class PickleMachine {
  readonly reader: PickleReader;
  readonly #options: MachineOptions;
  readonly #memo = new Map<number, PickleValue>();
  readonly #marks: PickleValue[][] = [];
  #stack: PickleValue[] = [];

  constructor(reader: PickleReader, options: MachineOptions) {
    this.reader = reader;
    this.#options = options;
  }

  /** Puts a value on the stack. */
  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  /** Takes the value on top. */
  pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined) throw this.damaged("an operation on an empty stack");
    return value;
  }

  /** Looks at the value on top. */
  top(): PickleValue {
    const value = this.#stack.at(-1);
    if (value === undefined) throw this.damaged("an operation on an empty stack");
    return value;
  }

  /** The opcode MARK: what follows is collected apart. */
  mark(): void {
    this.#marks.push(this.#stack);
    this.#stack = [];
  }

  /** Takes everything above the last mark. */
  popMark(): PickleValue[] {
    const items = this.#stack;
    const below = this.#marks.pop();
    if (below === undefined) throw this.damaged("a mark that was never set");
    this.#stack = below;
    return items;
  }

  /** The opcode POP: drops a value, or a mark when nothing lies above it. */
  drop(): void {
    if (this.#stack.length > 0) this.#stack.pop();
    else this.popMark();
  }

  /** Takes the last `count` values as a tuple. */
  popTuple(count: number): PickleValue[] {
    if (this.#stack.length < count) throw this.damaged("an operation on an empty stack");
    return this.#stack.splice(this.#stack.length - count, count);
  }

  /** Stores the value on top in the memo; by default at the next free index. */
  memoize(index: number = this.#memo.size): void {
    this.#memo.set(index, this.top());
  }

  /** Puts a memo's value on the stack. */
  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.damaged(`memo ${index}, which was never stored`);
    this.push(value);
  }

  /** Looks a callable up; nothing outside the allow-list gets further than this. */
  pushGlobal(module: string, name: string): void {
    const full = `${module}.${name}`;
    const { globals, inert, where } = this.#options;
    const known = globals.get(full);
    if (known !== undefined) this.push({ kind: "global", name: full, build: known });
    else if (globals.has(full)) this.push({ kind: "global", name: full });
    else if (inert.has(full)) this.push({ kind: "global", name: full, build: (args) => new Inert(full, args) });
    else throw forbiddenPickle(where, full);
  }

  /** Calls an allowed callable. */
  call(callable: PickleValue, args: PickleValue): void {
    if (!isPickleObject(callable, "global")) throw this.damaged("a call of something that is not callable");
    if (!Array.isArray(args)) throw this.damaged(`a call of ${callable.name} without a tuple of arguments`);
    if (callable.build === undefined) throw forbiddenPickle(this.#options.where, callable.name);
    this.push(callable.build(args));
  }

  /** The opcode BUILD: gives the value on top its state. A dict's attributes are not data and are dropped. */
  build(state: PickleValue): void {
    const target = this.top();
    if (isBuildable(target)) target.setState(state);
    else if (!(target instanceof Map)) throw this.damaged("BUILD on a value that takes no state");
  }

  /** Adds items to the list on top. */
  append(items: readonly PickleValue[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.damaged("APPEND to something that is not a list");
    for (const item of items) list.push(item);
  }

  /** Adds alternating keys and values to the dict on top. */
  setItems(items: readonly PickleValue[]): void {
    const dict = this.top();
    if (!isGrowingDict(dict)) throw this.damaged("SETITEM on something that is not a dict");
    fillDict(dict, items, () => this.damaged("a dict key without a value"));
  }

  /** Resolves an object that is kept outside the pickle. */
  persistent(id: PickleValue): void {
    this.push(this.#options.persistent(id));
  }

  /** Returns a value that must be text. */
  text(value: PickleValue): string {
    if (typeof value === "string") return value;
    throw this.damaged("a module or name that is not text");
  }

  /** The error of a pickle that no Python would have written, with the place. */
  damaged(got: string): Error {
    return damagedPickle(`${this.#options.where}: byte ${this.reader.position}`, got);
  }

  /** The error of a pickle that wants something which is not allowed. */
  forbidden(name: string): Error {
    return forbiddenPickle(this.#options.where, name);
  }
}

/** Adds alternating keys and values to a dict. */
export function fillDict(dict: Map<PickleValue, PickleValue>, items: readonly PickleValue[], odd: () => Error): void {
  for (let i = 0; i < items.length; i += 2) {
    const [key, value] = [items[i], items[i + 1]];
    if (key === undefined || value === undefined) throw odd();
    dict.set(key, value);
  }
}

class Inert implements PickleInert, Buildable {
  readonly kind = "inert" as const;
  readonly name: string;
  readonly args: readonly PickleValue[];
  #state: PickleValue | undefined;

  constructor(name: string, args: readonly PickleValue[]) {
    this.name = name;
    this.args = args;
  }

  get state(): PickleValue | undefined {
    return this.#state;
  }

  setState(state: PickleValue): void {
    this.#state = state;
  }
}

function isBuildable(value: PickleValue): value is PickleValue & Buildable {
  return typeof value === "object" && value !== null && "setState" in value && typeof value.setState === "function";
}

/** Dicts are read-only to callers; here they are still being filled. */
function isGrowingDict(value: PickleValue): value is Map<PickleValue, PickleValue> {
  return value instanceof Map;
}
