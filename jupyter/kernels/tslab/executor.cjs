"use strict";
/** Repairs of tslab's executor, which compiles a cell, runs it and prints its last expression. */
const { displayLast } = require("./display.cjs");

/** limpid asks here where a long call that was given no `onProgress` shows its bar. */
const progressKey = Symbol.for("limpid.cellProgress");

/** Returns `createExecutor` with every repair of one cell's run. `parts` are what the launcher put together. */
function repairExecutor(createExecutor, parts) {
  const { session } = parts;
  return (folder, converters) => {
    // tslab prints nothing but last expressions and errors through these.
    const sink = {
      log: (value) => {
        session.running.last = { value };
      },
      error: (...report) => void session.running.reports.push(report),
    };
    const executor = createExecutor(folder, repairConverters(converters, parts), sink);
    const importedPackage = watchImports(parts.jupyter);
    globalThis[progressKey] = () => importedPackage()?.progress?.();
    return {
      ...executor,
      execute: async (code) => {
        const cell = session.running;
        if (!(await executor.execute(code))) return false;
        // A cell that defines a module succeeds, with complaints.
        for (const report of cell.reports) console.error(...report);
        if (cell.last === undefined) return true;
        return settle(cell, Promise.race([displayLast(cell.last.value, importedPackage(), cell), cell.stopped]));
      },
      interrupt: () => session.interrupt(() => executor.interrupt()),
    };
  };
}

/** Tells whether `work` succeeded; its error is the cell's. */
async function settle(cell, work) {
  try {
    await work;
    return true;
  } catch (error) {
    cell.reports.push([error]);
    return false;
  }
}

function repairConverters(converters, parts) {
  return {
    get node() {
      return { ...converters.node, convert: createConvert(converters.node, parts) };
    },
    get browser() {
      return converters.browser;
    },
    close: () => converters.close(),
  };
}

/** Returns `convert` with rewritten code, complaints at the places that the user sees, and a name for stack traces. */
function createConvert(converter, { session, rewrite, maps }) {
  return (declarations, written) => {
    const { code, toOriginal } = rewrite(written);
    const result = converter.convert(declarations, code);
    const diagnostics = result.diagnostics.map((found) =>
      found.fileName === undefined
        ? {
            ...found,
            start: { ...found.start, ...toOriginal(found.start) },
            end: { ...found.end, ...toOriginal(found.end) },
          }
        : found,
    );
    if (!result.output) return { ...result, diagnostics };
    const { hasToplevelAwait } = result;
    const output = maps.nameCell(result.output, `In[${session.running.count}]`, { hasToplevelAwait, toOriginal });
    return { ...result, diagnostics, output };
  };
}

/**
 * Notes when a cell imports limpid, and returns a function that returns what it got, or `undefined`.
 *
 * A cell that asks for tslab's inside gets that of the running kernel, wherever the notebook lies.
 */
function watchImports(jupyter) {
  const kernel = globalThis.__tslab__;
  let imported;
  kernel.require = new Proxy(kernel.require, {
    apply: (target, self, args) => {
      if (args[0] === "tslab/dist/jupyter.js") return jupyter;
      const module = Reflect.apply(target, self, args);
      if (args[0] === "limpid") imported = module;
      return module;
    },
  });
  return () => imported;
}

module.exports = { repairExecutor };
