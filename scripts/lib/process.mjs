/** Child processes and paths, for the project's own scripts. Needs nothing but Node. */
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");

/** Environment for every child: no GPU download by onnxruntime-node's install script, no update notices. */
export const childEnv = {
  ...process.env,
  ONNXRUNTIME_NODE_INSTALL: "skip",
  ONNXRUNTIME_NODE_INSTALL_CUDA: "skip",
  npm_config_audit: "false",
  npm_config_fund: "false",
  npm_config_update_notifier: "false",
};

const isWindows = process.platform === "win32";

/**
 * Runs a command in the project's folder and returns its exit code and output.
 *
 * `show` also passes the output on as it comes; otherwise it is only kept.
 */
export function run(command, args, { show = false, env = {}, cwd = root } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...childEnv, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      shell: isWindows && command === "npm",
    });
    let output = "";
    for (const [stream, target] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
        if (show) target.write(text);
      });
    }
    child.on("error", (error) => resolve({ code: 127, output: `${output}${error.message}\n` }));
    child.on("close", (code, signal) =>
      resolve({ code: code ?? 1, output: signal ? `${output}ended by ${signal}\n` : output }),
    );
  });
}

/** Tells whether a command can be started. */
export function hasCommand(command) {
  const probe = spawnSync(command, ["--version"], { stdio: "ignore", env: childEnv });
  return probe.error === undefined && probe.status === 0;
}

/** An end of a script that the user should read, without a stack trace. */
export class Stop extends Error {}

/** Runs `main`; a {@link Stop} prints its message and exits with code 1. */
export async function runScript(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    process.stderr.write(`\n${error.message}\n`);
    process.exitCode = 1;
  }
}

/** Returns seconds since `start` (from `performance.now()`), such as `12.3 s`. */
export function since(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}
