/** The engine: compiles programs once, runs them one after the other in a worker thread. */
import { formatBytes, GraphError, InputError, interruptible, printsItself, throwIfAborted } from "../core/index.js";
import type { Value } from "../graph/index.js";
import { BufferPool } from "./buffer-pool.js";
import { copyTensor, detachTensor, takeTensors } from "./buffers.js";
import { destinations } from "./destinations.js";
import { closedDuring, closedError, failureError } from "./failures.js";
import { type BoundInput, bindSizes, checkFeeds, checkTensor, type Sizes } from "./feeds.js";
import { JobQueue } from "./job-queue.js";
import { type ProgramPlan, planProgram } from "./plan.js";
import type { DoneReply, FailedReply, Job, ResidentShape } from "./protocol.js";
import { Sessions, type Staged } from "./sessions.js";
import { physicalCores } from "./threads.js";
import type {
  EngineOptions,
  EngineStats,
  Feeds,
  Program,
  ProgramInfo,
  Provider,
  RawTensor,
  RunOptions,
} from "./types.js";
import { WorkerLink } from "./worker-link.js";

const defaultSessionCacheBytes = 1 << 30;

/**
 * Runs programs in one worker thread, so that the calling thread never freezes.
 *
 * Runs queue first in, first out. Compiled sessions are kept, least recently used first out, within
 * `sessionCacheBytes`. Nothing starts before the first use, and an idle engine does not keep the process alive. The
 * process may exit, throw or be signalled at any time; its exit waits (at most 10 s) for the segment that is running.
 */
export class Engine {
  static {
    printsItself(this.prototype);
  }

  readonly #threads: number;
  readonly #provider: Provider;
  readonly #sessions: Sessions;
  readonly #queue = new JobQueue();
  readonly #pool = new BufferPool();
  readonly #resident = new Map<string, ResidentShape>();
  readonly #totals = { createMs: 0, runMs: 0, runs: 0 };
  #link: WorkerLink | undefined;
  #startMs = 0;
  #lastId = 0;
  #closing: Promise<void> | undefined;

  private constructor(options: EngineOptions) {
    this.#threads = options.threads ?? physicalCores();
    this.#provider = options.provider ?? "cpu";
    this.#sessions = new Sessions(options.sessionCacheBytes ?? defaultSessionCacheBytes);
  }

  /**
   * Returns an engine; nothing starts until its first use.
   *
   * @throws InputError when an option is out of range.
   */
  static create(options: EngineOptions = {}): Engine {
    const { threads, provider, sessionCacheBytes } = options;
    if (threads !== undefined && (!Number.isInteger(threads) || threads < 1)) {
      throw badOption("threads", threads, "a whole number of 1 or more");
    }
    if (provider !== undefined && !["cpu", "webgpu", "cuda"].includes(provider)) {
      throw badOption("provider", provider, '"cpu", "webgpu" or "cuda"');
    }
    if (sessionCacheBytes !== undefined && !(sessionCacheBytes >= 0)) {
      throw badOption("sessionCacheBytes", sessionCacheBytes, "a number of bytes of 0 or more");
    }
    return new Engine(options);
  }

  /**
   * Compiles a program without running it.
   *
   * @throws GraphError when the segments do not fit together, CheckpointError when a weight file is missing or short,
   *   RunError when onnxruntime refuses a graph, UnsupportedError when the provider cannot start.
   */
  async prepare(program: Program, given: RunOptions = {}): Promise<ProgramInfo> {
    const where = "engine.prepare";
    const options = interruptible(given);
    this.#checkOpen(where);
    throwIfAborted(options.signal, where);
    const plan = planProgram(program);
    return this.#queue.add(
      where,
      async () => {
        const encodedBefore = this.#sessions.stats().encodeMs;
        const staged = await this.#stage(plan);
        const encodeMs = this.#sessions.stats().encodeMs - encodedBefore;
        const reply = await this.#runJob(
          where,
          { plan, staged, feeds: {}, destinations: new Map(), compileOnly: true },
          options,
        );
        this.#link?.release(this.#sessions.evict());
        return {
          sessions: staged.length,
          created: reply.cost.created.length,
          encodeMs,
          createMs: reply.cost.createMs,
        };
      },
      options.signal,
    );
  }

  /**
   * Runs a program and resolves to its outputs by name, in the order of `program.outputs`.
   *
   * Feeds are copied when this is called (or taken away with `transfer`), so that they may be changed afterwards.
   *
   * @throws InputError, DTypeError or ShapeError when the feeds do not fit the program's inputs; AbortedError,
   *   MemoryError, RunError, and what {@link Engine.prepare} throws. The engine stays usable after each of them.
   */
  async run(program: Program, feeds: Feeds, given: RunOptions = {}): Promise<Readonly<Record<string, RawTensor>>> {
    const where = "engine.run";
    const options = interruptible(given);
    this.#checkOpen(where);
    throwIfAborted(options.signal, where);
    const plan = planProgram(program);
    checkFeeds(where, plan.fed, feeds);
    bindSizes(where, boundInputs(plan.fed, feeds));
    const owned = takeTensors(feeds, options.transfer === true);
    return this.#queue.add(where, () => this.#execute(plan, owned, options), options.signal);
  }

  /**
   * Keeps a tensor in the engine under a name, for programs with `resident` inputs; replaces one of that name.
   *
   * Takes its turn among the runs.
   */
  async put(name: string, tensor: RawTensor, options: Pick<RunOptions, "transfer"> = {}): Promise<void> {
    const where = "engine.put";
    this.#checkOpen(where);
    checkTensor(`${where}: "${name}"`, tensor);
    const owned = options.transfer === true ? detachTensor(tensor) : copyTensor(tensor);
    await this.#queue.add(where, async () => {
      this.#remember(await this.#send(where, { type: "put", id: this.#nextId(), name, tensor: owned }));
    });
  }

  /**
   * Returns a copy of a resident tensor, as the runs before this call leave it.
   *
   * @throws InputError when there is none of that name.
   */
  async get(name: string): Promise<RawTensor> {
    const where = "engine.get";
    this.#checkOpen(where);
    return this.#queue.add(where, async () => {
      if (!this.#resident.has(name)) throw this.#notResident(where, name);
      const reply = await this.#send(where, { type: "get", id: this.#nextId(), name });
      const [tensor] = reply.outputs.values();
      if (tensor === undefined) throw this.#notResident(where, name);
      return tensor;
    });
  }

  /** Forgets a resident tensor; does nothing when there is none of that name. */
  async drop(name: string): Promise<void> {
    const where = "engine.drop";
    this.#checkOpen(where);
    await this.#queue.add(where, async () => {
      if (!this.#resident.delete(name)) return;
      await this.#send(where, { type: "drop", id: this.#nextId(), name });
    });
  }

  /**
   * Takes back results that nobody will read any more, so that later runs write into their memory.
   *
   * Their arrays are empty from now on.
   */
  recycle(results: Iterable<RawTensor>): void {
    for (const { data } of results) {
      if (this.#closing !== undefined || !(data.buffer instanceof ArrayBuffer)) continue;
      this.#pool.give(structuredClone(data.buffer, { transfer: [data.buffer] }));
    }
  }

  /** Returns counters since the engine was made. */
  stats(): EngineStats {
    let residentBytes = 0;
    for (const { bytes } of this.#resident.values()) residentBytes += bytes;
    return {
      ...this.#totals,
      ...this.#sessions.stats(),
      residentBytes,
      pending: this.#queue.pending,
      startMs: this.#link?.startMs ?? this.#startMs,
    };
  }

  /**
   * Ends the engine: waiting runs are rejected, the running one ends after its segment, memory is given back.
   *
   * Safe to call again; resolves when the worker thread has ended.
   */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  /** Same as {@link Engine.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Shows provider, threads and sessions in one line. */
  toString(): string {
    const { sessions, bytes } = this.#sessions.stats();
    const state = this.#closing === undefined ? `${sessions} sessions, ${formatBytes(bytes)}` : "closed";
    return `Engine(${this.#provider}, ${this.#threads} threads, ${state})`;
  }

  async #shutDown(): Promise<void> {
    this.#pool.clear();
    this.#queue.rejectWaiting(closedDuring("engine"));
    await this.#link?.close();
  }

  async #execute(plan: ProgramPlan, feeds: Feeds, options: RunOptions): Promise<Readonly<Record<string, RawTensor>>> {
    const where = "engine.run";
    const sizes = this.#bindAll(where, plan, feeds);
    const staged = await this.#stage(plan, sizes);
    try {
      const work = { plan, staged, feeds, destinations: destinations(plan, sizes, this.#pool), compileOnly: false };
      const reply = await this.#runJob(where, work, options);
      this.#remember(reply);
      return Object.fromEntries(reply.outputs);
    } finally {
      this.#totals.runs++;
    }
  }

  /** Checks sizes over fed and resident inputs together. */
  #bindAll(where: string, plan: ProgramPlan, feeds: Feeds): Sizes {
    const bound = boundInputs(plan.fed, feeds);
    for (const [name, input] of plan.residentInputs) {
      const resident = plan.program.resident?.inputs?.[name] ?? name;
      const tensor = this.#resident.get(resident);
      if (tensor === undefined) throw this.#notResident(where, resident);
      if (tensor.dtype !== input.dtype || tensor.shape.length !== input.shape.length) {
        throw misfit(where, resident, { input, tensor });
      }
      bound.push({ input, tensor });
    }
    return bindSizes(where, bound);
  }

  async #stage(plan: ProgramPlan, sizes?: Sizes): Promise<readonly Staged[]> {
    const { segments, released } = await this.#sessions.stage(plan, sizes);
    this.#link?.release(released);
    return segments;
  }

  async #runJob(where: string, work: Work, options: RunOptions): Promise<DoneReply> {
    const { plan, staged, feeds, compileOnly } = work;
    const { program } = plan;
    const job: Job = {
      type: "run",
      id: this.#nextId(),
      segments: staged.map((one) => one.job),
      feeds: new Map(Object.entries(feeds)),
      outputs: compileOnly ? [] : program.outputs,
      destinations: work.destinations,
      resident: {
        inputs: new Map(compileOnly ? [] : Object.entries(program.resident?.inputs ?? {})),
        outputs: new Map(compileOnly ? [] : Object.entries(program.resident?.outputs ?? {})),
      },
      compileOnly,
    };
    return this.#send(where, job, { staged, options });
  }

  async #send(where: string, job: Job, about: About = { staged: [], options: {} }): Promise<DoneReply> {
    if (this.#closing !== undefined) throw closedDuring(where);
    const { staged, options } = about;
    throwIfAborted(options.signal, where);
    this.#link ??= this.#start();
    const reply = await this.#link.send(job, options);
    this.#account(reply, staged);
    if (reply.type === "done") return reply;
    throw failureError(reply, {
      where,
      provider: this.#provider,
      segments: staged.length,
      signal: options.signal,
    });
  }

  #start(): WorkerLink {
    const link = new WorkerLink({ threads: this.#threads, provider: this.#provider }, () => {
      this.#startMs = link.startMs;
      this.#link = undefined;
      this.#sessions.clear();
      this.#resident.clear();
    });
    return link;
  }

  #account({ cost }: DoneReply | FailedReply, staged: readonly Staged[]): void {
    this.#totals.createMs += cost.createMs;
    this.#totals.runMs += cost.runMs;
    this.#sessions.finished(cost.created, staged);
  }

  #remember(reply: DoneReply): void {
    for (const [name, shape] of reply.resident) this.#resident.set(name, shape);
  }

  #notResident(where: string, name: string): InputError {
    return new InputError({
      where: `${where}: resident tensor "${name}"`,
      got: "a name that the engine does not hold",
      expected: `one of ${[...this.#resident.keys()].join(", ") || "none so far"}`,
      fix: "Put it first, or let a run write it.",
    });
  }

  #checkOpen(where: string): void {
    if (this.#closing !== undefined) throw closedError(where);
  }

  #nextId(): number {
    return ++this.#lastId;
  }
}

interface Work {
  readonly plan: ProgramPlan;
  readonly staged: readonly Staged[];
  readonly feeds: Feeds;
  readonly destinations: ReadonlyMap<string, RawTensor>;
  readonly compileOnly: boolean;
}

interface About {
  readonly staged: readonly Staged[];
  readonly options: RunOptions;
}

function boundInputs(inputs: readonly Value[], feeds: Feeds): BoundInput[] {
  return inputs.flatMap((input) => {
    const tensor = feeds[input.name];
    return tensor === undefined ? [] : [{ input, tensor }];
  });
}

function misfit(where: string, name: string, { input, tensor }: BoundInput): GraphError {
  return new GraphError({
    where: `${where}: resident tensor "${name}"`,
    got: `${tensor.dtype} [${tensor.shape.join(", ")}]`,
    expected: `${input.dtype} [${input.shape.join(", ")}] for input "${input.name}"`,
    fix: "Put a tensor of that type and rank.",
  });
}

function badOption(name: string, got: unknown, expected: string): InputError {
  return new InputError({
    where: `Engine.create: ${name}`,
    got: String(got),
    expected,
    fix: "Leave the option out for the default.",
  });
}
