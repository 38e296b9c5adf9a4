/** Lets the process end cleanly while engines are busy: one exit handler, however many engines. */
import { requestStop, waitUntilIdle } from "./control.js";

/** Longest time that the exit of the process waits for native calls to return, ms. */
const exitWaitMs = 10_000;

/** The process has one exit, so the guarded engines are one set even when two copies of the package are loaded. */
const registryKey = Symbol.for("limpid.runtime.exitGuard");

/** Makes the exit of the process wait until the engine with these cells is outside native calls. */
export function guardExit(control: Int32Array): void {
  registry().add(control);
}

/** Undoes {@link guardExit}. */
export function unguardExit(control: Int32Array): void {
  registry().delete(control);
}

function registry(): Set<Int32Array> {
  const known: unknown = Reflect.get(process, registryKey);
  if (isRegistry(known)) return known;
  const created = new Set<Int32Array>();
  Reflect.set(process, registryKey, created);
  process.on("exit", () => stopAll(created));
  return created;
}

function isRegistry(value: unknown): value is Set<Int32Array> {
  return value instanceof Set;
}

function stopAll(controls: ReadonlySet<Int32Array>): void {
  for (const control of controls) requestStop(control);
  const deadline = performance.now() + exitWaitMs;
  for (const control of controls) waitUntilIdle(control, Math.max(0, deadline - performance.now()));
}
