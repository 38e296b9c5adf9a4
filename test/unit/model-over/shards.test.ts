/** Activations in shards: what was written is what a run gives, and a stopped call ends in the same bytes. */
import { mkdirSync, readdirSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { at, type ModelInput } from "../../../src/model/index.js";
import { type OverProgress, openShards, overModel, type ShardOptions } from "../../../src/model/over/index.js";
import { concat, type Tensor } from "../../../src/tensor/index.js";
import { collect, refusal } from "../data/support.js";
import { hasModel, numbersOf, packedStories, rowsOf, scratch, storyModel, vectorsOf } from "./support.js";

const model = storyModel();
const path = scratch();
const hook = "blocks.2.hook_resid_post";
/** 30 tokens of a shard of one float32 hook point of 64 and of three int32. */
const shardBytes = 30 * (64 * 4 + 12);

/** Names and bytes of a folder's files. */
function contents(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString("base64")]),
  );
}

const write = (
  shards: ShardOptions | string,
  inputs: AsyncIterable<ModelInput> | Iterable<ModelInput>,
  more: object = {},
) => overModel(model().view, inputs, { capture: hook, shards, ...more });

describe.runIf(hasModel)("shards", () => {
  it("hold every real token's activation, id, row and position, in bounded files", async () => {
    const shards = await write({ folder: path("plain"), shardBytes }, packedStories(model()));
    const rows = await rowsOf(packedStories(model()));
    const all = await collect(shards);
    expect(all.map(({ count }) => count).slice(0, -1)).toEqual(new Array(all.length - 1).fill(30));
    expect(shards.tokens).toBe(rows.flat().length);
    const joined = async (read: (shard: (typeof all)[number]) => Promise<Tensor>): Promise<number[]> =>
      numbersOf(concat(await Promise.all(all.map(read)), "token"));
    expect(await joined((shard) => shard.tokens())).toEqual(rows.flat());
    expect(await joined((shard) => shard.rows())).toEqual(rows.flatMap((row, r) => row.map(() => r)));
    expect(await joined((shard) => shard.positions())).toEqual(rows.flatMap((row) => row.map((_, p) => p)));
    const expected = (await vectorsOf(model(), rows, hook)).flat();
    const actual = await joined((shard) => shard.get("resid_post", 2));
    expect(Math.max(...actual.map((x, i) => Math.abs(x - (expected[i] ?? Number.NaN))))).toBeLessThan(2e-5);
    expect((await all[0]?.get(at.residPost(2)))?.axes).toEqual(["token", "dModel"]);
    for (const { bytes } of shards.manifest.shards) expect(bytes).toBeLessThan(shardBytes + 2000);
  });

  it("hold the bits of the run", async () => {
    const input = [[1, 403, 407, 261]];
    const shards = await write(path("bits"), [input]);
    const { cache } = await model().run(input, { capture: hook, logits: "none" });
    expect(numbersOf(await (await shards.shard(0)).get(hook))).toEqual(numbersOf(cache.get(hook)));
  });

  it("may be rounded to 16 bits, and are read as float32", async () => {
    const exact = await write(path("exact"), packedStories(model()));
    for (const dtype of ["float16", "bfloat16"] as const) {
      const rounded = await write({ folder: path(dtype), dtype }, packedStories(model()));
      const [a, b] = [await (await rounded.shard(0)).get(hook), await (await exact.shard(0)).get(hook)];
      expect(a.dtype).toBe("float32");
      expect(a.maxAbsDiff(b)).toBeLessThan((dtype === "float16" ? 2 ** -10 : 2 ** -7) * 8);
      expect(a.maxAbsDiff(b)).toBeGreaterThan(0);
    }
  });

  it("stream one hook point in pieces", async () => {
    const folder = path("stream");
    await write({ folder, shardBytes }, packedStories(model()), { capture: [hook, at.z(0)] });
    const shards = await openShards(folder);
    const pieces = await collect(shards.stream(hook, 7));
    expect(pieces.every((piece) => piece.sizeOf("token") <= 7)).toBe(true);
    const whole = concat(await Promise.all((await collect(shards)).map((shard) => shard.get(hook))), "token");
    expect(concat(pieces, "token").equals(whole)).toBe(true);
    expect(shards.hooks.map(({ name, shape }) => [name, shape])).toEqual([
      ["blocks.0.attn.hook_z", [8, 8]],
      [hook, [64]],
    ]);
    expect(inspect(shards)).toContain(`${shards.tokens} tokens in ${shards.size} shards of float32`);
  });

  it("are written again to the same bytes", async () => {
    await write({ folder: path("once"), shardBytes }, packedStories(model()));
    await write({ folder: path("twice"), shardBytes }, packedStories(model()));
    expect(contents(path("twice"))).toEqual(contents(path("once")));
  });
});

describe.runIf(hasModel)("a call that writes shards and was stopped", () => {
  async function* failingAfter(count: number): AsyncGenerator<ModelInput> {
    let batches = 0;
    for await (const batch of packedStories(model())) {
      if (batches++ === count) throw new Error("stopped");
      yield batch;
    }
  }

  it.each([0, 1, 2])("after %i batches ends in the same bytes when it is called again", async (count) => {
    const [whole, broken] = [path(`whole-${count}`), path(`broken-${count}`)];
    await write({ folder: whole, shardBytes }, packedStories(model()));
    await expect(write({ folder: broken, shardBytes }, failingAfter(count))).rejects.toThrow("stopped");
    const shards = await write({ folder: broken, shardBytes }, packedStories(model()));
    expect(shards.manifest.isComplete).toBe(true);
    expect(contents(broken)).toEqual(contents(whole));
  });

  it("ends in the same bytes also when it was stopped between a shard and its manifest", async () => {
    const [whole, broken] = [path("whole-manifest"), path("broken-manifest")];
    await write({ folder: whole, shardBytes }, packedStories(model()));
    await write({ folder: broken, shardBytes }, packedStories(model()));
    const manifest = JSON.parse(readFileSync(join(broken, "manifest.json"), "utf8")) as { shards: unknown[] };
    writeFileSync(
      join(broken, "manifest.json"),
      JSON.stringify({ ...manifest, shards: manifest.shards.slice(0, 1), isComplete: false }),
    );
    writeFileSync(join(broken, "activations-00001.safetensors"), "half written by something else");
    const runs: number[] = [];
    await write({ folder: broken, shardBytes }, packedStories(model()), {
      onProgress: ({ batches }: OverProgress) => runs.push(batches),
    });
    expect(contents(broken)).toEqual(contents(whole));
    expect(runs).toEqual([1, 2, 3]);
  });

  it("runs nothing again when it was finished", async () => {
    const folder = path("finished");
    await write({ folder, shardBytes }, packedStories(model()));
    const shards = await write({ folder, shardBytes }, packedStories(model()), {
      onProgress: () => expect.unreachable(),
    });
    expect(shards.tokens).toBeGreaterThan(0);
  });

  it("leaves a folder that can be read on request only", async () => {
    const folder = path("partial");
    await expect(write({ folder, shardBytes }, failingAfter(2))).rejects.toThrow("stopped");
    expect((await refusal(openShards(folder), "INPUT")).message).toContain(
      "shards); expected a complete one. Call model.over again with the same data and options to finish it, or pass { allowPartial: true }.",
    );
    expect(inspect(await openShards(folder, { allowPartial: true }))).toContain("(not finished)");
  });
});

describe.runIf(hasModel)("shards refuse", () => {
  it("other data and other settings in a folder that was begun", async () => {
    const folder = path("begun");
    const rows = [
      [1, 403, 407],
      [1, 261, 378, 300],
    ];
    await write(folder, rows);
    const where = `model.over: shards ${folder}`;
    const fix =
      "expected the data of the call that began the folder. Give the same data in the same order, or choose another folder.";
    expect(
      (
        await refusal(
          write(folder, [
            [1, 403, 408],
            [1, 261, 378, 300],
          ]),
          "INPUT",
        )
      ).message,
    ).toBe(`${where}: got other tokens in activations-00000.safetensors; ${fix}`);
    expect((await refusal(write(folder, [[1, 403, 407]]), "INPUT")).message).toBe(
      `${where}: got other tokens in activations-00000.safetensors; ${fix}`,
    );
    expect((await refusal(write(folder, rows, { excludeFirst: true }), "INPUT")).message).toBe(
      `${where}: got the activations of a run with other settings (excludeFirst was absent and is true); expected the settings of the run that wrote it. Choose another folder, or delete this one.`,
    );
    expect((await refusal(write({ folder, dtype: "float16" }, rows), "INPUT")).message).toContain(
      'dtype was "float32" and is "float16"',
    );
    const small = path("small");
    await write({ folder: small, shardBytes: 3 * (64 * 4 + 12) }, [rows[0] ?? []]);
    const more = write({ folder: small, shardBytes: 3 * (64 * 4 + 12) }, rows);
    expect((await refusal(more, "INPUT")).message).toContain("got more tokens than in an earlier call");
    const longer = path("longer");
    await write({ folder: longer, shardBytes: 3 * (64 * 4 + 12) }, [[1, 403, 407, 261, 378, 300]]);
    const fewer = write({ folder: longer, shardBytes: 3 * (64 * 4 + 12) }, [[1, 403, 407]]);
    expect((await refusal(fewer, "INPUT")).message).toContain("got 3 tokens, after 6 in an earlier call");
  });

  it("folders with other files, and manifests of something else", async () => {
    const folder = path("others");
    mkdirSync(folder);
    writeFileSync(join(folder, "notes.txt"), "mine");
    expect((await refusal(write(folder, [[1, 403]]), "INPUT")).message).toBe(
      `model.over: shards ${folder}: got a folder with other files ("notes.txt"); expected a new or empty folder, or one that an earlier call of the same run left. Choose another folder.`,
    );
    writeFileSync(join(folder, "manifest.json"), '{"format":"else"}');
    expect((await refusal(openShards(folder), "FORMAT")).message).toContain(
      "got other contents; expected the manifest of activations that model.over wrote, version 1.",
    );
    expect((await refusal(openShards(path("nothing")), "INPUT")).message).toContain(
      "got a folder without manifest.json",
    );
  });

  it("shards that are missing or cut, names that were not written, and numbers beyond the last", async () => {
    const folder = path("damaged");
    const shards = await write(folder, [[1, 403, 407]]);
    expect((await refusal(shards.shard(1), "INPUT")).message).toContain("got shard 1; expected 0 to 0.");
    const shard = await shards.shard(0);
    expect((await refusal(() => shard.get("resid_post", 1), "HOOK_NOT_FOUND")).message).toBe(
      `shards ${folder}: got "blocks.1.hook_resid_post", which was not written; expected a hook point that was; nearest: ${hook}. List them with shards.hooks.`,
    );
    truncateSync(shard.path, 100);
    expect((await refusal(collect(shards), "FORMAT")).message).toContain(
      `${shard.path}: got 100 bytes; expected the shard of`,
    );
    unlinkSync(shard.path);
    expect((await refusal(collect(shards.stream(hook, 2)), "FORMAT")).message).toContain(`${shard.path}: got no file;`);
  });

  it("sizes below one token, and memory above the limit", async () => {
    expect((await refusal(write({ folder: path("tiny"), shardBytes: 100 }, [[1]]), "INPUT")).message).toBe(
      "model.over: shards.shardBytes: got 100; expected at least 268, the bytes of one token. Leave it out for shards of 256 MiB.",
    );
    expect((await refusal(write(path("limit"), [[1]], { memoryLimit: 1e6 }), "MEMORY")).message).toContain(
      "smaller shardBytes",
    );
  });

  it("patterns of rows of unequal length", async () => {
    const patterns = overModel(
      model().view,
      [
        [1, 403],
        [1, 403, 407],
      ],
      { capture: "blocks.0.attn.hook_pattern", shards: path("patterns") },
    );
    await refusal(patterns, "SHAPE");
  });
});
