/** Looking at features: readouts of weights, dashboards, an overview. */
export { type DashboardOptions, FeatureDashboard, featureDashboard } from "./dashboard.js";
export { FeatureTest, type StrongestFeature, testFeatures } from "./feature-test.js";
export { DictionaryOverview, dictionaryOverview } from "./overview.js";
export {
  type FeatureNeighbour,
  FeatureReadout,
  type FeatureToken,
  featureReadouts,
  type ReadoutOptions,
} from "./readouts.js";
