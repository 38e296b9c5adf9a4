import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const script = fileURLToPath(new URL("./child.ts", import.meta.url));

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
  readonly ms: number;
}

/** Runs a scenario of `child.ts`; sends `signal` once it prints "busy". */
function runChild(args: readonly string[], signal?: NodeJS.Signals): Promise<End> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--import", "tsx", script, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let [out, err, begin] = ["", "", performance.now()];
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      if (signal === undefined || !out.includes("busy")) return;
      begin = performance.now();
      child.kill(signal);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.on("close", (code, ended) => resolve({ code, signal: ended, out, err, ms: performance.now() - begin }));
  });
}

const abortMessage = /terminate called|core dumped|FATAL|libc\+\+abi|Napi::Error|Aborted \(/;

describe("a process ends cleanly", () => {
  test.each([
    ["exitWhileBusy", 0],
    ["exitCodeWhileBusy", 7],
    ["exitWhileStarting", 0],
    ["exitWhileClosing", 0],
    ["waitForTheRun", 0],
    ["closeWhileBusy", 0],
  ])("in scenario %s with code %i", async (scenario, code) => {
    const end = await runChild([scenario]);
    expect(end).toMatchObject({ code, signal: null });
    expect(end.err).toBe("");
  });

  test.each(["0", "20", "50", "100", "150", "200", "300"])(
    "when it exits %s ms after the engine started",
    async (ms) => {
      const end = await runChild(["exitSoonAfterStart", ms]);
      expect(end).toMatchObject({ code: 0, signal: null, err: "" });
    },
  );

  test.each([
    ["throwWhileBusy", "thrown on purpose"],
    ["rejectWhileBusy", "rejected on purpose"],
  ])("in scenario %s with the error and code 1", async (scenario, message) => {
    const end = await runChild([scenario]);
    expect(end).toMatchObject({ code: 1, signal: null });
    expect(end.err).toContain(message);
    expect(end.err).not.toMatch(abortMessage);
  });

  test.each(["SIGTERM", "SIGINT", "SIGKILL"] as const)("by %s during a run", async (signal) => {
    const end = await runChild(["waitForSignal"], signal);
    expect(end).toMatchObject({ code: null, signal, err: "" });
    expect(end.ms).toBeLessThan(2000);
  });

  test("through the user's own signal handler", async () => {
    const end = await runChild(["signalHandlerThatExits"], "SIGTERM");
    expect(end).toMatchObject({ code: 3, signal: null, err: "" });
  });

  test("and installs one exit handler for three engines", async () => {
    const end = await runChild(["exitWithSeveralEngines"]);
    expect(end).toMatchObject({ code: 0, out: "listeners added: 1\n", err: "" });
  });

  test("when it has nothing left to do, without being told to close", async () => {
    expect(await runChild(["endWhenIdle"])).toMatchObject({ code: 0, out: "42\n", err: "" });
  });
});
