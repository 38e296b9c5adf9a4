"use strict";
/**
 * Starts the tslab kernel that belongs to limpid, with tslab 1.0.22's faults repaired:
 *
 * - `rewrite.cjs`: code that tslab miscompiles (shorthand and renaming across cells, awaits it does not see).
 * - `messages.cjs`, `queue.cjs`: execution counts, errors in replies and outputs, "Run All" that stops where it should.
 * - `errors.cjs`, `frames.cjs`: error texts with the cell's own lines and no folders of this machine.
 * - `session.cjs`: an interrupt stops what the cell started.
 * - `display.cjs`: a last expression that can be drawn is drawn.
 *
 * tslab is found through the node_modules folders above this package, then above the notebook. Notebooks run on a stock
 * tslab too; these files are comfort, and a tslab that they do not fit is started as it is.
 */
const fs = require("node:fs");
const { createRequire } = require("node:module");
const path = require("node:path");
const { repairExecutor } = require("./executor.cjs");
const { CellMaps, createTidyFrames } = require("./frames.cjs");
const { repairMessages } = require("./messages.cjs");
const { createRewrite } = require("./rewrite.cjs");
const { Session } = require("./session.cjs");

const packageRoot = path.resolve(__dirname, "../../..");
const repairedVersion = "1.0.22";
const compiler = "@tslab/typescript-for-tslab";

function say(text) {
  process.stderr.write(`limpid's kernel: ${text}\n`);
}

/** Returns the `require` of the installed tslab, so that what it loads is what tslab itself loads. */
function findTslab() {
  try {
    return createRequire(require.resolve("tslab/package.json", { paths: [packageRoot, process.cwd()] }));
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error;
    say("tslab is not installed. In the folder of your project: npm install limpid");
    return process.exit(1);
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
    // Another kernel may have been faster.
    if (error.code !== "EEXIST") say(`could not create ${link}: ${error.message}`);
  }
}

/** Returns a module of tslab, or an empty one when this version has none of that name. */
function loadPart(load, name) {
  try {
    return load(name);
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND" && error.code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw error;
    return {};
  }
}

/** Returns the names of functions that the repairs need and this tslab lacks. */
function findMissing({ jupyter, executor, ts }) {
  const needed = {
    "ZmqServer.handleExecute": jupyter.ZmqServer?.prototype.handleExecute,
    "ZmqServer.publishStatus": jupyter.ZmqServer?.prototype.publishStatus,
    "JupyterHandlerImpl.handleExecute": jupyter.JupyterHandlerImpl?.prototype.handleExecute,
    "JupyterHandlerImpl.handleExecuteImpl": jupyter.JupyterHandlerImpl?.prototype.handleExecuteImpl,
    createExecutor: executor.createExecutor,
    "TypeScript's createWatchCompilerHost": ts.createWatchCompilerHost,
  };
  return Object.keys(needed).filter((name) => typeof needed[name] !== "function");
}

/** Puts every repair in place. */
function repair({ jupyter, executor, ts }, maps) {
  const parts = {
    jupyter,
    maps,
    rewrite: createRewrite(ts),
    session: new Session(),
    tidyFrames: createTidyFrames(maps, { packageRoot, folder: process.cwd() }),
  };
  repairMessages(jupyter, parts);
  executor.createExecutor = repairExecutor(executor.createExecutor, parts);
}

/** Says when the installed tslab is not the one that the repairs were made for. */
function reportVersion(version, missing) {
  const found = `tslab ${version} is installed; the repairs are made for ${repairedVersion}`;
  if (missing.length > 0) {
    say(
      `${found} and need ${missing.join(", ")}, which it lacks. Cells run without them: "npm install limpid" brings ${repairedVersion}.`,
    );
  } else if (version !== repairedVersion) say(`${found}. If cells misbehave: npm install tslab@${repairedVersion}`);
}

function main() {
  linkCheckout();
  const load = findTslab();
  const maps = new CellMaps();
  const ts = loadPart(load, compiler);
  // tslab's modules take TypeScript when they are loaded, so it is replaced before.
  if (typeof ts.createWatchCompilerHost === "function")
    require.cache[load.resolve(compiler)].exports = maps.recording(ts);
  const tslab = { ts, jupyter: loadPart(load, "./dist/jupyter.js"), executor: loadPart(load, "./dist/executor.js") };
  const missing = findMissing(tslab);
  reportVersion(load("./package.json").version, missing);
  if (missing.length === 0) repair(tslab, maps);
  const { startKernel } = loadPart(load, "./dist/main.js");
  if (typeof startKernel !== "function") {
    say("it has no startKernel either, so nothing can be started.");
    process.exit(1);
  }
  startKernel({ configPath: process.argv[2], enableFindLocal: false });
}

if (require.main === module) main();
