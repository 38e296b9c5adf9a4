/** Activations whose features are known. */
export { type PlantedBatch, PlantedFeatures, type PlantedOptions, plantedFeatures } from "./planted.js";
