/** Activations of some hook points in memory, token by token, apart from those of BOS. */
import { InputError, throwIfAborted } from "../../core/index.js";
import { countedBatches, type Model } from "../../model/index.js";
import type { Dictionary } from "../dictionary.js";
import { type DictionaryData, type DictionaryDataOptions, feedOf } from "../metrics/data.js";

/** Vectors of one hook point, row after row. */
export interface Vectors {
  readonly width: number;
  /** Of ordinary tokens. */
  readonly data: Float32Array;
  /** Of the BOS tokens that begin rows; empty where there are none. */
  readonly bos: Float32Array;
}

/** What was read of a model. */
export interface CapturedVectors {
  readonly tokens: number;
  readonly bosTokens: number;
  readonly hooks: ReadonlyMap<string, Vectors>;
  /** SHA-256 over the token ids. */
  readonly dataHash: string;
}

/** What to read. */
export interface CaptureQuestion {
  readonly dictionary: Dictionary;
  readonly model: Model;
  readonly data: DictionaryData;
  readonly hooks: readonly string[];
  readonly options: DictionaryDataOptions;
}

class Collector {
  readonly #rows: Float32Array[] = [];
  readonly #bos: Float32Array[] = [];
  width = 0;

  add(data: ArrayLike<number>, slot: number, isBos: boolean): void {
    const { width } = this;
    const row = Float32Array.from({ length: width }, (_, i) => data[slot * width + i] ?? 0);
    (isBos ? this.#bos : this.#rows).push(row);
  }

  finish(): Vectors {
    return { width: this.width, data: joined(this.#rows, this.width), bos: joined(this.#bos, this.width) };
  }
}

function joined(rows: readonly Float32Array[], width: number): Float32Array {
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    out.set(row, i * width);
  });
  return out;
}

/** Runs the model over the data until enough tokens were counted. */
export async function captureVectors(question: CaptureQuestion): Promise<CapturedVectors> {
  const { dictionary, model, data, hooks, options } = question;
  const { tokenizer } = model.view.core;
  const width = hooks.length * dictionary.config.dIn;
  // BOS is read too, and kept apart: many models write outsized vectors there.
  const feed = feedOf(model, [dictionary], data, { options: { ...options, excludeSpecial: false }, width });
  const collectors = new Map(hooks.map((hook) => [hook, new Collector()]));
  const isSpecial = (id: number): boolean => tokenizer?.isSpecial(id) === true;
  let [tokens, bosTokens, dataHash] = [0, 0, ""];
  for await (const { input, tokens: counted, hash } of countedBatches(model, feed.inputs, feed.options)) {
    throwIfAborted(options.signal, "diagnose");
    const { prependBos } = feed.options;
    const run = await model.run(input, {
      capture: hooks,
      logits: "none",
      ...(prependBos === undefined ? {} : { prependBos }),
    });
    const kinds = Array.from(counted.ids, (id, i) => kindOfToken(isSpecial(id), counted.positions[i] ?? 0));
    for (const [hook, collector] of collectors) {
      const values = run.cache.get(hook).contiguous();
      collector.width = values.shape.slice(2).reduce((product, size) => product * size, 1);
      counted.slots.forEach((slot, i) => {
        if (kinds[i] !== "other") collector.add(values.data as ArrayLike<number>, slot, kinds[i] === "bos");
      });
    }
    run.release();
    tokens += kinds.filter((kind) => kind === "ordinary").length;
    bosTokens += kinds.filter((kind) => kind === "bos").length;
    dataHash = hash;
  }
  if (tokens < 2) throw tooFew(tokens);
  const found = new Map([...collectors].map(([hook, collector]) => [hook, collector.finish()]));
  return { tokens, bosTokens, hooks: found, dataHash };
}

function kindOfToken(isSpecial: boolean, position: number): "ordinary" | "bos" | "other" {
  if (!isSpecial) return "ordinary";
  return position === 0 ? "bos" : "other";
}

function tooFew(tokens: number): InputError {
  return new InputError({
    where: "diagnose: data",
    got: `${tokens} ordinary tokens`,
    expected: "at least 2, better some hundreds",
    fix: "Pass more text.",
  });
}
