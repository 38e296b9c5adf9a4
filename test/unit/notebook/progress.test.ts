import { afterEach, describe, expect, test, vi } from "vitest";
import { type OnProgress, progressOf } from "../../../src/core/index.js";
import { type DisplayBundle, progress } from "../../../src/notebook/index.js";

interface Sent {
  readonly text: string;
  readonly html: string;
  readonly id: unknown;
  readonly isUpdate: boolean;
}

/** Stands where tslab's kernel module would; returns what it was sent. */
function kernel(): readonly Sent[] {
  const sent: Sent[] = [];
  const lastWriteDisplayData = (
    { data, transient }: { data: DisplayBundle; transient: Readonly<Record<string, unknown>> },
    isUpdate: boolean,
  ): void => {
    sent.push({ text: data["text/plain"], html: data["text/html"], id: transient["display_id"], isUpdate });
  };
  vi.stubGlobal("__tslab__", { require: () => ({ lastWriteDisplayData }) });
  return sent;
}

const cellProgressKey = Symbol.for("limpid.cellProgress");

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
  Reflect.deleteProperty(globalThis, cellProgressKey);
});

describe("progress", () => {
  test("is one bar in a cell, updated at most four times a second, whose last state stays", async () => {
    vi.useFakeTimers();
    const sent = kernel();
    const report = progress("mean");
    for (let done = 0; done <= 100; done++) {
      report({ done, total: 100, label: "tokens <s>" });
      await vi.advanceTimersByTimeAsync(20);
    }
    expect(sent.length).toBeLessThanOrEqual(2 + 4 * 2);
    expect(sent[0]).toMatchObject({ text: "mean: tokens <s> 0/100 (0%); running for 0 s", isUpdate: false });
    expect(sent.slice(1).every(({ isUpdate, id }) => isUpdate && id === sent[0]?.id)).toBe(true);
    expect(sent.at(-2)?.html).toContain("<progress");
    expect(sent.at(-1)).toMatchObject({
      text: "mean: tokens <s> 100/100 (100%), 50/s",
      html: "<div>mean: tokens &lt;s> 100/100 (100%), 50/s</div>",
    });
  });

  test("writes to stderr outside notebooks", () => {
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    progress()({ done: 1, total: 2, label: "files" });
    expect(write.mock.calls.join()).toContain("files 1/2 (50%)");
  });
});

describe("progressOf", () => {
  test("is the caller's own reporter where there is one", () => {
    const own: OnProgress = () => undefined;
    expect(progressOf({ onProgress: own })).toBe(own);
  });

  test("is the kernel's bar otherwise, after two seconds", () => {
    vi.useFakeTimers();
    const seen: number[] = [];
    Reflect.set(
      globalThis,
      cellProgressKey,
      (): OnProgress =>
        ({ done }) =>
          seen.push(done),
    );
    const report = progressOf({});
    report?.({ done: 1, label: "a" });
    vi.advanceTimersByTime(2000);
    report?.({ done: 2, label: "a" });
    expect(seen).toEqual([2]);
  });

  test("is silent in a pipe", () => {
    vi.stubGlobal("process", { ...process, stderr: { isTTY: false } });
    expect(progressOf({})).toBeUndefined();
  });
});
