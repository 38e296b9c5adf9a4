/** What each edit does to its value, computed by hand on the same run. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import { type Edit, edit } from "../../../src/model/index.js";
import { randn, Tensor, zeros } from "../../../src/tensor/index.js";
import { expectClose } from "../../helpers/close.js";
import { expectSame, floats } from "../../property/model-support.js";
import { byHand, open, rows, valueOf } from "./support.js";

const opened = open();
const z = "blocks.1.attn.hook_z";
const all = (): boolean => true;
const vector = [1, -2, 3, -4, 5];

describe("an edit", () => {
  it.each<[string, Edit, (value: number, dHead: number) => number]>([
    ["zero", edit.zero(z), () => 0],
    ["scale", edit.scale(z, -2), (value) => -2 * value],
    ["add a number", edit.add(z, 1.5), (value) => value + 1.5],
    ["add a vector", edit.add(z, vector), (value, i) => value + (vector[i] ?? 0)],
    [
      "add an integer tensor",
      edit.add(z, Tensor.of(Int32Array.from(vector), [5], ["dHead"])),
      (value, i) => value + (vector[i] ?? 0),
    ],
    ["replace by a number", edit.replace(z, 0.25), () => 0.25],
    ["replace by a vector", edit.replace(z, vector), (_, i) => vector[i] ?? 0],
    ["mean", edit.mean(z, floats(vector, [5], ["dHead"])), (_, i) => vector[i] ?? 0],
    ["map", edit.map(z, (x) => x.mul(2).add(1)), (value) => Math.fround(value * 2) + 1],
    ["callback", edit.callback(z, (x) => x.mul(2).add(1)), (value) => Math.fround(value * 2) + 1],
  ])("can %s", async (_name, one, change) => {
    const model = await opened;
    const base = await valueOf(model, z, []);
    expectSame(
      await valueOf(model, z, [one]),
      byHand(base, all, (value, { dHead = 0 }) => Math.fround(change(value, dHead))),
      z,
    );
  });

  it("patches values of another run and freezes patterns and norm scales", async () => {
    const model = await opened;
    const other = await model.run([...rows].reverse(), {
      capture: ["z", "pattern", "blocks.*.ln?.hook_scale".replace("?", "1"), /ln2\.hook_scale/],
    });
    expectSame(await valueOf(model, z, [edit.patch(z, other.cache)]), other.cache.get("z", 1), "patched z");
    const frozen = [edit.freeze("pattern", other.cache), edit.freeze(/ln[12]\.hook_scale$/, other.cache)];
    const run = await model.with(...frozen).run(rows, { capture: ["pattern", /ln[12]\.hook_scale$/] });
    for (const [hook, value] of run.cache.entries()) expectSame(value, other.cache.get(hook), hook);
    expect(run.receipt.edits).toEqual([
      { name: "freeze", hooks: ["blocks.0.attn.hook_pattern", "blocks.1.attn.hook_pattern"] },
      {
        name: "freeze",
        hooks: [0, 1].flatMap((layer) => [`blocks.${layer}.ln1.hook_scale`, `blocks.${layer}.ln2.hook_scale`]),
      },
    ]);
  });

  it("makes attention and norms linear when patterns and scales are frozen", async () => {
    const model = await opened;
    const scales = /(ln1|ln_final)\.hook_scale$/;
    const { cache } = await model.run(rows, { capture: ["pattern", scales] });
    const frozen = model.with(edit.freeze("pattern", cache), edit.freeze(scales, cache), edit.zero("mlp_out"));
    const at = async (factor: number): Promise<Tensor> => {
      const delta = (randn([15], ["dModel"], createRandom(3)) as Tensor).mul(factor) as Tensor;
      return (await frozen.with(edit.add("blocks.0.hook_resid_pre", delta)).run(rows)).logits;
    };
    const [none, once, twice] = [await at(0), await at(1), await at(2)];
    expectClose(twice.sub(none), once.sub(none).mul(2), 1e-5, "twice the change");
  });

  it("acts in the order given", async () => {
    const model = await opened;
    const base = await valueOf(model, z, []);
    const addThenScale = await valueOf(model, z, [edit.add(z, 1), edit.scale(z, 3)]);
    const scaleThenAdd = await valueOf(model, z, [edit.scale(z, 3), edit.add(z, 1)]);
    expectSame(
      addThenScale,
      byHand(base, all, (value) => Math.fround(Math.fround(value + 1) * 3)),
      "add, scale",
    );
    expectSame(
      scaleThenAdd,
      byHand(base, all, (value) => Math.fround(Math.fround(value * 3) + 1)),
      "scale, add",
    );
    const mixed = [
      edit.add(z, 1),
      edit.callback(z, (x) => x.mul(3)),
      edit.map(z, (x) => x.sub(1)),
      edit.zero(z, { head: 0 }),
    ];
    const expected = byHand(base, all, (value, { head }) =>
      head === 0 ? 0 : Math.fround(Math.fround(Math.fround(value + 1) * 3) - 1),
    );
    expectSame(await valueOf(model, z, mixed), expected, "four kinds");
  });

  it("leaves the model alone", async () => {
    const model = await opened;
    const before = (await model.run(rows)).logits as Tensor;
    const edited = model.with(edit.zero("z"));
    await edited.run(rows);
    expect(edited.edits.map(({ name }) => name)).toEqual(["zero"]);
    expect(model.edits).toEqual([]);
    expectSame((await model.run(rows)).logits, before, "logits");
  });

  it("aligns values by axis name, whatever their order, and from the right where names are unknown", async () => {
    const model = await opened;
    const value = randn([5, 3], ["dHead", "head"], createRandom(1)) as Tensor;
    const written = await valueOf(model, z, [edit.replace(z, value)]);
    for (const [pos, head, dHead] of [
      [0, 0, 4],
      [4, 2, 0],
      [2, 1, 3],
    ] as const)
      expect((written.at({ batch: 1, pos, head, dHead }) as Tensor).item()).toBe(
        (value.at({ dHead, head }) as Tensor).item(),
      );
    const view = (randn([3, 5], undefined, createRandom(2)) as Tensor).at({ d0: { step: 1 } }) as Tensor;
    const unnamed = await valueOf(model, z, [edit.replace(z, view)]);
    expectSame(unnamed.at({ batch: 0, pos: 3 } as { batch: number }) as Tensor, view, "unnamed axes");
    const mapped = await valueOf(model, z, [edit.map(z, (x) => x.mul(0).add(value))]);
    expectSame(mapped, written, "in a map");
  });

  it("computes in float64 where the model does", async () => {
    const model = (await opened).withPrecision("float64");
    const base = await valueOf(model, z, []);
    const edited = await valueOf(model, z, [edit.add(z, 1e-12), edit.callback(z, (x) => x.mul(1 + 1e-13))]);
    expect(edited.dtype).toBe("float64");
    expectClose(edited, base.add(1e-12).mul(1 + 1e-13), 1e-15, z);
  });
});

describe("a traced map", () => {
  it("computes what the same function computes as a callback", async () => {
    const model = await opened;
    const weights = randn([5, 5], undefined, createRandom(9)) as Tensor;
    const functions: readonly [
      (x: Parameters<Parameters<typeof edit.map>[1]>[0]) => typeof x,
      (x: Tensor) => Tensor,
    ][] = [
      [(x) => x.abs().add(1).log().sqrt().neg(), (x) => x.abs().add(1).log().sqrt().neg()],
      [(x) => x.sigmoid().mul(x.tanh()).sub(x.relu()), (x) => x.sigmoid().mul(x.tanh()).sub(x.relu())],
      [
        (x) => x.softmax("dHead").div(x.norm("dHead")),
        (x) => x.softmax("dHead").div(x.norm("dHead", { keepAxis: true })),
      ],
      [
        (x) => x.sub(x.mean("head")).add(x.sum("pos")),
        (x) => x.sub(x.mean("head", { keepAxis: true })).add(x.sum("pos", { keepAxis: true })),
      ],
      [(x) => x.exp().minimum(1).maximum(x), (x) => x.exp().minimum(1).maximum(x)],
      [(x) => x.matmul(weights), (x) => x.matmul(weights.rename({ d0: "dHead", d1: "out" }) as Tensor, "dHead")],
    ];
    for (const [traced, plain] of functions) {
      const made = await valueOf(model, z, [edit.map(z, traced)]);
      expectClose(made, await valueOf(model, z, [edit.callback(z, plain)]), 1e-6, String(traced));
    }
  });
});

describe("callbacks", () => {
  it("may be async, see the value after earlier edits, and several may stand in one run", async () => {
    const model = await opened;
    const seen: string[] = [];
    const later = async (x: Tensor, hook: string): Promise<Tensor> => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen.push(hook);
      return x.add(1);
    };
    const hooked = model.with(
      edit.scale(z, 0),
      edit.callback(["z", "mlp_out"], (x, { hook }) => later(x, hook)),
      edit.callback(z, (x) => {
        seen.push(`max ${String((x.max() as Tensor).item())}`);
        return undefined;
      }),
    );
    const run = await hooked.run(rows, { capture: ["z", "mlp_out"] });
    expect(seen).toEqual(["blocks.0.attn.hook_z", "blocks.0.hook_mlp_out", z, "max 1", "blocks.1.hook_mlp_out"]);
    expectSame(run.cache.get("z", 1), zeros([2, 5, 3, 5]).add(1), z);
    expect(run.receipt.segments).toBeGreaterThan(5);
  });

  it("that return nothing change nothing, and what they throw reaches the caller", async () => {
    const model = await opened;
    const base = await model.run(rows);
    let calls = 0;
    const logits = await model.runWithHooks(rows, [["resid_post", () => ((calls += 1), undefined)]]);
    expectSame(logits, base.logits, "logits");
    expect(calls).toBe(2);
    const failing = model.with(
      edit.callback(z, () => {
        throw new RangeError("mine");
      }),
    );
    await expect(failing.run(rows)).rejects.toThrow(RangeError);
    expectSame((await model.run(rows)).logits, base.logits, "the engine goes on");
  });

  it("act on a selection only", async () => {
    const model = await opened;
    const base = await valueOf(model, z, []);
    const edited = await valueOf(model, z, [edit.callback(z, (x) => x.mul(0), { head: 2, pos: "last" })]);
    expectSame(
      edited,
      byHand(
        base,
        ({ head, pos }) => head === 2 && pos === 4,
        () => 0,
      ),
      z,
    );
  });
});
