/** The card of a set of dictionaries: what was measured, as a table. */
import { writeFileSync } from "node:fs";
import type { DictionarySetEvaluation } from "../../src/dictionary/index.js";

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;

/** Writes one row for each dictionary, and the loss with all of them in place. */
export function writeCard(path: string, { evaluations, together }: DictionarySetEvaluation): void {
  const rows = evaluations.map(({ writeHook, reconstruction, l0, losses, dead }) =>
    [
      `\`${writeHook}\``,
      reconstruction.fvu.toFixed(4),
      l0.toFixed(1),
      losses === undefined ? "" : percent(losses.score),
      losses === undefined
        ? ""
        : `${losses.clean.toFixed(3)} / ${losses.spliced.toFixed(3)} / ${losses.ablated.toFixed(3)}`,
      String(dead.count),
    ].join(" | "),
  );
  const all =
    together === undefined
      ? ""
      : `\nAll at once: cross-entropy ${together.clean.toFixed(3)} clean, ${together.spliced.toFixed(3)} with every one in place, ${together.ablated.toFixed(3)} with zeros in their place (score ${percent(together.score)}).\n`;
  const head = "| writes to | FVU | L0 | CE score | CE clean / spliced / zero | dead |\n|---|---|---|---|---|---|";
  writeFileSync(path, `${head}\n${rows.map((row) => `| ${row} |`).join("\n")}\n${all}`);
}
