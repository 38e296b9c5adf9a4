/**
 * A restricted unpickler: it builds plain data, and calls nothing but the builders that it is given.
 *
 * A pickle is a program; Python runs whatever it names. Here a name that is not on the allow-list ends the reading before
 * anything happens, so a file from anywhere may be opened. Protocols 0 to 5.
 * Format: CPython's `Lib/pickletools.py`.
 */
import { PickleMachine } from "./pickle-machine.js";
import { pickleOps } from "./pickle-ops.js";
import { plainGlobals } from "./pickle-plain.js";
import { forbiddenPickle, PickleReader } from "./pickle-reader.js";
import type { PickleGlobals, PickleValue } from "./pickle-values.js";

/** Options of {@link unpickle}. */
export interface UnpickleOptions {
  /** Names the file in errors. */
  readonly where: string;
  /** Callables allowed besides `OrderedDict` and the builders of bytes. */
  readonly globals?: PickleGlobals;
  /** Classes, as `module.Name`, whose objects become inert records instead of an error; nothing of theirs is run. */
  readonly inert?: readonly string[];
  /** Resolves persistent ids; without it, one is an error. */
  readonly persistent?: (id: PickleValue) => PickleValue;
  /** Where the pickle starts in `bytes`; default 0. */
  readonly start?: number;
}

/** A value and where its pickle ended. */
export interface Unpickled {
  readonly value: PickleValue;
  /** Index of the byte after the pickle's STOP. */
  readonly end: number;
}

const stop = 0x2e;

/**
 * Reads one pickle.
 *
 * Work and memory are bounded by the length of `bytes`; nesting costs no call stack.
 *
 * @throws FormatError that names the callable when the pickle wants anything that is not allowed, or is damaged.
 */
export function unpickle(bytes: Uint8Array, options: UnpickleOptions): Unpickled {
  const { where, start = 0 } = options;
  const machine = new PickleMachine(new PickleReader(bytes, where, start), {
    where,
    globals: new Map([...plainGlobals(where), ...(options.globals ?? [])]),
    inert: new Set(options.inert ?? []),
    persistent: options.persistent ?? (() => refusePersistent(where)),
  });
  for (;;) {
    const opcode = machine.reader.uint8();
    if (opcode === stop) return { value: machine.pop(), end: machine.reader.position };
    const run = pickleOps.get(opcode);
    if (run === undefined) throw machine.damaged(`the unknown opcode 0x${opcode.toString(16).padStart(2, "0")}`);
    run(machine);
  }
}

function refusePersistent(where: string): never {
  throw forbiddenPickle(where, "a persistent id (an object kept outside the pickle)");
}
