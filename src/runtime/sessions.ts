/** Which sessions a program needs, which of them exist, and what they cost: the calling thread's half of the cache. */
import { encode, fingerprint, type Graph } from "../graph/index.js";
import { sessionBytes, workingBytes } from "./estimate.js";
import type { Sizes } from "./feeds.js";
import type { ProgramPlan, SegmentPlan } from "./plan.js";
import type { SegmentJob, SessionSource } from "./protocol.js";
import { SessionCache, type SessionEntry } from "./session-cache.js";
import type { EngineStats, Program } from "./types.js";
import { fileStates, mapWeights, weightFiles } from "./weights.js";

/** A segment on its way to the worker. */
export interface Staged {
  readonly graph: Graph;
  readonly entry: SessionEntry;
  readonly job: SegmentJob;
  /** The worker has to compile it. */
  readonly isNew: boolean;
}

/** A program on its way to the worker. */
export interface StagedProgram {
  readonly segments: readonly Staged[];
  /** Idle sessions to release before it runs. */
  readonly released: readonly number[];
}

/** The counters that concern sessions. */
export type SessionStats = Pick<EngineStats, "sessions" | "bytes" | "hits" | "misses" | "evictions" | "encodeMs">;

/** What is known about a graph for as long as it lives. */
interface GraphFacts {
  readonly files: readonly string[];
  fingerprint?: string;
}

/** Finds or prepares the sessions of programs, for one worker at a time. */
export class Sessions {
  readonly #cache: SessionCache;
  readonly #facts = new WeakMap<Graph, GraphFacts>();
  readonly #totals = { hits: 0, misses: 0, evictions: 0, encodeMs: 0 };
  #lastId = 0;

  constructor(limitBytes: number) {
    this.#cache = new SessionCache(limitBytes);
  }

  /**
   * Returns the jobs of a program's segments; those that are not compiled yet come with their ONNX bytes.
   *
   * With `sizes`, the working memory of the run is estimated too: idle sessions make room for it, and where the
   * program alone exceeds the bound, its last segments are released as soon as they have run.
   *
   * @throws CheckpointError when a weight file is missing or too short.
   */
  async stage(plan: ProgramPlan, sizes?: Sizes): Promise<StagedProgram> {
    const staged: Staged[] = [];
    for (const [index, segment] of plan.segments.entries()) {
      const one = await this.#stageOne(plan.program, segment, index);
      if (sizes !== undefined) measure(one, sizes);
      staged.push(one);
    }
    const fresh = staged.filter(({ isNew }) => isNew);
    const room = this.#cache.makeRoom(totalBytes(fresh), new Set(staged.map(({ entry }) => entry)));
    this.#totals.evictions += room.length;
    return { segments: sizes === undefined ? staged : markOnce(staged, this.#cache.limit), released: room };
  }

  /** Takes note of the sessions that the worker made and of those that it released again. */
  finished(created: readonly number[], staged: readonly Staged[]): void {
    for (const { entry, isNew, job } of staged) {
      if (job.isOnce) {
        this.#cache.delete(entry);
        this.#totals.evictions++;
      } else if (isNew && created.includes(entry.id)) this.#cache.add(entry);
    }
  }

  /** Forgets what exceeds the bound; returns the sessions for the worker to release. */
  evict(): readonly number[] {
    const released = this.#cache.makeRoom();
    this.#totals.evictions += released.length;
    return released;
  }

  /** Forgets every session: the worker is gone. */
  clear(): void {
    this.#cache.clear();
  }

  /** Returns the counters. */
  stats(): SessionStats {
    return { ...this.#totals, sessions: this.#cache.size, bytes: this.#cache.bytes };
  }

  async #stageOne(program: Program, segment: SegmentPlan, index: number): Promise<Staged> {
    const { graph, inputs, outputs, drop } = segment;
    const key = this.#keyOf(program, graph, index);
    const known = this.#cache.use(key);
    this.#totals[known === undefined ? "misses" : "hits"]++;
    if (known !== undefined) {
      return { graph, entry: known, job: { session: known.id, inputs, outputs, drop, isOnce: false }, isNew: false };
    }
    const { source, baseBytes } = await this.#encode(graph, program.prepack === true);
    const entry: SessionEntry = { id: ++this.#lastId, key, baseBytes, workingBytes: 0, measured: "" };
    const job = { session: entry.id, source, inputs, outputs, drop, isOnce: false };
    return { graph, entry, job, isNew: true };
  }

  async #encode(graph: Graph, prepack: boolean): Promise<{ source: SessionSource; baseBytes: number }> {
    const begin = performance.now();
    const mapped = await mapWeights(graph);
    const { folder } = mapped;
    const bytes = encode(mapped.graph, folder === undefined ? {} : { folder });
    const model = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
    this.#totals.encodeMs += performance.now() - begin;
    const baseBytes = sessionBytes(graph, model.byteLength, prepack ? mapped.fileBytes : 0);
    return { source: { model, prepack, ...(folder === undefined ? {} : { folder }) }, baseBytes };
  }

  /** Two graphs with one key share a session: same content, same weight files, same preparation. */
  #keyOf(program: Program, graph: Graph, index: number): string {
    const facts = this.#facts.get(graph) ?? { files: weightFiles(graph) };
    this.#facts.set(graph, facts);
    if (program.key === undefined) facts.fingerprint ??= fingerprint(graph);
    const content = program.key === undefined ? facts.fingerprint : `${program.key}#${index}`;
    return `${content}|${program.prepack === true ? "prepacked" : "mapped"}|${fileStates(facts.files)}`;
  }
}

function measure({ entry, graph }: Staged, sizes: Sizes): void {
  const measured = JSON.stringify(sizes);
  if (entry.measured === measured) return;
  entry.workingBytes = Math.max(entry.workingBytes, workingBytes(graph, sizes));
  entry.measured = measured;
}

function totalBytes(staged: readonly Staged[]): number {
  return staged.reduce((sum, { entry }) => sum + entry.baseBytes + entry.workingBytes, 0);
}

/** Marks the segments that no longer fit into `limit` together with those before them. */
function markOnce(staged: readonly Staged[], limit: number): readonly Staged[] {
  let bytes = 0;
  return staged.map((one) => {
    bytes += one.entry.baseBytes + one.entry.workingBytes;
    return bytes <= limit ? one : { ...one, job: { ...one.job, isOnce: true } };
  });
}
