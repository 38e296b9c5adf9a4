/** The area under the receiver operating characteristic: how often a positive item scores above a negative one. */

/** Items sorted by score once, for any number of weightings. */
export interface RankedItems {
  /** Items from the highest score to the lowest. */
  readonly order: Int32Array;
  /** 1 where the item at that place is positive. */
  readonly isPositive: Uint8Array;
  /** 1 where the next score is lower: the end of a tie. */
  readonly endsTie: Uint8Array;
}

/**
 * Sorts items by score.
 *
 * @param isPositive - 1 for positive items.
 */
export function rankItems(scores: ArrayLike<number>, isPositive: ArrayLike<number>): RankedItems {
  const at = (item: number): number => scores[item] as number;
  const order = Int32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => at(b) - at(a));
  return {
    order,
    isPositive: Uint8Array.from(order, (item) => isPositive[item] as number),
    endsTie: Uint8Array.from(order, (item, i) => (at(item) === at(order[i + 1] ?? -1) ? 0 : 1)),
  };
}

/**
 * Returns the probability that a positive item scores above a negative one, ties counting half.
 *
 * @param weights - One for each item; all 1 when absent.
 * @returns NaN unless both kinds have weight.
 * @see Hanley and McNeil 1982, "The meaning and use of the area under a receiver operating characteristic curve"
 */
export function weightedAuroc({ order, isPositive, endsTie }: RankedItems, weights?: ArrayLike<number>): number {
  let positive = 0;
  let negative = 0;
  let area = 0;
  let tiedPositive = 0;
  let tiedNegative = 0;
  for (let i = 0; i < order.length; i++) {
    const weight = weights === undefined ? 1 : (weights[order[i] as number] as number);
    if (isPositive[i] === 1) tiedPositive += weight;
    else tiedNegative += weight;
    if (endsTie[i] === 0) continue;
    area += tiedNegative * (positive + tiedPositive / 2);
    positive += tiedPositive;
    negative += tiedNegative;
    tiedPositive = 0;
    tiedNegative = 0;
  }
  return area / (positive * negative);
}
