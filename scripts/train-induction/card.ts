/** The card of the model, with what was measured on its weights. */
import { batch, context, kept, learningRate, periods, seed, steps, vocabulary } from "./recipe.js";
import type { Scores } from "./scores.js";

/** What is measured on the weights that ship. */
export interface Measured {
  readonly parameters: number;
  readonly scores: Scores;
  /** K-composition `[head of layer 0][head of layer 1]`. */
  readonly composition: readonly (readonly number[])[];
}

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
}

const two = (value: number): string => value.toFixed(2);

function headTable({ scores, composition }: Measured): string {
  const heads = scores.previous.flatMap((layer, l) =>
    layer.map((previous, h) => {
      const keys = l === 0 ? (composition[h] ?? []).map(two).join(", ") : "";
      return [`L${l}H${h}`, two(previous), two(scores.induction[l]?.[h] ?? Number.NaN), keys];
    }),
  );
  return table(["head", "previous token", "induction", "K-composition with L1H0 to L1H3"], heads);
}

/** Returns the card as Markdown. */
export function card(measured: Measured): string {
  const chance = Math.log(vocabulary);
  return `---
license: mit
---

# attn-only-2l

A two-layer transformer without MLPs that has learned one thing: random tokens that come again. A head of layer 0 looks at the
previous token, the heads of layer 1 look for a token whose previous token is the present one (induction heads; Elhage
et al. 2021, Olsson et al. 2022). Trained by limpid itself: \`npm run train:induction\` makes everything here again.

| | |
|---|---|
| architecture | 2 layers of 4 attention heads of 16, d_model 64, layer norm, learned positions, untied; TransformerLens names |
| tokens | ${vocabulary} ids, no text and no tokenizer; context ${context} |
| data | rows of ${context + 1} ids: a block of ${periods[0]} to ${periods[1]} different random ids, again and again; drawn, not stored |
| loss | mean over the tokens after the first copy |
| training | ${steps} steps of ${batch} rows, AdamW, learning rate ${learningRate} (50 steps of rise, then cosine to a tenth), seed ${seed} |
| size | float32, ${measured.parameters.toLocaleString("en-US")} parameters; checkpoints float16 |
| licence | MIT |

The block's length varies from row to row, so no fixed distance gives the next token: it must be found by content.

## Measured on these weights

${batch} rows that training never saw, each a block of 24 ids twice.

- Loss on the second copy: ${measured.scores.loss.toFixed(4)} nats a token. Blind guessing: ln ${vocabulary} = ${chance.toFixed(2)}; guessing among the ids of the row: ln 24 = ${Math.log(24).toFixed(2)}.
- Previous-token score: mean weight from a token to the one before it, over the first copy. Induction score: mean weight
  from a token of the second copy to the one after its first occurrence. 1 is the most.
- K-composition: \`|W_OV W_QKᵀ| / |W_OV| |W_QK|\`, norms folded in; random matrices give 0.125.

${headTable(measured)}

The previous-token head does its work where the loss needs it, below position 24: farther on no key is ever searched for,
and it looks elsewhere. All heads of layer 1 came to do the same, for nothing else was asked.
\`notebooks/04-training.ipynb\` looks at all this while it forms.

## The log

\`metrics.jsonl\` has a line for each step; \`checkpoints/step-…\` the weights after steps
${kept.join(", ")}.
They hold no optimiser state: training on from one of them is a new optimiser on those weights. Made on two x86-64 cores with
two threads; another processor rounds otherwise and gives other weights with the same story.
`;
}
