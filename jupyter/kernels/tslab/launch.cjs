"use strict";
/**
 * Starts the tslab kernel that belongs to limpid, with tslab 1.0.22's faults repaired.
 *
 * 1. tslab is found through the node_modules folders above this package, then above the notebook.
 * 2. Each cell's code passes through `fix.cjs` (syntax that tslab miscompiles).
 * 3. `execute_input` is published when the queued cell starts, so saved notebooks keep their execution counts.
 * 4. A failed cell's reply names the error; tslab leaves it empty.
 * 5. Error texts lose the kernel's own stack frames and this machine's folders.
 * 6. The reply to a failed cell waits until tslab takes cells again: for 200 ms after an error it drops them without a word.
 *
 * Notebooks run on a stock tslab too; this file is comfort.
 */
const fs = require("node:fs");
const path = require("node:path");
const { createFix } = require("./fix.cjs");

const packageRoot = path.resolve(__dirname, "../../..");
/** tslab refuses cells for 200 ms after an error. */
const refusalMs = 250;
/** The line that names an error: class, optional code, message. */
const errorLine = /^([\w$]*Error)\b(?: \[[^\]]*\])?:? ?(.*)$/m;

/** Returns a module from the node_modules folders above this package or above the notebook. */
function load(id) {
  try {
    return require(require.resolve(id, { paths: [packageRoot, process.cwd()] }));
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error;
    process.stderr.write(
      `limpid's kernel needs ${id}, which is not installed. In the folder of your project: npm install limpid\n`,
    );
    process.exit(1);
  }
}

/**
 * In a checkout, lets cells import the package by its own name.
 *
 * Node would find it, but the TypeScript of cells looks in node_modules only, and `npm install` removes the link there.
 */
function linkCheckout() {
  const modules = path.join(packageRoot, "node_modules");
  if (path.basename(path.dirname(packageRoot)) === "node_modules" || !fs.existsSync(modules)) return;
  const link = path.join(modules, "limpid");
  if (fs.existsSync(link)) return;
  try {
    fs.symlinkSync(process.platform === "win32" ? packageRoot : "..", link, "junction");
  } catch (error) {
    process.stderr.write(`limpid's kernel could not create ${link}: ${error.message}\n`);
  }
}

/** Returns what a Jupyter reply says about an error, from what the cell wrote to stderr. */
function describeError(writes) {
  const thrown = writes.findLast((text) => errorLine.test(text));
  const lines = (thrown ?? writes.join("")).trimEnd().split("\n");
  if (thrown === undefined) {
    const types = lines.filter((line) => /\d+:\d+ - /.test(line));
    return {
      ename: "TypeScriptError",
      evalue: types.join("\n") || lines.at(-1) || "the cell failed",
      traceback: lines,
    };
  }
  const start = lines.findIndex((line) => errorLine.test(line));
  const end = lines.findIndex((line, i) => i > start && /^ +at |^ *\{$|^\}$/.test(line));
  const [, ename = "Error", message = ""] = errorLine.exec(lines[start] ?? "") ?? [];
  const evalue = [message, ...lines.slice(start + 1, end < 0 ? undefined : end)].join("\n");
  return { ename, evalue, traceback: lines };
}

/**
 * Returns an error's text as a reader of the notebook needs it: no frames of the kernel, no folders of this machine.
 *
 * limpid's errors say everything in their message, so the list of their fields goes too.
 */
function tidy(text) {
  if (!errorLine.test(text) || !/^ +at /m.test(text)) return text;
  return text
    .replace(/^(?:file:|evalmachine|\/|[A-Z]:\\)[^\n]*:\d+\n[\s\S]*?\n\n(?=[\w$]*Error\b)/, "")
    .replace(
      /^ +at [^\n]*(?:node_modules[\\/]tslab[\\/]|launch\.cjs|node:vm|node:internal)[^\n]*?( \{)?\n/gm,
      (_, brace) => (brace ? " {\n" : ""),
    )
    .replace(/ ?\{\n {2}where: '[\s\S]*\n\}\n?$/, (dump) => (dump.includes("[cause]") ? dump : "\n"))
    .replace(/\n\n$/, "\n")
    .replaceAll(`file://${packageRoot}/`, "limpid/")
    .replaceAll(`${packageRoot}/`, "limpid/")
    .replaceAll(`${process.cwd()}/`, "./");
}

/** Lets each execute request publish messages of its own through its server. */
function patchServer(prototype, publishers) {
  const handleExecute = prototype.handleExecute;
  prototype.handleExecute = function (socket, message) {
    publishers.set(message.content, (type, content) => {
      const reply = message.createReply();
      reply.header.msg_type = type;
      reply.content = content;
      reply.signAndSend(this.connInfo.key, this.iopub);
    });
    return handleExecute.call(this, socket, message);
  };
}

/** Repairs code, counts and error replies of each cell, whatever else is queued. */
function patchHandler(prototype, publishers, fix) {
  const { handleExecute, handleExecuteImpl } = prototype;
  const stderrOf = new WeakMap();
  prototype.handleExecuteImpl = function (request, writeStream, writeDisplayData) {
    const writes = [];
    stderrOf.set(request, writes);
    publishers.get(request)?.("execute_input", { code: request.code, execution_count: this.execCount + 1 });
    const write = (name, text) => {
      const shown = name === "stderr" ? tidy(text) : text;
      if (name === "stderr") writes.push(shown);
      writeStream(name, shown);
    };
    return handleExecuteImpl.call(this, { ...request, code: fix(request.code) }, write, writeDisplayData);
  };
  prototype.handleExecute = async function (request, writeStream, writeDisplayData) {
    const reply = await handleExecute.call(this, request, writeStream, writeDisplayData);
    if (reply.status === "abort") return { ...reply, status: "aborted" };
    if (reply.status !== "error") return { ...reply, payload: [], user_expressions: {} };
    await new Promise((resolve) => setTimeout(resolve, refusalMs));
    return { ...reply, ...describeError(stderrOf.get(request) ?? []) };
  };
}

function main() {
  linkCheckout();
  const { ZmqServer, JupyterHandlerImpl } = load("tslab/dist/jupyter.js");
  const { startKernel } = load("tslab/dist/main.js");
  const publishers = new WeakMap();
  patchServer(ZmqServer.prototype, publishers);
  patchHandler(JupyterHandlerImpl.prototype, publishers, createFix(load("@tslab/typescript-for-tslab")));
  startKernel({ configPath: process.argv[2], enableFindLocal: false });
}

if (require.main === module) main();

module.exports = { describeError, tidy };
