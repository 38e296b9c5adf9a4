import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  AbortedError,
  canonicalJson,
  createLogger,
  editDistance,
  formatBytes,
  formatCount,
  formatList,
  formatShape,
  hashJson,
  nearestHint,
  nearestNames,
  type ProgressSink,
  progressReporter,
  sha256,
  sha256File,
  throwIfAborted,
} from "../../../src/core/index.js";

describe("throwIfAborted", () => {
  it("does nothing without a signal or before the abort", () => {
    expect(() => throwIfAborted(undefined, "work")).not.toThrow();
    expect(() => throwIfAborted(new AbortController().signal, "work")).not.toThrow();
  });

  it("throws an AbortedError whose cause is the reason", () => {
    const reason = new Error("stop");
    const controller = new AbortController();
    controller.abort(reason);
    const caught = (() => {
      try {
        throwIfAborted(controller.signal, "model.over");
        return undefined;
      } catch (error) {
        return error;
      }
    })();
    expect(caught).toBeInstanceOf(AbortedError);
    expect(caught).toMatchObject({ code: "ABORTED", where: "model.over", cause: reason });
  });
});

describe("progressReporter", () => {
  function sinkOf(isTTY: boolean): { sink: ProgressSink; written: string[] } {
    const written: string[] = [];
    return { written, sink: { isTTY, columns: 60, write: (text: string) => written.push(text) } };
  }

  it("draws a bar on a terminal, at most four times a second, and ends it with a newline", () => {
    const { sink, written } = sinkOf(true);
    let time = 0;
    const report = progressReporter({ sink, now: () => time });
    for (let done = 0; done <= 100; done++) {
      report({ done, total: 100, label: "batches" });
      time += 20;
    }
    expect(written.length).toBeLessThanOrEqual(2 + (100 * 20) / 250);
    expect(written[0]).toBe("\r░░░░░░░░░░░░░░░░░░░░░░░░ batches 0/100 (0%)\u001B[K");
    expect(written.at(-1)).toBe("\r████████████████████████ batches 100/100 (100%), 50/s\u001B[K\n");
  });

  it("takes 80 columns where a pseudo-terminal says that it has none", () => {
    const { sink, written } = sinkOf(true);
    progressReporter({ sink: { ...sink, columns: 0 } })({ done: 1, total: 2, label: "batches", note: "loss 2.31" });
    expect(written).toEqual(["\r████████████░░░░░░░░░░░░ batches 1/2 (50%), loss 2.31\u001B[K"]);
  });

  it("writes lines to a pipe, seldom, with the first and the last of each label", () => {
    const { sink, written } = sinkOf(false);
    let time = 0;
    const report = progressReporter({ sink, now: () => time, label: "limpid" });
    for (let done = 1; done <= 5; done++) {
      report({ done, total: 5, label: "read" });
      time += 100;
    }
    report({ done: 1, label: "write" });
    expect(written).toEqual(["limpid: read 1/5 (20%)\n", "limpid: read 5/5 (100%), 10/s\n", "limpid: write 1\n"]);
  });

  it("cuts a line that is wider than the terminal", () => {
    const { sink, written } = sinkOf(true);
    progressReporter({ sink, now: () => 0 })({ done: 1, total: 3, label: "x".repeat(200) });
    expect(written[0]?.length).toBeLessThanOrEqual("\r".length + 60 + "\u001B[K".length);
  });
});

describe("hashes", () => {
  it("returns the published SHA-256 of abc for text, bytes and files", async () => {
    const published = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    expect(sha256("abc")).toBe(published);
    expect(sha256(Uint8Array.of(97, 98, 99))).toBe(published);
    const folder = await mkdtemp(join(tmpdir(), "limpid-core-"));
    const path = join(folder, "abc");
    await writeFile(path, "abc");
    const seen: number[] = [];
    expect(await sha256File(path, { onProgress: ({ done }) => seen.push(done), total: 3 })).toBe(published);
    expect(seen).toEqual([3]);
    await expect(sha256File(path, { signal: AbortSignal.abort() })).rejects.toThrow("an aborted signal");
    await rm(folder, { recursive: true });
  });

  it("hashes plain values whatever the order of their keys", () => {
    expect(hashJson({ a: 1, b: [2, { c: null, d: undefined }] })).toBe(hashJson({ b: [2, { c: null }], a: 1 }));
    expect(hashJson({ a: 1 })).toMatch(/^[0-9a-f]{16}$/);
    expect(hashJson({ a: -0 })).toBe(hashJson({ a: 0 }));
    expect(hashJson([1, 2])).not.toBe(hashJson([2, 1]));
    expect(hashJson([Number.NaN, Infinity, 5n])).not.toBe(hashJson([null, null, 5]));
    expect(hashJson(Float32Array.of(1, 2))).toBe(hashJson([1, 2]));
    expect(canonicalJson({ b: "x", a: [true] })).toBe('{"a":[true],"b":"x"}');
  });

  it("refuses what has no plain form", () => {
    expect(() => hashJson(() => 0)).toThrow("hashJson: value: got function");
    expect(() => hashJson({ a: new Map() })).toThrow("got Map");
  });
});

describe("createLogger", () => {
  it("warns once per cause and remembers what it wrote", () => {
    const written: string[] = [];
    const logger = createLogger((text) => written.push(text));
    logger.warnOnce("bos", "doubled BOS");
    logger.warnOnce("bos", "doubled BOS again");
    logger.warnOnce("pad", "no pad token");
    expect(written).toEqual(["limpid: doubled BOS", "limpid: no pad token"]);
    expect(logger.warnings()).toEqual(["doubled BOS", "no pad token"]);
    expect(createLogger(() => {}).warnings()).toEqual([]);
  });
});

describe("nearest names", () => {
  it("computes known edit distances", () => {
    expect(editDistance("kitten", "sitting")).toBe(3);
    expect(editDistance("", "abc")).toBe(3);
    expect(editDistance("abc", "abc")).toBe(0);
  });

  it("puts the nearest first, ignores case, and prefers names that contain the word", () => {
    const names = ["blocks.0.hook_resid_pre", "blocks.0.attn.hook_z", "blocks.0.attn.hook_q", "ln_final.hook_scale"];
    expect(nearestNames("blocks.0.attn.hook_Z", names, 1)).toEqual(["blocks.0.attn.hook_z"]);
    expect(nearestNames("resid_pre", names, 1)).toEqual(["blocks.0.hook_resid_pre"]);
    expect(nearestNames("x", [])).toEqual([]);
    expect(nearestHint("poss", ["batch", "pos"], 1)).toBe(' Nearest: "pos".');
    expect(nearestHint("poss", [])).toBe("");
  });
});

describe("formatting", () => {
  it("prints shapes with and without names, symbolic sizes and scalars", () => {
    expect(formatShape([2, 7], ["batch", "pos"])).toBe("[batch=2, pos=7]");
    expect(formatShape([2, "past+pos"])).toBe("[2, past+pos]");
    expect(formatShape([])).toBe("[]");
  });

  it("prints bytes and counts with three digits", () => {
    expect([0, 999, 1500, 999_900, 12_345_678_901].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "1.50 kB",
      "1.00 MB",
      "12.3 GB",
    ]);
    expect([12, 12_345, 3_500_000].map(formatCount)).toEqual(["12", "12.3 k", "3.50 M"]);
    expect(formatList(["a", "b", "c"], 2)).toBe('"a", "b" and 1 more');
    expect(formatList(["a"])).toBe('"a"');
  });
});
