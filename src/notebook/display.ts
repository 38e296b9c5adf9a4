/** The one place that knows how a host displays rich output: tslab, Deno's kernel, or none. */

/** One output in several forms; the host takes the richest that it can show. */
export interface DisplayBundle {
  readonly "text/html": string;
  readonly "text/plain": string;
}

/** An output that changes after it was first displayed. */
export interface DisplaySlot {
  /** Names the output; the same for all its states. */
  readonly id: string;
  /** False for the first state. */
  readonly isUpdate: boolean;
}

/** Puts a bundle into the running cell's output, or into a slot that was displayed before. */
export type Display = (bundle: DisplayBundle, slot?: DisplaySlot) => void | Promise<void>;

/** What tslab 1.0.22 puts on `globalThis` in its kernel. */
interface TslabGlobal {
  readonly require: (id: string) => unknown;
}

type WriteDisplayData = (content: object, isUpdate: boolean) => void;
type Broadcast = (type: string, content: object) => Promise<void>;
type DenoDisplay = (bundle: DisplayBundle, options: object) => Promise<void>;

/** Returns how the running host displays bundles, or `undefined` outside notebooks. */
export function hostDisplay(host: object = globalThis): Display | undefined {
  return tslabDisplay(host) ?? denoDisplay(host);
}

/**
 * tslab's public functions send one form a message; its kernel module sends bundles.
 *
 * tslab replaces `lastWriteDisplayData` for every cell, so the one at hand when the output began is the cell's own.
 */
function tslabDisplay(host: object): Display | undefined {
  const kernel: unknown = Reflect.get(host, "__tslab__");
  if (!isTslabGlobal(kernel)) return undefined;
  const write = property(kernelModule(kernel), "lastWriteDisplayData");
  return (bundle, slot) => {
    if (isFunction<WriteDisplayData>(write)) write(contentOf(bundle, slot), slot?.isUpdate === true);
    else process.stdout.write(`${bundle["text/plain"]}\n`);
  };
}

/** The kernel's module; `undefined` where the notebook's folder cannot find the tslab that runs it. */
function kernelModule(kernel: TslabGlobal): unknown {
  try {
    return kernel.require("tslab/dist/jupyter.js");
  } catch {
    return undefined;
  }
}

function denoDisplay(host: object): Display | undefined {
  const jupyter = property(Reflect.get(host, "Deno"), "jupyter");
  const [display, broadcast] = [property(jupyter, "display"), property(jupyter, "broadcast")];
  if (!isFunction<DenoDisplay>(display)) return undefined;
  return async (bundle, slot) => {
    if (slot === undefined || !isFunction<Broadcast>(broadcast)) await display(bundle, { raw: true });
    else await broadcast(slot.isUpdate ? "update_display_data" : "display_data", contentOf(bundle, slot));
  };
}

/** The content of a `display_data` message. */
function contentOf(bundle: DisplayBundle, slot: DisplaySlot | undefined): object {
  return { data: bundle, metadata: {}, transient: slot === undefined ? {} : { ["display_id"]: slot.id } };
}

function isTslabGlobal(value: unknown): value is TslabGlobal {
  return isFunction(property(value, "require"));
}

function isFunction<F extends (...args: never[]) => unknown>(value: unknown): value is F {
  return typeof value === "function";
}

function property(value: unknown, name: string): unknown {
  const holder = (typeof value === "object" && value !== null) || typeof value === "function";
  return holder ? Reflect.get(value, name) : undefined;
}
