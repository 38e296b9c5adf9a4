import { inspect } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  configure,
  type DisplayBundle,
  hostDisplay,
  type Showable,
  Shown,
  show,
  toView,
} from "../../../src/notebook/index.js";
import { tensor } from "../../../src/tensor/index.js";
import { heatmap } from "../../../src/viz/index.js";

const view = heatmap([[1, -2]], { title: "Tiny" });
const tensorOf = (values: unknown, shape: readonly number[]): Showable => ({
  dtype: "float32",
  axes: ["batch", "pos", "dModel"].slice(0, shape.length),
  shape,
  toArray: () => values,
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe("toView", () => {
  test("takes a view, or a result that offers one", () => {
    expect(toView(view)).toBe(view);
    expect(toView({ toView: () => view })).toBe(view);
  });
  test("draws one axis as bars, two as a heatmap, three as panels", () => {
    expect(toView(tensorOf([1, 2], [2])).spec).toMatchObject({
      view: "bars",
      axis: { name: "batch" },
      title: "float32 [batch=2]",
    });
    expect(toView(tensorOf([[1, 2]], [1, 2])).spec).toMatchObject({
      view: "heatmap",
      y: { name: "batch" },
      x: { name: "pos" },
    });
    expect(toView(tensorOf([[[1]], [[2]]], [2, 1, 1])).toText()).toContain("batch 1");
    expect(toView(tensorOf(3, [])).spec).toMatchObject({ view: "bars", values: [3] });
  });
  test("refuses a tensor with more slices than fit, and says how to pick one", () => {
    expect(() => toView(tensorOf([], [17, 1, 1]))).toThrow(
      "show: tensor: got float32 [batch=17, pos=1, dModel=1]; expected one or two axes, or three with at most 16 slices. Pick a slice, such as t.at({ batch: 0 }).",
    );
  });
  test.each([
    [undefined, "undefined"],
    [null, "null"],
    ["text", "a string"],
    [new Map(), "an object of class Map"],
  ])("refuses %s", (value, got) => {
    expect(() => toView(value as unknown as Showable)).toThrow(
      `show: value: got ${got}; expected a view, a tensor, a result with toView(), or a promise of one. Print other values with console.log.`,
    );
  });
});

describe("show", () => {
  test("prints text where there is no notebook", async () => {
    const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    await show(view);
    expect(write.mock.calls).toEqual([[`${view.toText()}\n`]]);
  });

  test("sends tslab one bundle with picture and text, through the cell's own channel", async () => {
    const sent: unknown[] = [];
    const kernel = { lastWriteDisplayData: (...content: unknown[]) => sent.push(content) };
    vi.stubGlobal("__tslab__", { require: (id: string) => (id === "tslab/dist/jupyter.js" ? kernel : {}) });
    await show(Promise.resolve(view));
    const data = { "text/html": view.toHtml(), "text/plain": view.toText() };
    expect(sent).toEqual([[{ data, metadata: {}, transient: {} }, false]]);
  });

  test("sends Deno's kernel a raw bundle", async () => {
    const sent: unknown[] = [];
    const display = (bundle: DisplayBundle, options: object): void => void sent.push([bundle["text/plain"], options]);
    vi.stubGlobal("Deno", { jupyter: { display } });
    await show(view);
    expect(sent).toEqual([[view.toText(), { raw: true }]]);
  });

  test("gives back a handle that prints itself in one line", async () => {
    vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const shown = await show({ toView: () => view });
    expect(inspect(shown)).toBe("Tiny: heatmap, y (1) × x (2); −2 to 1; largest at y 0, x 1: −2.");
    expect(shown.toView()).toBe(view);
  });

  test("the line of a sheet names its panels", async () => {
    vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const shown = await show(tensorOf([[[1]], [[2]]], [2, 1, 1]));
    expect(inspect(shown)).toBe("float32 [batch=2, pos=1, dModel=1]: 2 panels: batch 0, batch 1");
  });

  test("a rejected promise rejects, and shows nothing", async () => {
    const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    await expect(show(Promise.reject(new RangeError("no")))).rejects.toThrow("no");
    expect(write).not.toHaveBeenCalled();
  });
});

/** Stands where tslab's kernel module would; returns what it was sent. */
function fakeKernel(): {
  readonly html: string;
  readonly text: string;
  readonly id: unknown;
  readonly isUpdate: boolean;
}[] {
  const sent: { html: string; text: string; id: unknown; isUpdate: boolean }[] = [];
  const lastWriteDisplayData = (
    content: { data: DisplayBundle; transient: Readonly<Record<string, unknown>> },
    isUpdate: boolean,
  ): void => {
    const { data, transient } = content;
    sent.push({ html: data["text/html"], text: data["text/plain"], id: transient["display_id"], isUpdate });
  };
  vi.stubGlobal("__tslab__", { require: () => ({ lastWriteDisplayData }) });
  return sent;
}

describe("show, waiting", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test("a result that comes soon is sent once, without a waiting line", async () => {
    const sent = fakeKernel();
    await show(Promise.resolve(view));
    expect(sent).toEqual([{ html: view.toHtml(), text: view.toText(), id: undefined, isUpdate: false }]);
  });

  test("a promise that takes longer shows the seconds, and its result takes their place", async () => {
    vi.useFakeTimers();
    const sent = fakeKernel();
    const shown = show(new Promise<Showable>((resolve) => setTimeout(() => resolve(view), 3200)));
    await vi.advanceTimersByTimeAsync(3300);
    await shown;
    expect(sent.map(({ text }) => text)).toEqual([
      "running for 0 s",
      "running for 1 s",
      "running for 2 s",
      view.toText(),
    ]);
    expect(sent.map(({ isUpdate }) => isUpdate)).toEqual([false, true, true, true]);
    expect(new Set(sent.map(({ id }) => id)).size).toBe(1);
    expect(sent[0]?.html).toBe("<div><progress></progress> <span>running for 0 s</span></div>");
  });

  test("a function reports progress: a bar, at most four times a second, with the time left", async () => {
    vi.useFakeTimers();
    const sent = fakeKernel();
    const shown = show(async (onProgress) => {
      for (let done = 1; done <= 50; done++) {
        await new Promise((resolve) => setTimeout(resolve, 40));
        onProgress({ done, total: 50, label: "read <files>" });
      }
      return view;
    });
    await vi.advanceTimersByTimeAsync(2100);
    await shown;
    expect(sent.length).toBeLessThanOrEqual(2 + 4 * 2);
    expect(sent.length).toBeGreaterThan(4);
    expect(sent[0]?.text).toBe("read <files> 9/50 (18%), 25/s, 2 s left; running for 0 s");
    expect(sent[0]?.html).toContain('<progress max="1" value="0.18"></progress> <span>read &lt;files&gt; 9/50');
    expect(sent.at(-1)?.text).toBe(view.toText());
  });

  test("a failure after waiting says when it stopped, and the error goes on", async () => {
    vi.useFakeTimers();
    const sent = fakeKernel();
    const shown = show(async (onProgress) => {
      onProgress({ done: 3, label: "batches" });
      await new Promise((resolve) => setTimeout(resolve, 900));
      throw new RangeError("no");
    });
    const rejected = expect(shown).rejects.toThrow("no");
    await vi.advanceTimersByTimeAsync(1000);
    await rejected;
    expect(sent.map(({ text }) => text)).toEqual(["batches 3; running for 0 s", "stopped after 0 s: batches 3"]);
  });

  test("in Deno states are broadcast under one id", async () => {
    vi.useFakeTimers();
    const sent: unknown[] = [];
    const broadcast = (type: string, content: { transient: object }): void => void sent.push([type, content.transient]);
    vi.stubGlobal("Deno", { jupyter: { broadcast, display: () => undefined } });
    const shown = show(new Promise<Showable>((resolve) => setTimeout(() => resolve(view), 500)));
    await vi.advanceTimersByTimeAsync(600);
    await shown;
    const id = { ["display_id"]: expect.any(String) as string };
    expect(sent).toEqual([
      ["display_data", id],
      ["update_display_data", id],
    ]);
  });
});

describe("configure", () => {
  afterEach(() => {
    configure({ runtime: "each", theme: "auto" });
  });

  test("with runtime once only the next output carries the browser code", async () => {
    const sent = fakeKernel();
    configure({ runtime: "once" });
    await show(view);
    await show(view);
    configure({ runtime: "once" });
    await show(view);
    const bare = view.toHtml({ runtime: false, allViews: true });
    expect(sent.map(({ html }) => html === bare)).toEqual([false, true, false]);
  });
  test("a theme holds for all views", async () => {
    const sent = fakeKernel();
    configure({ theme: "dark" });
    await show(view);
    expect(sent[0]?.html).toContain('"theme":"dark"');
  });
  test("unknown settings and values are refused", () => {
    const wrong =
      (settings: object): (() => void) =>
      () =>
        configure(settings);
    expect(wrong({ runtime: "never" })).toThrow(
      'configure: got runtime: "never"; expected "each" or "once". Leave out what should stay as it is.',
    );
    expect(wrong({ color: "red" })).toThrow('configure: got color: "red"; expected one of runtime, plotly, theme.');
  });
});

describe("Jupyter.display", () => {
  const forms = (value: object): unknown =>
    (Reflect.get(value, Symbol.for("Jupyter.display")) as () => unknown).call(value);
  test("a view answers with picture and text, what was shown with its one line", () => {
    expect(forms(view)).toEqual({ "text/html": view.toHtml(), "text/plain": view.toText() });
    expect(forms(new Shown(view))).toEqual({ "text/plain": new Shown(view).toString() });
  });
});

describe("hostDisplay", () => {
  test("is undefined where neither kernel has left its mark", () => {
    expect(hostDisplay({})).toBeUndefined();
    expect(hostDisplay({ __tslab__: {}, Deno: { version: {} } })).toBeUndefined();
  });
});

describe("tensors of the package", () => {
  test("are drawn with their own axis names", () => {
    const t = tensor([[1, 2, 3]], ["layer", "head"]);
    expect(toView(t).spec).toMatchObject({
      view: "heatmap",
      y: { name: "layer" },
      x: { name: "head" },
      values: [[1, 2, 3]],
    });
    expect(toView(t.at({ layer: 0 })).spec).toMatchObject({ view: "bars", axis: { name: "head" } });
  });
});
