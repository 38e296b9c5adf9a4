/** Which elements an edit touches: by row, position, head, neuron, key position and predicate, under padding too. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import { edit, type Selection } from "../../../src/model/index.js";
import { randn, type Tensor } from "../../../src/tensor/index.js";
import { expectSame, floats } from "../../property/model-support.js";
import { byHand, open, rows, valueOf } from "./support.js";

type Index = Readonly<Record<string, number>>;

const opened = open();
const z = "blocks.1.attn.hook_z";
const pattern = "blocks.1.attn.hook_pattern";
const pre = "blocks.1.mlp.hook_pre";

describe("a selection", () => {
  it.each<[string, string, Selection, (index: Index) => boolean]>([
    ["a row", z, { row: 1 }, ({ batch }) => batch === 1],
    ["a row from the end", z, { row: -2 }, ({ batch }) => batch === 0],
    ["a position", z, { pos: 2 }, ({ pos }) => pos === 2],
    ["a position from the end", z, { pos: -2 }, ({ pos }) => pos === 3],
    ["the last position", z, { pos: "last" }, ({ pos }) => pos === 4],
    ["a list of positions", z, { pos: [0, -1, 2] }, ({ pos = 0 }) => [0, 2, 4].includes(pos)],
    ["a range", z, { pos: { from: 1, to: 3 } }, ({ pos = 0 }) => pos === 1 || pos === 2],
    ["an open range", z, { pos: { from: -2 } }, ({ pos = 0 }) => pos >= 3],
    ["a test of the position", z, { pos: (p) => p % 2 === 1 }, ({ pos = 0 }) => pos % 2 === 1],
    ["a head", z, { head: 2 }, ({ head }) => head === 2],
    ["heads and positions", z, { head: [0, 2], pos: 1 }, ({ head, pos }) => head !== 1 && pos === 1],
    ["coordinates of a head", z, { dHead: [0, 4] }, ({ dHead }) => dHead === 0 || dHead === 4],
    ["neurons", pre, { neuron: { from: 50 }, row: 0 }, ({ dMlp = 0, batch }) => dMlp >= 50 && batch === 0],
    ["coordinates of the stream", "blocks.0.hook_resid_post", { dModel: 3 }, ({ dModel }) => dModel === 3],
    [
      "queries and keys",
      pattern,
      { pos: 3, keyPos: [0, 1], head: 1 },
      ({ queryPos, keyPos = 0, head }) => queryPos === 3 && keyPos < 2 && head === 1,
    ],
    ["a predicate", z, { where: ({ pos = 0, head = 0 }) => pos === head }, ({ pos, head }) => pos === head],
    [
      "a predicate over rows and neurons",
      pre,
      { where: ({ row = 0, neuron = 0 }) => neuron % 7 === row },
      ({ batch = 0, dMlp = 0 }) => dMlp % 7 === batch,
    ],
    [
      "a predicate and a head",
      z,
      { head: 1, where: ({ row = 0, pos = 0 }) => row + pos > 4 },
      ({ batch = 0, pos = 0, head }) => head === 1 && batch + pos > 4,
    ],
  ])("by %s", async (_name, hook, select, touches) => {
    const model = await opened;
    const base = await valueOf(model, hook, [edit.add(hook, 0, select)]);
    expectSame(
      await valueOf(model, hook, [edit.add(hook, 1, select)]),
      byHand(base, touches, (value) => Math.fround(value + 1)),
      hook,
    );
  });

  it("spreads the values of a list over its indices, in the order of the list", async () => {
    const model = await opened;
    const value = randn([2, 5], ["pos", "dHead"], createRandom(4)) as Tensor;
    const written = await valueOf(model, z, [edit.replace(z, value, { pos: [3, 0], head: 1 })]);
    const base = await valueOf(model, z, []);
    const places = [3, 0];
    const expected = byHand(
      base,
      ({ pos = 0, head }) => head === 1 && places.includes(pos),
      (_, { pos = 0, dHead = 0 }) => (value.at({ pos: places.indexOf(pos), dHead }) as Tensor).item(),
    );
    expectSame(written, expected, "two positions");
    const heads = await valueOf(model, z, [
      edit.replace(z, floats([7, 8], [2, 1], ["head", "dHead"]), { head: [2, 0] }),
    ]);
    expectSame(
      heads,
      byHand(
        base,
        ({ head }) => head !== 1,
        (_, { head }) => (head === 2 ? 7 : 8),
      ),
      "two heads",
    );
    const perRow = await valueOf(model, z, [
      edit.replace(z, floats([1, 2, 3, 4], [2, 2, 1, 1], ["batch", "pos", "head", "dHead"]), { pos: [1, 4] }),
    ]);
    expectSame(
      perRow,
      byHand(
        base,
        ({ pos }) => pos === 1 || pos === 4,
        (_, { batch = 0, pos }) => 1 + 2 * batch + (pos === 4 ? 1 : 0),
      ),
      "a value per row",
    );
  });

  it("does not permute a whole value when its list names every position", async () => {
    const model = await opened;
    const { cache } = await model.run([...rows].reverse(), { capture: "z", logits: "none" });
    const patched = await valueOf(model, z, [edit.patch(z, cache, { pos: [4, 3, 2, 1, 0] })]);
    expectSame(patched, cache.get("z", 1), "a patch of all positions");
  });
});

describe.each(["left", "right"] as const)("with padding on the %s, a selection", (side) => {
  const prompts = [
    [3, 1, 4, 1, 5],
    [9, 2, 6],
  ];
  const slot = (row: number, position: number): number => (side === "left" && row === 1 ? position + 2 : position);
  const attentionMask = prompts.map(({ length }, row) =>
    Array.from({ length: 5 }, (_, s) => (s >= slot(row, 0) && s < slot(row, length) ? 1 : 0)),
  );
  const tokens = prompts.map((ids, row) => Array.from({ length: 5 }, (_, s) => ids[s - slot(row, 0)] ?? 0));
  const input = { tokens, attentionMask };

  it.each<[string, Selection, (row: number) => number[]]>([
    ["of the last position", { pos: "last" }, (row) => [row === 0 ? 4 : 2]],
    ["of position 1", { pos: 1 }, () => [1]],
    ["of positions from the end", { pos: [-1, -3] }, (row) => (row === 0 ? [4, 2] : [2, 0])],
    ["of a range", { pos: { from: 1 } }, (row) => (row === 0 ? [1, 2, 3, 4] : [1, 2])],
    ["of a test", { pos: (p) => p > 1 }, (row) => (row === 0 ? [2, 3, 4] : [2])],
  ])("%s counts real tokens", async (_name, select, positions) => {
    const model = await opened;
    const base = await valueOf(model, z, [], input);
    const touched = byHand(
      base,
      ({ batch = 0, pos = 0 }) =>
        positions(batch)
          .map((p) => slot(batch, p))
          .includes(pos),
      () => 1,
    );
    expectSame(await valueOf(model, z, [edit.replace(z, 1, select)], input), touched, z);
  });

  it("spreads a list's values over each row's own slots", async () => {
    const model = await opened;
    const base = await valueOf(model, z, [], input);
    const value = floats([10, 20], [2, 1, 1], ["pos", "head", "dHead"]);
    const written = await valueOf(model, z, [edit.replace(z, value, { pos: [0, 2] })], input);
    const expected = byHand(
      base,
      ({ batch = 0, pos }) => pos === slot(batch, 0) || pos === slot(batch, 2),
      (_, { batch = 0, pos }) => (pos === slot(batch, 0) ? 10 : 20),
    );
    expectSame(written, expected, z);
  });

  it("of a position that one row lacks is an error that names the place", async () => {
    const model = await opened;
    await expect(model.with(edit.zero(z, { pos: 4 })).run(input)).rejects.toThrow(
      `edit at ${z}: pos: got index 4; expected an index from -3 to 2. Check the selection against the shape of the hook point.`,
    );
  });
});
