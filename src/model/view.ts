/** The inside of a model: what was loaded once, and the view of it that edits, processing and layer lists make. */
import type { Logger } from "../core/index.js";
import type { Engine } from "../runtime/index.js";
import type { Checkpoint } from "./checkpoint/index.js";
import type { Precision } from "./components/context.js";
import type { Edit } from "./edits/types.js";
import type { BuiltGraph, HookPoint, ModelParts } from "./plan/build.js";
import type { GraphRequest } from "./plan/request.js";
import type { Processing } from "./processing.js";
import type { Tokenizer } from "./tokenizer/index.js";

/** What loading made, shared by every view of a model. */
export interface ModelCore extends ModelParts {
  readonly checkpoint: Checkpoint;
  readonly engine: Engine;
  readonly tokenizer: Tokenizer | undefined;
  readonly logger: Logger;
  /** Whether runs use a session with prepacked weights: faster, and the weights' size in memory. */
  readonly prepack: boolean;
  /** Bytes that one run may return before it is refused. */
  readonly memoryLimit: number;
  readonly graphs: GraphCache;
}

/** Graphs built before, by request. */
export interface GraphCache {
  get(request: GraphRequest): BuiltGraph;
}

/** A model as a value: the core and everything that distinguishes one view from another. */
export interface ModelView {
  readonly core: ModelCore;
  readonly edits: readonly Edit[];
  readonly processing: Processing;
  readonly precision: Precision;
  /** Layer ids in the order they run. */
  readonly layers: readonly number[];
}

/** Hook points of a view, in the order they are computed. */
export type HookPoints = ReadonlyMap<string, HookPoint>;
