/** What a model costs, and what it would cost without some of its parts. */
export { type CostOptions, cost, type FlopCounts, ModelCost, type ParameterCounts } from "./cost.js";
