/** Attribution by gradients along a path. */
export { type IntegratedGradientsOptions, integratedGradients } from "./integrated.js";
export { IntegratedGradients } from "./result.js";
