/** Errors, seeded randomness, progress, abort signals, logging and hashing: what every other folder stands on. */
export * from "./abort.js";
export * from "./errors.js";
export * from "./format.js";
export * from "./hash.js";
export * from "./inspect.js";
export * from "./logger.js";
export * from "./nearest.js";
export * from "./progress.js";
export * from "./progress-clock.js";
export * from "./random.js";
