/** Parts of a cache: one row, one activation of several layers. */
import { HookNotFoundError } from "../../core/index.js";
import { stack, type Tensor } from "../../tensor/index.js";
import { programSteps } from "../components/decoder.js";
import { getActName } from "../hooks/index.js";
import type { CacheParts } from "./save.js";

/** Returns one row of every activation, without `batch` axes. */
export function batchRow({ tensors, origin }: CacheParts, row: number): CacheParts {
  const pick = (tensor: Tensor): Tensor => (tensor.axes.includes("batch") ? tensor.at({ batch: row }) : tensor);
  const rows = new Map([...tensors].map(([name, tensor]) => [name, pick(tensor)] as const));
  if (origin === undefined) return { tensors: rows };
  const { tokens, realSlots, ...rest } = origin;
  const slots = realSlots?.at(row);
  return {
    tensors: rows,
    origin: {
      ...rest,
      ...(tokens === undefined ? {} : { tokens: pick(tokens) }),
      ...(slots === undefined ? {} : { realSlots: [slots] }),
    },
  };
}

/** Full names of one activation in the layers wanted, or in every block that ran. */
function layerNames(
  { tensors, origin }: CacheParts,
  name: string,
  layers: readonly number[] | undefined,
): readonly string[] {
  const point = getActName(name, 0).replace(/^blocks\.0\./, "");
  if (layers !== undefined) return layers.map((layer) => `blocks.${layer}.${point}`);
  if (origin !== undefined) return programSteps(origin.layers).map((step) => `${step.name}.${point}`);
  return [...tensors.keys()].filter(
    (key) => /^blocks\.[^.]+\./.test(key) && key.replace(/^blocks\.[^.]+\./, "") === point,
  );
}

/** Returns one activation of several layers, `[layer, …]`. */
export function stackLayers(parts: CacheParts, name: string, layers: readonly number[] | undefined): Tensor {
  const names = layerNames(parts, name, layers);
  const missing = names.filter((one) => !parts.tensors.has(one));
  if (missing.length === 0 && names.length > 0)
    return stack(
      names.flatMap((one) => parts.tensors.get(one) ?? []),
      "layer",
    );
  throw new HookNotFoundError({
    where: "cache.stackActivation",
    got: missing.length === 0 ? `no layer with ${name}` : `a cache without ${missing.join(", ")}`,
    expected: "a run that captured them",
    fix: `Run with capture: [${JSON.stringify(name)}] in addition.`,
  });
}
