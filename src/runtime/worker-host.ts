/** What happens inside the engine's thread: sessions, resident tensors, and the loop over a job's segments. */
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { AbortedError, InternalError } from "../core/index.js";
import { buffersOf, copyTensor, ownBuffer } from "./buffers.js";
import { isAborted, isStopped, whileBusy } from "./control.js";
import { createSession, fromOrt, loadOrt, type Ort, takesDestination, toOrt } from "./ort.js";
import type {
  DoneReply,
  DropJob,
  FailurePhase,
  GetJob,
  Job,
  JobCost,
  PutJob,
  ReleaseOrder,
  Reply,
  ResidentShape,
  RunJob,
  SegmentJob,
  WorkerSetup,
} from "./protocol.js";
import { ResidentStore } from "./resident-store.js";
import type { RawTensor } from "./types.js";

/** Sends a reply, giving these buffers away. */
export type Post = (reply: Reply, transfer?: readonly ArrayBuffer[]) => void;

/** What a job has come to so far; read when it fails. */
interface Trail {
  phase: FailurePhase;
  segment: number;
  readonly created: number[];
  createMs: number;
  runMs: number;
}

/** Owns the sessions of one worker thread. */
export class WorkerHost {
  readonly #setup: WorkerSetup;
  readonly #post: Post;
  readonly #sessions = new Map<number, InferenceSession>();
  readonly #resident = new ResidentStore();
  #ort: Ort | undefined;
  #loadError: unknown;

  constructor(setup: WorkerSetup, post: Post) {
    this.#setup = setup;
    this.#post = post;
  }

  /** Loads onnxruntime; a failure is told to the jobs. */
  async start(): Promise<void> {
    const begin = performance.now();
    try {
      this.#ort = await whileBusy(this.#setup.control, loadOrt);
      this.#post({ type: "ready", ms: performance.now() - begin });
    } catch (error) {
      this.#loadError = error;
    }
  }

  /** Does one order; never rejects. */
  async handle(order: Job | ReleaseOrder): Promise<void> {
    if (order.type === "release") {
      await this.#release(order.sessions);
      return;
    }
    const trail: Trail = { phase: "load", segment: -1, created: [], createMs: 0, runMs: 0 };
    try {
      await this.#answer(order, trail);
    } catch (error) {
      if (order.type === "run") await this.#releaseOnce(order);
      this.#fail(order, trail, error);
    }
  }

  async #answer(job: Job, trail: Trail): Promise<void> {
    if (job.type === "run") {
      await this.#run(job, trail);
      return;
    }
    const result = job.type === "put" ? this.#put(job) : job.type === "get" ? this.#get(job) : this.#drop(job);
    this.#done(job, result, trail);
  }

  async #run(job: RunJob, trail: Trail): Promise<void> {
    const ort = this.#loaded();
    const values = new Map<string, Tensor>();
    for (const [name, feed] of job.feeds) values.set(name, toOrt(ort, feed));
    for (const [name, resident] of job.resident.inputs) values.set(name, this.#resident.front(resident));
    const kept = new Map<string, Tensor>();
    const wanted = new Set([...job.outputs, ...job.resident.outputs.keys()]);
    for (const [index, segment] of job.segments.entries()) {
      trail.segment = index;
      this.#checkAbort(job, trail);
      const session = await this.#session(ort, segment, trail);
      if (job.compileOnly) continue;
      const results = await this.#runSegment(session, { job, segment, values, trail });
      for (const [name, tensor] of Object.entries(results)) {
        values.set(name, tensor);
        if (wanted.has(name)) kept.set(name, tensor);
      }
      for (const name of segment.drop) values.delete(name);
      if (segment.isOnce) await this.#release([segment.session]);
      this.#post({ type: "progress", id: job.id, done: index + 1 });
    }
    this.#checkAbort(job, trail);
    this.#finish(job, kept, trail);
  }

  async #session(ort: Ort, segment: SegmentJob, trail: Trail): Promise<InferenceSession> {
    const known = this.#sessions.get(segment.session);
    if (known !== undefined) return known;
    const source = need(segment.source, `source of session ${segment.session}`);
    trail.phase = "create";
    const begin = performance.now();
    const session = await whileBusy(this.#setup.control, () => createSession(ort, source, this.#setup));
    trail.createMs += performance.now() - begin;
    this.#sessions.set(segment.session, session);
    trail.created.push(segment.session);
    return session;
  }

  async #runSegment(session: InferenceSession, step: Step): Promise<Record<string, Tensor>> {
    const { job, segment, values, trail } = step;
    trail.phase = "run";
    const feeds: Record<string, Tensor> = {};
    for (const name of segment.inputs) feeds[name] = need(values.get(name), `value "${name}"`);
    const fetches: Record<string, Tensor | null> = {};
    for (const name of segment.outputs) {
      fetches[name] = this.#destination(session, job, name);
    }
    const begin = performance.now();
    const results = await whileBusy(this.#setup.control, () => session.run(feeds, fetches));
    trail.runMs += performance.now() - begin;
    return results;
  }

  #destination(session: InferenceSession, job: RunJob, name: string): Tensor | null {
    const resident = job.resident.outputs.get(name);
    if (resident !== undefined) return this.#resident.back(resident, session, name);
    const destination = job.destinations.get(name);
    if (destination === undefined || !takesDestination(session, name, destination.shape)) return null;
    return toOrt(this.#loaded(), destination);
  }

  #finish(job: RunJob, kept: ReadonlyMap<string, Tensor>, trail: Trail): void {
    const outputs = new Map<string, RawTensor>();
    const resident = new Map<string, ResidentShape>();
    for (const name of job.outputs) {
      const raw = fromOrt(need(kept.get(name), `output "${name}"`));
      outputs.set(name, job.resident.outputs.has(name) ? copyTensor(raw) : ownBuffer(raw));
    }
    for (const [name, residentName] of job.resident.outputs) {
      const tensor = need(kept.get(name), `output "${name}"`);
      resident.set(residentName, this.#resident.commit(residentName, tensor));
    }
    this.#done(job, { outputs, resident }, trail);
  }

  #put(job: PutJob): Result {
    const shape = this.#resident.put(job.name, toOrt(this.#loaded(), job.tensor));
    return { outputs: new Map(), resident: new Map([[job.name, shape]]) };
  }

  #get(job: GetJob): Result {
    const tensor = copyTensor(fromOrt(this.#resident.front(job.name)));
    return { outputs: new Map([[job.name, tensor]]), resident: new Map() };
  }

  #drop(job: DropJob): Result {
    this.#resident.drop(job.name);
    return { outputs: new Map(), resident: new Map() };
  }

  #done(job: Job, result: Result, trail: Trail): void {
    this.#post({ type: "done", id: job.id, ...result, cost: costOf(trail) }, buffersOf(result.outputs.values()));
  }

  #fail(job: Job, trail: Trail, error: unknown): void {
    const phase = isStopped(this.#setup.control) ? "stopped" : trail.phase;
    const message = error instanceof Error ? error.message : String(error);
    this.#post({ type: "failed", id: job.id, phase, segment: trail.segment, message, cost: costOf(trail) });
  }

  async #releaseOnce(job: RunJob): Promise<void> {
    await this.#release(job.segments.filter(({ isOnce }) => isOnce).map(({ session }) => session));
  }

  async #release(ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      const session = this.#sessions.get(id);
      this.#sessions.delete(id);
      if (session === undefined || isStopped(this.#setup.control)) continue;
      await whileBusy(this.#setup.control, () => session.release()).catch(() => undefined);
    }
  }

  #loaded(): Ort {
    if (this.#ort !== undefined) return this.#ort;
    throw this.#loadError;
  }

  #checkAbort(job: RunJob, trail: Trail): void {
    if (!isAborted(this.#setup.control, job.id)) return;
    trail.phase = "aborted";
    throw new AbortedError({
      where: "engine.run",
      got: "an aborted signal",
      expected: "to run to the end",
      fix: "Call again without aborting to get the result.",
    });
  }
}

type Result = Pick<DoneReply, "outputs" | "resident">;

interface Step {
  readonly job: RunJob;
  readonly segment: SegmentJob;
  readonly values: ReadonlyMap<string, Tensor>;
  readonly trail: Trail;
}

function costOf(trail: Trail): JobCost {
  return { created: trail.created, createMs: trail.createMs, runMs: trail.runMs };
}

function need<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw new InternalError({
    where: "engine: worker",
    got: `no ${what}`,
    expected: "an order that is complete",
    fix: "Please report it with the program that was run.",
  });
}
