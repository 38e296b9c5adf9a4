/** Looking at training runs: their curves, and the models on the way. */
export { openTrainingLog, TrainingLog } from "./training-log.js";
