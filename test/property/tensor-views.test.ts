import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, stack, Tensor } from "../../src/tensor/index.js";
import { flat, pairs, steps, views } from "../unit/tensor/naive.js";

describe("views", () => {
  it("read the elements that loops over the original read, whatever the chain of views", () => {
    fc.assert(
      fc.property(views, ({ tensor, naive }) => {
        expect(tensor.axes).toEqual(naive.axes);
        expect(tensor.shape).toEqual(naive.shape);
        expect([...tensor.data]).toEqual(flat(naive));
      }),
      { numRuns: 300 },
    );
  });

  it("behave as their compact copies do in every further view", () => {
    fc.assert(
      fc.property(views, fc.array(steps, { maxLength: 3 }), ({ tensor, naive }, chain) => {
        const onView = chain.reduce((pair, step) => step(pair), { tensor, naive }).tensor;
        const onCopy = chain.reduce((pair, step) => step(pair), { tensor: tensor.clone(), naive }).tensor;
        expect(onView.equals(onCopy)).toBe(true);
      }),
    );
  });

  it("come back after two transposes, two flips, and a rename there and back", () => {
    fc.assert(
      fc.property(views, ({ tensor }) => {
        const reversed = [...tensor.axes].reverse();
        expect(tensor.transpose(reversed).transpose(tensor.axes).equals(tensor)).toBe(true);
        for (const axis of tensor.axes) {
          expect(tensor.flip(axis).flip(axis).equals(tensor)).toBe(true);
          expect(
            tensor
              .rename({ [axis]: "other" })
              .rename({ other: axis })
              .equals(tensor),
          ).toBe(true);
        }
      }),
    );
  });

  it("are put together again by concat after split, and by stack after unbind", () => {
    fc.assert(
      fc.property(views, fc.nat({ max: 9 }), ({ tensor }, cut) => {
        tensor.axes.forEach((axis, position) => {
          const size = tensor.sizeOf(axis);
          const first = cut % (size + 1);
          expect(concat(tensor.split(axis, [first, size - first]), axis).equals(tensor)).toBe(true);
          if (size > 0) expect(stack(tensor.unbind(axis), axis, position).equals(tensor)).toBe(true);
        });
      }),
    );
  });

  it("keep their elements through flatten and unflatten, in row-major order of the axes named", () => {
    fc.assert(
      fc.property(views, fc.nat(), ({ tensor }, seed) => {
        if (tensor.rank < 2) return;
        const shift = seed % tensor.rank;
        const order = [...tensor.axes.slice(shift), ...tensor.axes.slice(0, shift)];
        const flattened = tensor.flatten(order, "all");
        expect([...flattened.data]).toEqual([...tensor.transpose(order).data]);
        const sizes = Object.fromEntries(order.map((axis) => [axis, tensor.sizeOf(axis)]));
        expect(flattened.unflatten("all", sizes).equals(tensor.transpose(order))).toBe(true);
      }),
    );
  });

  it("survive casts that lose nothing", () => {
    fc.assert(
      fc.property(views, ({ tensor }) => {
        for (const dtype of ["float32", "float16"] as const) {
          expect(tensor.cast(dtype).cast("float64").equals(tensor)).toBe(true);
        }
        const whole = tensor.round();
        for (const dtype of ["int32", "int64", "bfloat16"] as const) {
          expect(whole.cast(dtype).cast("float64").equals(whole)).toBe(true);
        }
      }),
    );
  });

  it("share memory with what they came from, and copies do not", () => {
    fc.assert(
      fc.property(pairs({ minSize: 1 }), ({ tensor }) => {
        const viewed = tensor.transpose([...tensor.axes].reverse());
        expect(viewed.strided.data).toBe(tensor.strided.data);
        expect(tensor.clone().strided.data).not.toBe(tensor.strided.data);
      }),
    );
  });
});

describe("gather", () => {
  it("matches shared axes by name and puts the index's new axes where the axis was", () => {
    const index = pairs({ axes: ["batch", "pos", "head", "extra"] });
    fc.assert(
      fc.property(views, index, fc.nat(), ({ tensor, naive }, chosen, seed) => {
        const axis = naive.axes[seed % Math.max(1, naive.axes.length)];
        if (axis === undefined || tensor.sizeOf(axis) === 0) return;
        const size = tensor.sizeOf(axis);
        const indexAxes = chosen.naive.axes;
        const shared = (name: string): boolean => name !== axis && naive.axes.includes(name);
        const shape = chosen.naive.shape.map((n, i) =>
          shared(indexAxes[i] ?? "") ? tensor.sizeOf(indexAxes[i] ?? "") : n,
        );
        const total = shape.reduce((product, n) => product * n, 1);
        const ids = Tensor.of(
          Int32Array.from({ length: total }, (_, k) => (k * 7 + seed) % size),
          shape,
          indexAxes,
        );
        const gathered = tensor.gather(axis, ids);
        const added = indexAxes.filter((name) => !shared(name));
        expect(gathered.axes).toEqual(naive.axes.flatMap((name) => (name === axis ? added : [name])));
        const expected = flat({
          axes: gathered.axes,
          shape: gathered.shape,
          get: (at) => {
            const place = indexAxes.reduce((sum, name, i) => sum * (shape[i] ?? 1) + (at[name] ?? 0), 0);
            return naive.get({ ...at, [axis]: ids.data[place] ?? -1 });
          },
        });
        expect([...gathered.data]).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });
});
