/** Errors, seeded randomness, progress, abort signals, logging and hashing: what every other folder stands on. */
export * from "./errors.js";
