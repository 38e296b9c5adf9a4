/** Talks to the PyTorch peer: one JSON request a line, one JSON answer a line. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** One timing request. */
export interface PeerRequest {
  readonly kind: "run";
  readonly tokens: readonly (readonly number[])[];
  readonly threads: number;
  readonly capture: boolean;
  readonly warmup: number;
  readonly runs: number;
}

/** Candidates of a naive removal loop, by place among attention and MLP of every layer. */
export interface CutsRequest {
  readonly tokens: readonly (readonly number[])[];
  readonly threads: number;
  readonly candidates: readonly number[];
}

/** A running peer. */
export interface Peer {
  /** Version of PyTorch and its BLAS, in words. */
  readonly version: string;
  /** Milliseconds of each run. */
  run(request: PeerRequest): Promise<readonly number[]>;
  /** Milliseconds of each candidate of FinerCut's naive loop. */
  cuts(request: CutsRequest): Promise<readonly number[]>;
  /** The best GFLOP/s of a square float32 product. */
  gemm(size: number, threads: number): Promise<number>;
  close(): void;
}

interface Channel {
  readonly version: string;
  ask(request: object): Promise<Record<string, unknown>>;
  close(): void;
}

async function open(file: string, args: readonly string[]): Promise<Channel> {
  const script = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn("/usr/bin/python3", [script, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, unknown>> =>
    JSON.parse(String((await lines.next()).value)) as Record<string, unknown>;
  const hello = await next();
  return {
    version: `PyTorch ${String(hello["torch"])} (${String(hello["blas"])})`,
    ask: (request) => {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return next();
    },
    close: () => {
      child.stdin.end();
    },
  };
}

/** Starts the peer on a checkpoint folder. */
export async function startPeer(folder: string): Promise<Peer> {
  const { version, ask, close } = await open("./peer.py", [folder]);
  return {
    version,
    run: async (request) => (await ask(request))["ms"] as readonly number[],
    cuts: async (request) => (await ask({ kind: "cuts", ...request }))["ms"] as readonly number[],
    gemm: async (size, threads) => Number((await ask({ kind: "gemm", size, threads }))["gflops"]),
    close,
  };
}

/** A running peer that trains. */
export interface TrainingPeer extends Pick<Peer, "version" | "gemm" | "close"> {
  /** Makes what later steps are taken of. */
  make(asked: {
    readonly what: "lm" | "sae" | "topk";
    readonly sizes: Readonly<Record<string, number>>;
  }): Promise<void>;
  /** Milliseconds of each step, and the process's peak of memory so far. */
  step(asked: {
    readonly threads: number;
    readonly runs: number;
  }): Promise<{ readonly ms: readonly number[]; readonly peakMb: number }>;
}

/** Starts the peer that trains. */
export async function startTrainingPeer(): Promise<TrainingPeer> {
  const { version, ask, close } = await open("./training-peer.py", []);
  return {
    version,
    make: async (asked) => {
      await ask({ kind: "make", ...asked });
    },
    step: async (asked) => {
      const answer = await ask({ kind: "step", ...asked });
      return { ms: answer["ms"] as readonly number[], peakMb: Number(answer["peak_mb"]) };
    },
    gemm: async (size, threads) => Number((await ask({ kind: "gemm", size, threads }))["gflops"]),
    close,
  };
}
