/** The conventions that a dictionary may have been made under: where it reads, and what was done to what it reads. */
import type { InputNormalization } from "../config.js";
import type { Dictionary } from "../dictionary.js";

/** The hook points of one reading of a dictionary. */
export interface HookPair {
  readonly readHook: string;
  readonly writeHook: string;
}

/** One way to use a dictionary. */
export interface Convention extends HookPair {
  /** `"centred"`: less its mean over the width, as TransformerLens's centred writing weights make the stream. */
  readonly stream: "as it is" | "centred";
  /** What is done to each vector. */
  readonly normalization: InputNormalization;
  /** One factor on all inputs: √d over the mean norm of the inputs, or 1. */
  readonly scale: "1" | "sqrt(d) / mean norm";
  readonly subtractsDecoderBias: boolean;
  /** Whether texts began with BOS; absent where the data were tokens already. */
  readonly prependBos?: boolean;
}

const streamNames = ["hook_resid_pre", "hook_resid_mid", "hook_resid_post"];
const mlpInputs = ["ln2.hook_normalized", "mlp.hook_in", "hook_resid_mid", "hook_resid_pre"];
const writes = ["hook_mlp_out", "hook_attn_out", "hook_resid_post"];

interface Place {
  readonly layer: number;
  readonly name: string;
}

function placeOf(hook: string): Place | undefined {
  const found = /^blocks\.(\d+)\.(.+)$/.exec(hook);
  return found === null ? undefined : { layer: Number(found[1]), name: found[2] ?? "" };
}

function at(layer: number, name: string): string {
  return `blocks.${layer}.${name}`;
}

/** Names in the same block that the same dictionary could as well have been meant for. */
function kin(name: string): readonly string[] {
  const family = [streamNames, mlpInputs, writes].find((one) => one.includes(name));
  return family ?? [name];
}

function shifted(hook: string, by: number): string {
  const place = placeOf(hook);
  return place === undefined ? hook : at(place.layer + by, place.name);
}

/** The stream before a block is the stream after the one before it: one name for both. */
function oneName(hook: string): string {
  const place = placeOf(hook);
  const isBefore = place?.name === "hook_resid_pre" && place.layer > 0;
  return isBefore ? at(place.layer - 1, "hook_resid_post") : hook;
}

/** The claimed hook points first, then their neighbours: other places of the same block, the blocks before and after. */
export function neighbours({ readHook, writeHook }: HookPair, hookNames: readonly string[]): readonly HookPair[] {
  const place = placeOf(readHook);
  const isSae = readHook === writeHook;
  const others = place === undefined ? ["hook_embed", at(0, "hook_resid_pre")] : sameBlock(place).map(oneName);
  const inBlock = others.map((name) => ({ readHook: name, writeHook: isSae ? name : writeHook }));
  const besides = [-1, 1].map((by) => ({
    readHook: oneName(shifted(readHook, by)),
    writeHook: oneName(shifted(writeHook, by)),
  }));
  const all = [{ readHook, writeHook }, ...inBlock, ...besides];
  const known = new Set(hookNames);
  const keys = all.map((pair) => `${oneName(pair.readHook)} ${oneName(pair.writeHook)}`);
  return all.filter(
    (pair, i) => known.has(pair.readHook) && known.has(pair.writeHook) && keys.indexOf(keys[i] ?? "") === i,
  );
}

function sameBlock({ layer, name }: Place): readonly string[] {
  return kin(name).map((other) => at(layer, other));
}

/** What varies besides the hook points. */
export type Variation = Pick<Convention, "normalization" | "subtractsDecoderBias">;

/** The claimed variation first. A transcoder's input norm and bias cannot be told apart from its own. */
export function variations({ config, kind }: Dictionary): readonly Variation[] {
  const { normalization, subtractsDecoderBias } = config;
  const norms: readonly InputNormalization[] =
    kind === "sae" ? ["none", "constant_norm_rescale", "layer_norm"] : [normalization];
  const biases = config.dIn === config.dOut ? [true, false] : [subtractsDecoderBias];
  const all = norms.flatMap((norm) =>
    biases.map((bias): Variation => ({ normalization: norm, subtractsDecoderBias: bias })),
  );
  const isClaimed = (one: Variation): boolean =>
    one.normalization === normalization && one.subtractsDecoderBias === subtractsDecoderBias;
  return [...all.filter(isClaimed), ...all.filter((one) => !isClaimed(one))];
}

/** What is done to vectors before the dictionary sees them; the first is the claimed one. */
export const inputForms: readonly Pick<Convention, "stream" | "scale">[] = [
  { stream: "as it is", scale: "1" },
  { stream: "centred", scale: "1" },
  { stream: "as it is", scale: "sqrt(d) / mean norm" },
  { stream: "centred", scale: "sqrt(d) / mean norm" },
];

/** Says in what a convention differs from the claimed one; empty when in nothing. */
export function differences(one: Convention, claimed: Convention): readonly string[] {
  const said: string[] = [];
  if (one.readHook !== claimed.readHook) said.push(`reads ${one.readHook}`);
  if (one.writeHook !== claimed.writeHook && one.writeHook !== one.readHook) said.push(`writes ${one.writeHook}`);
  if (one.stream !== claimed.stream) said.push(`stream ${one.stream}`);
  if (one.scale !== claimed.scale) said.push(`input times ${one.scale}`);
  if (one.normalization !== claimed.normalization) said.push(`normalisation ${one.normalization}`);
  if (one.subtractsDecoderBias !== claimed.subtractsDecoderBias)
    said.push(one.subtractsDecoderBias ? "b_dec subtracted" : "b_dec not subtracted");
  if (one.prependBos !== claimed.prependBos)
    said.push(one.prependBos === true ? "texts with BOS" : "texts without BOS");
  return said;
}
