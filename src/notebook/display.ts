/** The one place that knows how a host displays rich output: tslab, Deno's kernel, or none. */

/** One output in several forms; the host takes the richest that it can show. */
export interface DisplayBundle {
  readonly "text/html": string;
  readonly "text/plain": string;
}

/** Puts a bundle into the running cell's output. */
export type Display = (bundle: DisplayBundle) => void | Promise<void>;

/** What tslab 1.0.22 puts on `globalThis` in its kernel. */
interface TslabGlobal {
  readonly require: (id: string) => unknown;
}

type WriteDisplayData = (content: object, isUpdate: boolean) => void;

/** Returns how the running host displays bundles, or `undefined` outside notebooks. */
export function hostDisplay(host: object = globalThis): Display | undefined {
  return tslabDisplay(host) ?? denoDisplay(host);
}

/**
 * tslab's public functions send one form a message; its kernel module sends bundles.
 *
 * The module is asked for at each call: tslab replaces `lastWriteDisplayData` for every cell.
 */
function tslabDisplay(host: object): Display | undefined {
  const kernel: unknown = Reflect.get(host, "__tslab__");
  if (!isTslabGlobal(kernel)) return undefined;
  return (bundle) => {
    const write = property(kernel.require("tslab/dist/jupyter.js"), "lastWriteDisplayData");
    if (isWriter(write)) write({ data: bundle, metadata: {}, transient: {} }, false);
    else process.stdout.write(`${bundle["text/plain"]}\n`);
  };
}

function denoDisplay(host: object): Display | undefined {
  const display = property(property(Reflect.get(host, "Deno"), "jupyter"), "display");
  if (!isDenoDisplay(display)) return undefined;
  return async (bundle) => {
    await display(bundle, { raw: true });
  };
}

function isTslabGlobal(value: unknown): value is TslabGlobal {
  return typeof property(value, "require") === "function";
}

function isDenoDisplay(value: unknown): value is (bundle: DisplayBundle, options: object) => unknown {
  return typeof value === "function";
}

function isWriter(value: unknown): value is WriteDisplayData {
  return typeof value === "function";
}

function property(value: unknown, name: string): unknown {
  const holder = (typeof value === "object" && value !== null) || typeof value === "function";
  return holder ? Reflect.get(value, name) : undefined;
}
