/** What features fire on. */
export { type CollectOptions, collectExamples } from "./collect.js";
export { FeatureExamples } from "./feature-examples.js";
export { openExamples } from "./folder.js";
export type { ExampleGroup, ExamplesHeader, FeatureExample, FeatureExamplesOf } from "./types.js";
