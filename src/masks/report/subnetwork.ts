/** The bigram subnetwork of a model, from text to a folder: counts, mask, and what the mask does. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { InputError, type LongCallOptions, printsItself } from "../../core/index.js";
import { writeFileAtomic } from "../../io/index.js";
import { edit, type Model } from "../../model/index.js";
import { panels, type View } from "../../viz/index.js";
import { ablateMask, type MaskAblation } from "../analyses/ablation.js";
import { type StreamRotation, streamRotation } from "../analyses/rotation.js";
import { countBigrams } from "../bigram/count.js";
import type { BigramTable } from "../bigram/table.js";
import { weightMask } from "../mask/make.js";
import { type MaskTraining, type TrainMaskOptions, trainMask } from "../train/train.js";

/** Options of {@link bigramSubnetwork}. */
export interface BigramSubnetworkOptions extends Omit<TrainMaskOptions, "target"> {
  /** Every so many rows one is kept for judging. Default 10. */
  readonly heldOut?: number;
}

/** Files that {@link BigramSubnetwork.save} wrote. */
export interface SavedSubnetwork {
  readonly mask: string;
  readonly page: string;
  readonly summary: string;
  readonly data: string;
}

/** A bigram subnetwork, and how it was judged on text that it was not trained on. Immutable. */
export class BigramSubnetwork {
  static {
    printsItself(this.prototype);
  }

  readonly table: BigramTable;
  readonly training: MaskTraining;
  readonly ablation: MaskAblation;
  /** Of the whole model, and of the subnetwork alone; absent where there was too little text. */
  readonly rotations: { readonly whole: StreamRotation; readonly alone: StreamRotation } | undefined;

  /** @internal Use `bigramSubnetwork`. */
  constructor(parts: Readonly<Pick<BigramSubnetwork, "ablation" | "rotations" | "table" | "training">>) {
    this.table = parts.table;
    this.training = parts.training;
    this.ablation = parts.ablation;
    this.rotations = parts.rotations;
  }

  /** Draws where the weights are, what is lost without them, and how the stream turns. */
  toView(): View {
    const turned = this.rotations === undefined ? [] : [this.rotations.whole.toView(), this.rotations.alone.toView()];
    const views = [this.training.mask.toView(), this.ablation.toView(), this.ablation.alone.toView(), ...turned];
    return panels(views, { title: `The bigram subnetwork of ${this.training.mask.model}` });
  }

  /** Returns the figures as plain data. */
  toJSON(): Readonly<Record<string, unknown>> {
    const { training, ablation, table, rotations } = this;
    const { mask, sparsity, steps, stoppedBy, restarts, isDead } = training;
    const figures = ({ r, rSeen, unseen, meanBits }: MaskAblation["whole"]): unknown => ({
      r,
      rSeen,
      unseen,
      meanBits,
    });
    const angles = ({ fromInput, fromOutput }: StreamRotation): unknown => {
      return { fromInput: [...fromInput], fromOutput: [...fromOutput] };
    };
    return {
      format: "limpid-bigram-subnetwork",
      version: 1,
      model: mask.model,
      identity: mask.identity,
      kept: mask.count,
      total: mask.total,
      byMatrix: Object.fromEntries(mask.counts().map(({ matrix, kept }) => [matrix.name, kept])),
      training: { sparsity, steps, stoppedBy, restarts, isDead },
      bigrams: { pairs: table.tokens, different: table.counts.next.length },
      whole: figures(ablation.whole),
      alone: figures(ablation.alone),
      without: figures(ablation.without),
      withoutRandom: ablation.withoutRandom.map(figures),
      ...(rotations === undefined
        ? {}
        : { rotation: { whole: angles(rotations.whole), alone: angles(rotations.alone) } }),
    };
  }

  /** Returns everything as text. */
  toString(): string {
    const turned = this.rotations === undefined ? [] : [this.rotations.whole, this.rotations.alone];
    return [this.table, this.training, this.ablation, ...turned].map(String).join("\n");
  }

  /** Writes the mask, a page that opens anywhere, the text and the figures into a folder, which is made where it is not there. */
  async save(folder: string): Promise<SavedSubnetwork> {
    await mkdir(folder, { recursive: true });
    const [page, summary, data] = ["index.html", "report.md", "report.json"].map((name) => join(folder, name));
    const mask = await weightMask.save(join(folder, "mask"), this.training.mask);
    await writeFileAtomic(data ?? "", `${JSON.stringify(this.toJSON(), undefined, 2)}\n`);
    await writeFileAtomic(
      summary ?? "",
      `# The bigram subnetwork of ${this.training.mask.model}\n\n\`\`\`\n${String(this)}\n\`\`\`\n`,
    );
    await this.toView().save(page ?? "");
    return { mask, page: page ?? "", summary: summary ?? "", data: data ?? "" };
  }
}

/** Tokens for each coordinate of the stream that rotations are fitted on. */
const tokensPerCoordinate = 8;

/** As many rows as rotations need; none where they are too few. */
function enoughRows(model: Model, rows: readonly ArrayLike<number>[]): readonly ArrayLike<number>[] {
  const wanted = tokensPerCoordinate * model.config.dModel;
  let tokens = 0;
  const kept = rows.filter((row) => {
    const isWanted = tokens < wanted;
    tokens += row.length;
    return isWanted;
  });
  return tokens < model.config.dModel ? [] : kept;
}

/**
 * Finds the bigram subnetwork of a model on a text: counts its pairs, trains a mask towards them, and judges it on rows that were
 * kept back.
 *
 * @param rows - Token ids, each at least as long as `context`.
 * @throws what `trainMask` throws, and InputError for fewer rows than one can be kept back of.
 * @see Chang and Bergen 2025, "Bigram Subnetworks: Mapping to Next Tokens in Transformer Language Models"
 */
export async function bigramSubnetwork(
  model: Model,
  rows: readonly ArrayLike<number>[],
  options: BigramSubnetworkOptions = {},
): Promise<BigramSubnetwork> {
  const { heldOut = 10, ...own } = options;
  const { signal, onProgress, seed = 0 } = own;
  const calls: LongCallOptions = {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  };
  const isKept = (_: unknown, i: number): boolean => i % heldOut === heldOut - 1;
  const [train, test] = [rows.filter((row, i) => !isKept(row, i)), rows.filter(isKept)];
  if (test.length === 0)
    throw new InputError({
      where: "bigramSubnetwork: rows",
      got: `${rows.length} rows`,
      expected: `${heldOut} or more, of which one is kept for judging`,
      fix: "Give more text, or a smaller heldOut.",
    });
  const table = await countBigrams(train, { ...calls, vocabulary: model.config.dVocabOut });
  const training = await trainMask(model, train, { ...own, target: table });
  const ablation = await ablateMask(model, training.mask, { table, rows: test }, { ...calls, seed });
  const few = enoughRows(model, test);
  const alone = model.with(edit.keepWeights(training.mask));
  const rotations =
    few.length === 0
      ? undefined
      : { whole: await streamRotation(model, few, calls), alone: await streamRotation(alone, few, calls) };
  return new BigramSubnetwork({ table, training, ablation, rotations });
}
