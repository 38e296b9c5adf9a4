/** Activation functions under the names that configurations use. */
import { UnsupportedError } from "../../core/index.js";
import type { ActivationFunction } from "../config.js";
import type { ConfigReader } from "../config-reader.js";

const names: Readonly<Record<string, ActivationFunction>> = {
  relu: "relu",
  gelu: "gelu",
  gelu_new: "geluNew",
  gelu_fast: "geluNew",
  gelu_pytorch_tanh: "geluNew",
  silu: "silu",
  swish: "silu",
};

/** Reads an activation function; an unknown one is refused with the known names. */
export function activationFunction(reader: ConfigReader, key: string, fallback?: string): ActivationFunction {
  const name = reader.string(key, fallback);
  const known = names[name];
  if (known !== undefined) return known;
  throw new UnsupportedError({
    where: `config.json: "${key}"`,
    got: `the activation function "${name}"`,
    expected: `one of ${Object.keys(names).join(", ")}`,
    fix: "Ask for it in an issue, or convert the checkpoint.",
  });
}
