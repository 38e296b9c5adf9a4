/** Rows and positions: what may depend on what. */
import type { Tensor } from "../../tensor/index.js";
import { atMost, type Law, type Measurement } from "./check.js";
import { distance, lastAxisRows, logSoftmax, numbers, tensorDistance, worst } from "./compare.js";
import { type Subject, tooShort } from "./subject.js";

/** Float32 sums in another order: other batch sizes take other kernels. */
const orderTolerance = 2e-5;
/** Tokens that the shorter row of a padded batch lacks. */
const shorterBy = 2;

function skipped(measured: string, reason: string): readonly Measurement[] {
  return [{ measured, skipped: reason }];
}

/** Logits of one row of a batch at some slots, `[pos, dVocabOut]`. */
function rowLogits(logits: Tensor, row: number, slots?: { readonly from?: number; readonly to?: number }): Tensor {
  return logits.at({ batch: row, pos: { from: 0, ...slots } });
}

/** A changed last token changes no earlier logits. */
export const causalityLaw: Law = {
  name: "causality",
  measure: async (subject) => {
    const measured = "logits before a changed last token";
    const [row] = subject.rows;
    if (!subject.isCausal) return skipped(measured, "attention looks both ways");
    if (row.length < 2) return skipped(measured, "one token is no sequence");
    const other = subject.rows[1].find((id) => id !== row.at(-1)) ?? 0;
    const changed = [...row.slice(0, -1), other];
    const [before, after] = [await subject.run(row), await subject.run(changed)];
    const slots = { to: row.length - 1 };
    const { relative } = tensorDistance(rowLogits(after.logits, 0, slots), rowLogits(before.logits, 0, slots));
    const detail = relative === 0 ? "bit for bit" : "not bit for bit";
    return [{ measured, value: relative, bound: atMost(orderTolerance), detail }];
  },
};

/** A row in a batch gives what it gives alone. */
export const batchLaw: Law = {
  name: "batch",
  measure: async (subject) => {
    const { rows } = subject;
    const together = await subject.run([...rows]);
    const gaps: (readonly [string, number])[] = [];
    for (const [row, tokens] of rows.entries()) {
      const alone = await subject.run(tokens);
      gaps.push([`row ${row}`, tensorDistance(rowLogits(together.logits, row), rowLogits(alone.logits, 0)).relative]);
    }
    const { name, value } = worst(gaps);
    return [
      {
        measured: "logits of a row in a batch against alone",
        value,
        bound: atMost(orderTolerance),
        ...(name === "" ? {} : { detail: name }),
      },
    ];
  },
};

async function paddingGap(subject: Subject, side: "left" | "right", alone: readonly Tensor[]): Promise<Measurement> {
  const rows = [subject.rows[0], subject.rows[1].slice(0, -shorterBy)];
  const padded = await subject.run(rows, { padding: side });
  const [size = 0] = subject.rows.map((row) => row.length);
  const gaps = rows.map((tokens, row) => {
    const from = side === "left" ? size - tokens.length : 0;
    const real = rowLogits(padded.logits, row, { from, to: from + tokens.length });
    return [`row ${row}`, tensorDistance(real, alone[row] ?? real).relative] as const;
  });
  return {
    measured: `logits padded on the ${side} against alone`,
    value: worst(gaps).value,
    bound: atMost(orderTolerance),
  };
}

/** Padding on either side changes nothing at real tokens. */
export const paddingLaw: Law = {
  name: "padding",
  measure: async (subject) => {
    const short = tooShort(subject);
    if (short !== undefined) return skipped("logits of padded rows", short);
    const first = await subject.run(subject.rows[0]);
    const second = await subject.run(subject.rows[1].slice(0, -shorterBy));
    const alone = [rowLogits(first.logits, 0), rowLogits(second.logits, 0)];
    return [await paddingGap(subject, "left", alone), await paddingGap(subject, "right", alone)];
  },
};

/** The loss is −log p of each next token. */
export const lossLaw: Law = {
  name: "loss",
  measure: async (subject) => {
    const measured = "loss per token against −log p";
    const { dVocab, dVocabOut } = subject.model.config;
    const [row] = subject.rows;
    if (dVocab !== dVocabOut) return skipped(measured, "outputs are not tokens of the input vocabulary");
    if (row.length < 2) return skipped(measured, "one token predicts nothing");
    const run = await subject.run(row, { loss: true });
    const expected = lastAxisRows(run.logits)
      .slice(0, -1)
      .map((logits, pos) => -(logSoftmax(logits)[row[pos + 1] ?? 0] ?? Number.NaN));
    const losses = Array.from(numbers(run.lossPerToken));
    const negative = losses.reduce((least, loss) => Math.max(least, -loss), 0);
    return [
      { measured, value: distance(losses, expected).relative, bound: atMost(orderTolerance) },
      { measured: "largest negative loss", value: negative, bound: atMost(0) },
    ];
  },
};
