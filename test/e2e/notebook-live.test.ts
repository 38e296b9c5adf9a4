/** Training in a cell of a real kernel: one output whose curve grows, and what stays of it. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "./notebook.js";
import { type Executed, KernelClient } from "./notebook-client.js";

let folder = "";
let kernel: KernelClient;

/** A trainer whose batches take 20 ms each, so that a run lasts seconds without work. */
const setting = `
import { adamW, show, tensor, Trainer } from "limpid";
const make = () => Trainer.create({
  parameters: { W: tensor([[0.1], [-0.2]], ["in", "out"]) },
  inputs: { x: { dtype: "float32", shape: ["rows", 2] } },
  loss: ({ ops, parameter, batch }) => {
    const out = ops.sub(ops.matmul(batch("x"), parameter("W")), ops.scalar(1, "float32"));
    return { loss: ops.reduceMean(ops.mul(out, out), undefined, false) };
  },
  optimizer: adamW({ learningRate: 0.05 }),
  threads: 1,
});
const batches = async () => {
  await new Promise((resolve) => setTimeout(resolve, 20));
  return { x: tensor([[1, 0], [0, 1]]) };
};`;

beforeAll(async () => {
  mkdirSync(join(root, "out"), { recursive: true });
  folder = mkdtempSync(join(root, "out", "live-"));
  kernel = await KernelClient.start(folder);
  const { reply, messages } = await kernel.execute(setting);
  expect(reply["status"], JSON.stringify(messages)).toBe("ok");
}, 120_000);
afterAll(async () => {
  await kernel.close();
  rmSync(folder, { recursive: true });
});

interface Output {
  readonly type: string;
  readonly html: string;
  readonly text: string;
  readonly id: string;
}

/** The rich outputs of a cell, in the order they were sent. */
function outputsOf({ messages }: Executed): readonly Output[] {
  return messages.flatMap(({ type, content }) => {
    if (!type.endsWith("display_data")) return [];
    const data = content["data"] as Readonly<Record<string, string>>;
    const { display_id: id = "" } = (content["transient"] ?? {}) as Readonly<Record<string, string>>;
    return [{ type, html: data["text/html"] ?? "", text: data["text/plain"] ?? "", id }];
  });
}

const picture = /<img [^>]*src="data:image\/svg\+xml;base64,/;

describe("training in a cell", () => {
  test("inside show is one output whose curve is drawn again, and the finished curve stays", async () => {
    const cell = "await show((onProgress) => make().train({ steps: 150, batches: batches, onProgress: onProgress }));";
    const done = await kernel.execute(cell);
    const outputs = outputsOf(done);
    expect(done.reply["status"], JSON.stringify(done.messages)).toBe("ok");
    expect(outputs.map(({ type }) => type)).toEqual(
      outputs.map((_, i) => (i === 0 ? "display_data" : "update_display_data")),
    );
    expect(new Set(outputs.map(({ id }) => id)).size).toBe(1);
    const live = outputs.slice(0, -1);
    expect(live.length).toBeGreaterThanOrEqual(3);
    expect(new Set(live.map(({ html }) => picture.exec(html)?.input)).size).toBeGreaterThanOrEqual(3);
    expect(live.at(-1)?.text).toMatch(/^train \d+\/150 \(\d+%\), loss [\d.]+, \d+\/s, \d+ s left; running for \d+ s$/);
    expect(outputs.at(-1)?.html).toMatch(/^<div class="limpid-view"/);
    expect(outputs.at(-1)?.text).toMatch(/^Training\nstep 150: loss /);
  }, 120_000);

  test("that nobody asked to show anything draws its curve after two seconds", async () => {
    const outputs = outputsOf(
      await kernel.execute("const result = await make().train({ steps: 200, batches: batches });"),
    );
    expect(outputs.length).toBeGreaterThanOrEqual(2);
    expect(new Set(outputs.map(({ id }) => id)).size).toBe(1);
    expect(outputs.at(-1)?.html).toMatch(/^<div>train 200\/200 \(100%\), loss .*<div class="limpid-view"/);
    const [shown] = outputsOf(await kernel.execute("result"));
    expect(shown?.text).toMatch(/^Training\nstep 200: loss /);
  }, 120_000);

  test("stops when the cell is interrupted, and keeps what it had drawn", async () => {
    kernel.log.length = 0;
    const running = kernel.execute(
      "await show((onProgress) => make().train({ steps: 100000, batches: batches, onProgress: onProgress }));",
    );
    await kernel.published(({ content }) => picture.test(JSON.stringify(content["data"] ?? "").replaceAll('\\"', '"')));
    await new Promise((resolve) => setTimeout(resolve, 100));
    kernel.interrupt();
    const done = await running;
    expect(done.reply["status"]).toBe("error");
    const { text = "", html = "" } = outputsOf(done).at(-1) ?? {};
    expect(text).toMatch(/^(?:stopped after|train \d+\/100000)/);
    expect(html).toMatch(picture);
  }, 120_000);
});
