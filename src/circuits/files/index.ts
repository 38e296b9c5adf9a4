/** Graphs as files: limpid's own, and the JSON of public viewers. */
export { type OpenGraphOptions, openGraph, type SavedGraph, type SaveGraphOptions, saveGraph } from "./save-open.js";
export type { TracerOptions } from "./to-tracer.js";
