/** Cells that draw a result while it is made: how often, what stays, and what happens when it cannot be drawn. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { OnProgress, ProgressEvent } from "../../../src/core/index.js";
import { configure, type DisplayBundle, progress, type Showable, show } from "../../../src/notebook/index.js";
import { lines, type View } from "../../../src/viz/index.js";

interface Sent {
  readonly html: string;
  readonly text: string;
  readonly id: unknown;
  readonly isUpdate: boolean;
  readonly time: number;
}

/** Stands where tslab's kernel module would; returns what it was sent. */
function kernel(): readonly Sent[] {
  const sent: Sent[] = [];
  type Content = { data: DisplayBundle; transient: Readonly<Record<string, unknown>> };
  const lastWriteDisplayData = ({ data, transient }: Content, isUpdate: boolean): void => {
    const time = performance.now();
    sent.push({ html: data["text/html"], text: data["text/plain"], id: transient["display_id"], isUpdate, time });
  };
  vi.stubGlobal("__tslab__", { require: () => ({ lastWriteDisplayData }) });
  return sent;
}

/** Work of 60 ms a step that can be drawn from its first step on. */
class Work {
  readonly values: number[] = [];
  drawn = 0;
  readonly #total: number;

  constructor(total: number) {
    this.#total = total;
  }

  toView(): View {
    this.drawn++;
    return lines(this.values, { title: `after ${this.values.length} <steps>` });
  }

  async run(onProgress: OnProgress): Promise<Showable> {
    for (let done = 1; done <= this.#total; done++) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      this.values.push(1 / done);
      onProgress({ done, total: this.#total, label: "train", note: "loss 0.5", soFar: this });
    }
    return this;
  }
}

/** The titles of the pictures in an output that no script draws. */
function pictureOf(html: string): string {
  const [, data = ""] = /src="data:image\/svg\+xml;base64,([^"]+)"/.exec(html) ?? [];
  return /<title[^>]*>([^<]*)</.exec(Buffer.from(data, "base64").toString("utf8"))?.[1] ?? "";
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  configure({ theme: "auto" });
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("show, of work that can be drawn before it is finished", () => {
  test("draws it at most twice a second in one output, and the result takes its place", async () => {
    const sent = kernel();
    const work = new Work(100);
    const shown = show((onProgress) => work.run(onProgress));
    await vi.advanceTimersByTimeAsync(6100);
    await shown;
    const [first, ...rest] = sent;
    expect(first?.isUpdate).toBe(false);
    expect(rest.every(({ isUpdate, id }) => isUpdate && id === first?.id)).toBe(true);
    const live = sent.slice(0, -1);
    const gaps = live.slice(1).map(({ time }, i) => time - (live[i]?.time ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(500);
    expect(live.length).toBeGreaterThan(8);
    expect(work.drawn).toBeLessThanOrEqual(live.length + 1);
    expect(live.every(({ html }) => html.includes("<progress") && !html.includes("<script"))).toBe(true);
    expect(pictureOf(live.at(-1)?.html ?? "")).toMatch(/^after 9\d &lt;steps&gt;$/);
    expect(live[3]?.text).toMatch(/^train \d+\/100 \(\d+%\), loss 0\.5, 17\/s, \d s left; running for \d s$/);
    expect(sent.at(-1)?.html).toContain('class="limpid-view"');
    expect(sent.at(-1)?.html).not.toContain("<progress");
  });

  test("keeps the last picture when the work fails", async () => {
    const sent = kernel();
    const work = new Work(20);
    const failing = show(async (onProgress) => {
      await work.run(onProgress);
      throw new RangeError("no");
    });
    const rejected = expect(failing).rejects.toThrow("no");
    await vi.advanceTimersByTimeAsync(1300);
    await rejected;
    expect(sent.at(-1)?.text).toMatch(/^stopped after 1 s: train 20\/20 \(100%\), loss 0\.5/);
    expect(pictureOf(sent.at(-1)?.html ?? "")).toMatch(/^after \d+ /);
  });

  test("shows the bar alone while there is nothing to draw, or drawing fails", async () => {
    const sent = kernel();
    const views: ProgressEvent["soFar"][] = [
      {
        toView: () => {
          throw new RangeError("not yet");
        },
      },
      { toView: () => "text" },
    ];
    const shown = show(async (onProgress) => {
      for (let done = 1; done <= 20; done++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        const soFar = views[done % 2];
        onProgress({ done, label: "train", ...(soFar === undefined ? {} : { soFar }) });
      }
      return lines([1, 2]);
    });
    await vi.advanceTimersByTimeAsync(2100);
    await shown;
    expect(sent.slice(0, -1).every(({ html }) => html.includes("<progress></progress>"))).toBe(true);
    expect(sent.slice(0, -1).some(({ html }) => html.includes("<img"))).toBe(false);
  });

  test("draws in the theme of the session", async () => {
    const sent = kernel();
    configure({ theme: "dark" });
    const work = new Work(20);
    const shown = show((onProgress) => work.run(onProgress));
    await vi.advanceTimersByTimeAsync(1300);
    await shown;
    const svg = Buffer.from(/base64,([^"]+)"/.exec(sent[1]?.html ?? "")?.[1] ?? "", "base64").toString("utf8");
    const count = Number(/after (\d+)/.exec(svg)?.[1]);
    const title = `after ${count} <steps>`;
    expect(svg).toBe(lines(work.values.slice(0, count), { title }).toSvg({ theme: "dark" }));
  });
});

describe("progress, of work that can be drawn before it is finished", () => {
  test("is one output whose last state is the line and the whole view", async () => {
    const sent = kernel();
    const work = new Work(60);
    const running = work.run(progress("mine"));
    await vi.advanceTimersByTimeAsync(3700);
    await running;
    expect(new Set(sent.map(({ id }) => id)).size).toBe(1);
    expect(sent.map(({ isUpdate }) => isUpdate)).toEqual(sent.map((_, i) => i > 0));
    expect(sent.length).toBeLessThanOrEqual(10);
    const last = sent.at(-1);
    expect(last?.html).toMatch(/^<div>mine: train 60\/60 \(100%\), loss 0\.5, 17\/s<\/div><div class="limpid-view"/);
    expect(last?.text).toMatch(/^mine: train 60\/60 .*\nafter 60 <steps>\n/);
    expect(pictureOf(last?.html ?? "")).toBe("after 60 &lt;steps&gt;");
  });
});
