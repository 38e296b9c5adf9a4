import { inspect } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type DisplayBundle, hostDisplay, type Showable, show, toView } from "../../../src/notebook/index.js";
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
