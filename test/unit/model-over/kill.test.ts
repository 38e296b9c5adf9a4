/** Processes that are killed in the middle of a run over data, and the calls that continue it. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { data } from "../../../src/data/index.js";
import { overModel, reduce } from "../../../src/model/over/index.js";
import { oracle } from "../../helpers/fixtures.js";
import { hasModel, scratch, storyModel } from "./support.js";

const model = storyModel();
const path = scratch();
const source = (folder: string): string => new URL(`../../../src/${folder}/index.ts`, import.meta.url).href;

/** Forty batches of two rows of 16 tokens. */
const rows = Array.from({ length: 80 }, (_, r) =>
  Array.from({ length: 16 }, (_t, p) => (p === 0 ? 1 : 3 + ((r * 31 + p * 7) % 500))),
);
const batches = () => data.tokens(rows).pack(undefined, { contextLength: 16, batchTokens: 32 });

/** Runs a call of `overModel` in a process of its own and kills it when it has reported `count` batches. */
async function killedAfter(count: number, options: string): Promise<void> {
  const program = `
    import { loadModel } from ${JSON.stringify(source("model"))};
    import { overModel, reduce } from ${JSON.stringify(source("model/over"))};
    import { data } from ${JSON.stringify(source("data"))};
    const model = await loadModel(${JSON.stringify(oracle("stories260k", "hf"))});
    const batches = data.tokens(${JSON.stringify(rows)}).pack(undefined, { contextLength: 16, batchTokens: 32 });
    const onProgress = ({ batches }) => process.stdout.write("." );
    await overModel(model.view, batches, { capture: "resid_post", onProgress, ${options} });
    process.stdout.write("finished");`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
    cwd: join(import.meta.dirname, "../../.."),
  });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  let [reported, errors] = ["", ""];
  child.stderr.on("data", (text: Uint8Array) => {
    errors += String(text);
  });
  child.stdout.on("data", (text: Uint8Array) => {
    reported += String(text);
    if (reported.length >= count) child.kill("SIGKILL");
  });
  await ended;
  expect(errors).toBe("");
  expect(reported).not.toContain("finished");
}

function contents(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString("base64")]),
  );
}

describe.runIf(hasModel)("a process that was killed", () => {
  it("while writing shards is continued to the same bytes, and leaves nothing half written", async () => {
    const plan = { shardBytes: 90 * (5 * 64 * 4 + 12) };
    const [whole, killed] = [path("whole"), path("killed")];
    for (const count of [4, 9]) await killedAfter(count, `shards: ${JSON.stringify({ folder: killed, ...plan })}`);
    const shards = await overModel(model().view, batches(), {
      capture: "resid_post",
      shards: { folder: killed, ...plan },
    });
    await overModel(model().view, batches(), { capture: "resid_post", shards: { folder: whole, ...plan } });
    expect(shards.tokens).toBe(80 * 16);
    expect(contents(killed)).toEqual(contents(whole));
  });

  it("while reducing is continued from its checkpoint to the same bits", async () => {
    const checkpoint = { path: path("killed.safetensors"), everyBatches: 3 };
    const statistics = { mean: reduce.mean(), variance: reduce.variance(), top: reduce.topk(2) };
    const code = "{ mean: reduce.mean(), variance: reduce.variance(), top: reduce.topk(2) }";
    await killedAfter(8, `reduce: ${code}, checkpoint: ${JSON.stringify(checkpoint)}`);
    expect(existsSync(checkpoint.path)).toBe(true);
    let ran = 0;
    const options = { capture: "resid_post", reduce: statistics, checkpoint, onProgress: () => ran++ };
    const continued = await overModel(model().view, batches(), options);
    expect(ran).toBeLessThanOrEqual(40 - 6);
    const unbroken = await overModel(model().view, batches(), { capture: "resid_post", reduce: statistics });
    expect({ ...continued, memory: 0 }).toEqual({ ...unbroken, memory: 0 });
  });
});
