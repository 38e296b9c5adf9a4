import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { closedDuring } from "../../../src/runtime/failures.js";
import { JobQueue } from "../../../src/runtime/job-queue.js";

/** A task that ends when told. */
function gate(log: string[], name: string): { task: () => Promise<string>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const task = async (): Promise<string> => {
    log.push(name);
    await opened;
    return name;
  };
  return { task, open: () => open() };
}

describe("JobQueue", () => {
  test("runs one task at a time in the order in which they came, failures included", async () => {
    const log: string[] = [];
    const queue = new JobQueue();
    const [a, c] = [gate(log, "a"), gate(log, "c")];
    const first = queue.add("run", a.task);
    const second = queue.add("run", () => Promise.reject(new Error("b")));
    const third = queue.add("run", c.task);
    expect(log).toEqual(["a"]);
    expect(queue.pending).toBe(3);
    a.open();
    c.open();
    await expect(first).resolves.toBe("a");
    await expect(second).rejects.toThrow("b");
    await expect(third).resolves.toBe("c");
    expect(log).toEqual(["a", "c"]);
    expect(queue.pending).toBe(0);
  });

  test("removes a waiting task at once when its signal aborts", async () => {
    const log: string[] = [];
    const queue = new JobQueue();
    const [a, b] = [gate(log, "a"), gate(log, "b")];
    const controller = new AbortController();
    const first = queue.add("run", a.task);
    const second = queue.add("engine.run", b.task, controller.signal);
    controller.abort("enough");
    await expect(second).rejects.toMatchObject({ code: "ABORTED", where: "engine.run", cause: "enough" });
    expect(queue.pending).toBe(1);
    a.open();
    await first;
    expect(log).toEqual(["a"]);
  });

  test("listens once to a signal that many tasks share, and not at all when none waits", async () => {
    const queue = new JobQueue();
    const { signal } = new AbortController();
    const a = gate([], "a");
    const tasks = Array.from({ length: 30 }, () => queue.add("run", a.task, signal));
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    a.open();
    await Promise.all(tasks);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("leaves a running task to watch its own signal", async () => {
    const queue = new JobQueue();
    const a = gate([], "a");
    const controller = new AbortController();
    const first = queue.add("run", a.task, controller.signal);
    controller.abort();
    a.open();
    await expect(first).resolves.toBe("a");
  });

  test("rejects what waits when the engine closes", async () => {
    const queue = new JobQueue();
    const [a, b] = [gate([], "a"), gate([], "b")];
    const first = queue.add("run", a.task);
    const second = queue.add("run", b.task);
    queue.rejectWaiting(closedDuring("engine.run"));
    await expect(second).rejects.toThrow("engine.run: got close() before the run had ended");
    a.open();
    await expect(first).resolves.toBe("a");
  });
});
