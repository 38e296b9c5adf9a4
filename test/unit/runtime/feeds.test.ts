import { describe, expect, test } from "vitest";
import { bindSizes, checkFeeds, checkTensor } from "../../../src/runtime/feeds.js";
import type { RawTensor } from "../../../src/runtime/index.js";
import { f32, value } from "./graphs.js";

const inputs = [value("x", ["batch", "pos"]), value("ids", ["batch"], "int64")];
const ids: RawTensor = { dtype: "int64", shape: [2], data: new BigInt64Array(2) };
const x = f32([1, 2, 3, 4, 5, 6], [2, 3]);

describe("checkFeeds", () => {
  test("accepts exactly the inputs", () => {
    expect(() => checkFeeds("run", inputs, { x, ids })).not.toThrow();
  });

  test("names every missing feed", () => {
    expect(() => checkFeeds("run", inputs, {})).toThrow(
      'run: feeds: got none; expected also "x", "ids". Feed every input that no segment makes and no resident tensor gives.',
    );
  });

  test("refuses a surplus feed and names the nearest input", () => {
    expect(() => checkFeeds("run", inputs, { x, ids, idx: ids })).toThrow(
      'run: feeds: got "idx", which the program does not take; expected only "x", "ids". Leave it out or correct its name. Nearest: "ids"',
    );
  });

  test("refuses a dtype that the input does not have", () => {
    expect(() => checkFeeds("run", inputs, { x, ids: f32([1, 2]) })).toThrow(
      'run: feed "ids": got dtype float32; expected int64. Convert the values to int64 first.',
    );
  });

  test("refuses another rank", () => {
    expect(() => checkFeeds("run", inputs, { x: f32([1, 2]), ids })).toThrow(
      'run: feed "x": got shape [2]; expected 2 axes: [batch, pos]. Reshape the values to these axes.',
    );
  });

  test("does not take inherited properties for feeds", () => {
    expect(() => checkFeeds("run", [value("toString", ["n"])], {})).toThrow("expected also");
  });
});

describe("checkTensor", () => {
  test("refuses data whose array type is not that of its dtype", () => {
    const wrong: RawTensor = { dtype: "float64", shape: [1], data: new Float32Array(1) };
    expect(() => checkTensor("put", wrong)).toThrow(
      "put: got dtype float64 with a Float32Array; expected a Float64Array. Give the data as the typed array of its dtype.",
    );
  });

  test.each([[[1.5]], [[-1]], [[Number.NaN]]])("refuses the shape %j", (shape) => {
    expect(() => checkTensor("put", { ...x, shape })).toThrow("expected sizes that are integers of 0 or more");
  });

  test("refuses data of another length than its shape", () => {
    expect(() => checkTensor("put", f32([1, 2, 3], [2, 2]))).toThrow(
      "put: got 3 values for shape [2, 2]; expected 4 values. Pass as many values as the shape has places.",
    );
  });

  test("accepts scalars and empty tensors", () => {
    expect(() => checkTensor("put", f32([1], []))).not.toThrow();
    expect(() => checkTensor("put", f32([], [3, 0, 2]))).not.toThrow();
  });
});

describe("bindSizes", () => {
  const bind = (...pairs: readonly (readonly [readonly (number | string)[], readonly number[]])[]): unknown =>
    bindSizes(
      "run",
      pairs.map(([dims, shape], index) => ({ input: value(`v${index}`, dims), tensor: { dtype: "float32", shape } })),
    );

  test("gives each name its number", () => {
    expect(
      bind(
        [
          ["batch", "pos", 4],
          [2, 3, 4],
        ],
        [["batch"], [2]],
      ),
    ).toEqual({ batch: 2, pos: 3 });
  });

  test("refuses two numbers for one name and lists both inputs, even where one would broadcast", () => {
    expect(() =>
      bind(
        [
          ["batch", "pos"],
          [2, 3],
        ],
        [["batch"], [1]],
      ),
    ).toThrow(
      'run: feed "v1": got shape [1], so batch=1; expected batch=2 as in feed "v0" of shape [2, 3]. Give every input the same size for "batch"; sizes do not broadcast here.',
    );
  });

  test("refuses another number than the declared one", () => {
    expect(() =>
      bind([
        ["n", 4],
        [2, 1],
      ]),
    ).toThrow('run: feed "v0": got shape [2, 1]; expected [n, 4] with size 4 on axis 1. Make the sizes agree.');
  });

  test("computes composite sizes, whatever the order of the inputs", () => {
    expect(bind([["past+pos"], [7]], [["past"], [4]], [["pos"], [3]])).toEqual({ past: 4, pos: 3 });
    expect(() => bind([["past+pos"], [8]], [["past"], [4]], [["pos"], [3]])).toThrow(
      'run: feed "v0": got shape [8]; expected [past+pos] with size 7 on axis 0, as past=4 (axis 0 of "v1"), pos=3 (axis 0 of "v2"). Make the sizes agree.',
    );
  });

  test("holds composite sizes with unknown names equal to each other", () => {
    expect(() => bind([["a+b"], [8]], [["a+b"], [9]])).toThrow("a+b=8");
  });
});
