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

/** A running peer. */
export interface Peer {
  /** Version of PyTorch and its BLAS, in words. */
  readonly version: string;
  /** Milliseconds of each run. */
  run(request: PeerRequest): Promise<readonly number[]>;
  /** The best GFLOP/s of a square float32 product. */
  gemm(size: number, threads: number): Promise<number>;
  close(): void;
}

/** Starts the peer on a checkpoint folder. */
export async function startPeer(folder: string): Promise<Peer> {
  const script = fileURLToPath(new URL("./peer.py", import.meta.url));
  const child = spawn("/usr/bin/python3", [script, folder], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, unknown>> =>
    JSON.parse(String((await lines.next()).value)) as Record<string, unknown>;
  const ask = (request: object): Promise<Record<string, unknown>> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return next();
  };
  const hello = await next();
  return {
    version: `PyTorch ${String(hello["torch"])} (${String(hello["blas"])})`,
    run: async (request) => (await ask(request))["ms"] as readonly number[],
    gemm: async (size, threads) => Number((await ask({ kind: "gemm", size, threads }))["gflops"]),
    close: () => {
      child.stdin.end();
    },
  };
}
