/** Every architecture against a float64 reference: values at every hook point, padding, and the effect of an edit at each kind. */
import { afterAll, describe, expect, it } from "vitest";
import { loadSafetensors } from "../../src/io/index.js";
import { at, edit, loadModel, type Model, type Selection } from "../../src/model/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { expectClose } from "../helpers/close.js";
import { architectureNames, fixture } from "../helpers/fixtures.js";

const tolerances = { float32: 1e-5, float64: 1e-9 } as const;
const precisions = ["float32", "float64"] as const;

type Golden = Readonly<Record<string, Tensor>>;

function section(golden: Golden, prefix: string): ReadonlyMap<string, Tensor> {
  const entries = Object.entries(golden).filter(([name]) => name.startsWith(`${prefix}/`));
  return new Map(entries.map(([name, tensor]) => [name.slice(prefix.length + 1), tensor]));
}

function need(section: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = section.get(name);
  if (tensor === undefined) throw new Error(`the golden file has no ${name}`);
  return tensor;
}

/** The selection that an edit of the golden file means. */
function selection(model: Model, hook: string, index: Tensor): Selection {
  const [row = 0, second = 0, third = 0] = Array.from(index.data as Iterable<bigint>, Number);
  const axes = model.hookPoints().get(hook)?.axes ?? [];
  if (axes.includes("queryPos")) return { row, head: second, pos: third };
  return third < 0 ? { row, pos: second } : { row, pos: second, head: third };
}

describe.each(architectureNames)("%s", (name) => {
  const folder = fixture("architectures", name);
  const opened: Promise<readonly [Model, Golden]> = Promise.all([
    loadModel(folder),
    loadSafetensors(`${folder}/golden.safetensors`),
  ]);
  afterAll(async () => {
    await (await opened)[0].close();
  });

  it.each(precisions)("reproduces every hook point of the reference in %s", async (precision) => {
    const [model, golden] = await opened;
    const values = section(golden, "none");
    const run = await model.withPrecision(precision).run(need(values, "tokens"), { capture: "*" });
    const names = [...values.keys()].filter((hook) => hook !== "tokens" && hook !== "logits");
    for (const hook of names) expectClose(run.cache.get(hook), need(values, hook), tolerances[precision], hook);
    expectClose(run.logits, need(values, "logits"), tolerances[precision], "logits");
    const extra = new Set(["hook_tokens", "unembed.hook_in", "unembed.hook_out"]);
    expect(model.hookNames().filter((hook) => !extra.has(hook))).toEqual(expect.arrayContaining(names));
    expect(names).toEqual(expect.arrayContaining(model.hookNames().filter((hook) => !extra.has(hook))));
  });

  it.each(precisions.flatMap((precision) => [["left", precision] as const, ["right", precision] as const]))(
    "reproduces %s padding in %s",
    async (side, precision) => {
      const [model, golden] = await opened;
      const values = section(golden, side);
      const names = [...values.keys()].filter((hook) => !["tokens", "logits", "attention_mask"].includes(hook));
      const input = { tokens: need(values, "tokens"), attentionMask: need(values, "attention_mask") };
      const run = await model.withPrecision(precision).run(input, { capture: names });
      for (const hook of names) expectClose(run.cache.get(hook), need(values, hook), tolerances[precision], hook);
      expectClose(run.logits, need(values, "logits"), tolerances[precision], "logits");
    },
  );

  it("changes the logits as the reference says for an edit at each kind of hook point", async () => {
    const [model, golden] = await opened;
    const tokens = need(section(golden, "none"), "tokens");
    const edits = section(golden, "edit");
    const hooks = [...edits.keys()]
      .filter((key) => key.endsWith("/delta"))
      .map((key) => key.slice(0, -"/delta".length));
    const kinds = (names: readonly string[]): Set<string> =>
      new Set(names.map((hook) => hook.replace(/^blocks\.\d+\./, "")));
    const outside = ["hook_tokens", "unembed.hook_in", "unembed.hook_out"];
    expect([...kinds(model.hookNames())].filter((kind) => !outside.includes(kind)).sort()).toEqual(
      [...kinds(hooks)].sort(),
    );
    for (const hook of hooks) {
      const select = selection(model, hook, need(edits, `${hook}/index`));
      const delta = need(edits, `${hook}/delta`);
      for (const precision of precisions) {
        const edited = (factor: number): Model =>
          model
            .withPrecision(precision)
            .with(edit.add(hook, (Tensor.of(delta.data, delta.shape) as Tensor).mul(factor), select));
        const run = await edited(1).run(tokens);
        const row = Number(select.row ?? 0);
        expectClose(
          run.logits.at({ batch: row }),
          need(edits, `${hook}/logits`),
          tolerances[precision],
          `${hook} (${precision})`,
        );
        // The same graph with a zero edit: what is not touched must keep its bits.
        const same = await edited(0).run(tokens);
        checkLocality(model, run.logits, same.logits, { row, hook, pos: Number(select.pos) });
      }
    }
  });

  it("refuses edits where nothing can be edited", async () => {
    const [model, golden] = await opened;
    const tokens = need(section(golden, "none"), "tokens");
    await expect(model.with(edit.zero("hook_tokens")).run(tokens)).rejects.toThrow(/can only be read/);
    expect(at.z(0).point).toBe("attn.hook_z");
  });
});

/** Other rows, and in causal models earlier positions, keep their logits bit for bit. */
function checkLocality(
  model: Model,
  edited: Tensor,
  base: Tensor,
  where: { row: number; pos: number; hook: string },
): void {
  const [batch = 0, pos = 0] = edited.shape;
  for (let row = 0; row < batch; row++) {
    for (let p = 0; p < pos; p++) {
      const isTouched = row === where.row && (model.config.attentionDirection === "bidirectional" || p >= where.pos);
      if (isTouched) continue;
      const [a, b] = [edited, base].map((logits) => logits.at({ batch: row, pos: p }).toArray());
      expect(a, `${where.hook}: row ${row}, position ${p}`).toEqual(b);
    }
  }
  expect(edited.equals(base), `${where.hook} changes nothing`).toBe(false);
}
