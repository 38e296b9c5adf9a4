/** A curve in one line of text, for terminals and logs. */

const blocks = "▁▂▃▄▅▆▇█";

/** Mean of the finite values of one part; NaN where there is none. */
function partMean(values: readonly number[]): number {
  const finite = values.filter(Number.isFinite);
  return finite.reduce((sum, value) => sum + value, 0) / finite.length;
}

/**
 * Returns values as a row of blocks such as `█▇▅▂▁▁`: means of equal parts, between the lowest and the highest of them.
 *
 * A part without a finite value is `·`; no values give an empty text.
 *
 * @param width - Most characters; fewer values take as many as there are.
 */
export function textCurve(values: ArrayLike<number>, width = 40): string {
  const all = Array.from(values);
  const count = Math.min(width, all.length);
  const means = Array.from({ length: count }, (_, i) =>
    partMean(all.slice(Math.floor((i * all.length) / count), Math.floor(((i + 1) * all.length) / count))),
  );
  const finite = means.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const scale = high > low ? (blocks.length - 1) / (high - low) : 0;
  return means.map((mean) => (Number.isFinite(mean) ? blocks[Math.round((mean - low) * scale)] : "·")).join("");
}
