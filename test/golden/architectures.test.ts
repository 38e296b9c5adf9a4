/** Every architecture against a float64 reference: values at every hook point, padding, and the effect of an edit at each of them. */
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

/** Per-head inputs and the input norm's own points exclude each other in one graph. */
const splitPoint = /hook_(attn_in|[qkv]_input)$/;

/** An edit of the golden file, and the logits of its row that follow. */
interface EditCase {
  readonly hook: string;
  readonly row: number;
  readonly select: Selection;
  readonly delta: Tensor;
  readonly logits: Tensor;
}

function editCases(model: Model, edits: ReadonlyMap<string, Tensor>): readonly EditCase[] {
  const hooks = [...edits.keys()].flatMap((key) => (key.endsWith("/delta") ? [key.slice(0, -"/delta".length)] : []));
  return hooks.map((hook) => {
    const index = need(edits, `${hook}/index`);
    const select = selection(model, hook, index);
    return {
      hook,
      row: Number(select.row ?? 0),
      select,
      delta: need(edits, `${hook}/delta`),
      logits: need(edits, `${hook}/logits`),
    };
  });
}

/** The ids of one row of tokens `[batch, pos]`. */
function rowOf({ data, shape }: Tensor, row: number): readonly number[] {
  const length = shape[1] ?? 0;
  return Array.from(data as Iterable<number | bigint>, Number).slice(row * length, (row + 1) * length);
}

/** Logits `[case, pos, dVocabOut]` of a batch in which case `i` is edited in row `i`. */
async function editedLogits(
  model: Model,
  cases: readonly EditCase[],
  batch: readonly (readonly number[])[],
  factor: number,
): Promise<Tensor> {
  const edits = cases.map(({ hook, select, delta }, i) =>
    edit.add(hook, (Tensor.of(delta.data, delta.shape) as Tensor).mul(factor), { ...select, row: i }),
  );
  return (await model.with(...edits).run(batch)).logits as Tensor;
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

  it.each(precisions)(
    "changes the logits as the reference says for an edit at every hook point in %s",
    async (precision) => {
      const [model, golden] = await opened;
      const tokens = need(section(golden, "none"), "tokens");
      const cases = editCases(model, section(golden, "edit"));
      const outside = new Set(["hook_tokens", "unembed.hook_in", "unembed.hook_out"]);
      expect(cases.map(({ hook }) => hook).sort()).toEqual(
        model
          .hookNames()
          .filter((hook) => !outside.has(hook))
          .sort(),
      );
      for (const group of [
        cases.filter(({ hook }) => !splitPoint.test(hook)),
        cases.filter(({ hook }) => splitPoint.test(hook)),
      ]) {
        // Case i is edited in row i only, of a batch whose row i holds the tokens of its golden row.
        const batch = group.map(({ row }) => rowOf(tokens, row));
        const run = (factor: number): Promise<Tensor> =>
          editedLogits(model.withPrecision(precision), group, batch, factor);
        const [edited, base] = [await run(1), await run(0)];
        for (const [i, { hook, select, logits }] of group.entries()) {
          expectClose(edited.at({ batch: i }) as Tensor, logits, tolerances[precision], hook);
          checkLocality(model, edited.at({ batch: i }) as Tensor, base.at({ batch: i }) as Tensor, {
            hook,
            pos: Number(select.pos),
          });
        }
      }
    },
  );

  it("refuses edits where nothing can be edited", async () => {
    const [model, golden] = await opened;
    const tokens = need(section(golden, "none"), "tokens");
    await expect(model.with(edit.zero("hook_tokens")).run(tokens)).rejects.toThrow(/can only be read/);
    expect(at.z(0).point).toBe("attn.hook_z");
  });
});

/** In causal models positions before the edit keep their logits bit for bit. */
function checkLocality(model: Model, edited: Tensor, base: Tensor, where: { pos: number; hook: string }): void {
  const isCausal = model.config.attentionDirection === "causal";
  for (let pos = 0; isCausal && pos < where.pos; pos++)
    expect(edited.at({ pos }).toArray(), `${where.hook}: position ${pos}`).toEqual(base.at({ pos }).toArray());
  expect(edited.equals(base), `${where.hook} changes nothing`).toBe(false);
}
