/** Harvesting onto a disk that fills up: said so, nothing half written, and continued once there is room. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { data } from "../../../src/data/index.js";
import { overModel } from "../../../src/model/over/index.js";
import { tryMount } from "../../helpers/small-disk.js";
import { refusal } from "../data/support.js";
import { hasModel, scratch, storyModel } from "./support.js";

const model = storyModel();
const path = scratch();
const rows = Array.from({ length: 80 }, (_, r) =>
  Array.from({ length: 16 }, (_t, p) => (p === 0 ? 1 : 3 + ((r * 31 + p * 7) % 500))),
);
/** Shards of 90 tokens of 5 layers of 64 numbers: 116 kB each, 1.6 MB in all. */
const plan = { shardBytes: 90 * (5 * 64 * 4 + 12) };

const harvest = (folder: string) =>
  overModel(model().view, data.tokens(rows).pack(undefined, { contextLength: 16, batchTokens: 32 }), {
    capture: "resid_post",
    shards: { folder, ...plan },
  });

function contents(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString("base64")]),
  );
}

describe.runIf(hasModel)("a full disk while harvesting", () => {
  const disk = path("disk");
  mkdirSync(disk, { recursive: true });
  const isMounted = tryMount(disk, "600k");
  afterAll(() => {
    if (isMounted) execFileSync("umount", [disk]);
  });

  it.skipIf(!isMounted)("is an error that names the file; with room the same call ends in the same bytes", async () => {
    const [folder, whole] = [join(disk, "shards"), path("whole")];
    const error = await refusal(harvest(folder), "MEMORY");
    expect(error.message).toMatch(/activations-\d+\.safetensors: got .* free on the disk; expected room for /);
    const kept = readdirSync(folder);
    expect(kept.length).toBeGreaterThan(2);
    expect(kept.filter((name) => !/^(manifest\.json|.*\.safetensors)$/.test(name))).toEqual([]);
    execFileSync("mount", ["-o", "remount,size=16m", disk]);
    const shards = await harvest(folder);
    await harvest(whole);
    expect(shards.tokens).toBe(80 * 16);
    expect(contents(folder)).toEqual(contents(whole));
  });
});
