"use strict";
/**
 * Stack traces as the reader of a notebook needs them: cells by number and source line, no folders of this machine.
 *
 * tslab compiles a cell twice, TypeScript to modules to CommonJS, and names every cell `evalmachine.<anonymous>`, so lines
 * of its traces fit no cell. Here both steps write source maps, and each cell's script is called `In[count]`.
 */
const { SourceMap } = require("node:module");
const path = require("node:path");
const { fileURLToPath } = require("node:url");

/** A frame: what stands before its place, file or cell, line, column, closing bracket. */
const frameParts =
  /^( +at (?:async )?(?:.* \()?)((?:file:\/\/|\/|[A-Za-z]:[\\/]|In\[\d+\]|evalmachine).*?):(\d+):(\d+)(\)?)$/;
const isKernelFrame =
  /[\\/]tslab[\\/](?:dist[\\/]|launch\.cjs)|[\\/]kernels[\\/]tslab[\\/]|\bnode:|^ +at new Promise \(<anon/;
/** Functions of cells longer ago lose their places. */
const maxCells = 1000;
const mapComment = /\n?\/\/# sourceMappingURL=(?:data:application\/json;base64,(\S+)|\S+)\s*$/;

/** Keeps the source maps of cells. */
class CellMaps {
  #compiled = new Map();
  #cells = new Map();

  /** Returns TypeScript's functions, with source maps from the two that tslab compiles cells with. */
  recording(ts) {
    const { createWatchCompilerHost, transpileModule } = ts;
    const own = {
      createWatchCompilerHost: (files, options, ...rest) =>
        createWatchCompilerHost(files, { ...options, inlineSourceMap: true }, ...rest),
      transpileModule: (code, options) => this.#transpile(transpileModule, code, options),
    };
    const replaced = Object.entries(own).map(([name, value]) => [name, { value, enumerable: true }]);
    return Object.defineProperties({}, { ...Object.getOwnPropertyDescriptors(ts), ...Object.fromEntries(replaced) });
  }

  #transpile(transpileModule, code, options) {
    const [comment, encoded] = mapComment.exec(code) ?? [];
    if (encoded === undefined) return transpileModule(code, options);
    const compilerOptions = { ...options.compilerOptions, sourceMap: true };
    const result = transpileModule(code.slice(0, -comment.length), { ...options, compilerOptions });
    const outputText = result.outputText.replace(mapComment, "\n");
    this.#compiled.set(outputText, [result.sourceMapText, Buffer.from(encoded, "base64").toString("utf8")]);
    return { ...result, outputText };
  }

  /** Returns compiled code that calls itself `name`; its frames are looked up with `toOriginal` of the rewritten code. */
  nameCell(output, name, { hasToplevelAwait, toOriginal }) {
    const texts = this.#compiled.get(output);
    this.#compiled.clear();
    if (texts === undefined) return output;
    // What tslab puts in front of the first line.
    const prefix = hasToplevelAwait ? "(async function(exports, require) { " : "(function(exports, require) { ";
    const lines = output.split("\n").length;
    this.#cells.delete(name);
    if (this.#cells.size >= maxCells) this.#cells.delete(this.#cells.keys().next().value);
    this.#cells.set(name, { texts, maps: undefined, prefix: prefix.length, lines, toOriginal });
    return `${output}\n//# sourceURL=${name}`;
  }

  /** Returns the place in the cell's source, both from 1, or `undefined` for code that the compiler added. */
  find(name, line, column) {
    const cell = this.#cells.get(name);
    // Beyond its own lines stands tslab's call of the cell.
    if (cell === undefined || line > cell.lines) return undefined;
    cell.maps ??= cell.texts.map((text) => new SourceMap(JSON.parse(text)));
    let at = { line: line - 1, character: column - 1 - (line === 1 ? cell.prefix : 0) };
    for (const map of cell.maps) {
      const entry = map.findEntry(at.line, at.character);
      if (entry.originalLine === undefined) return undefined;
      at = { line: entry.originalLine, character: entry.originalColumn };
    }
    // tslab puts one line, `export {};`, in front of a cell.
    if (at.line < 1) return undefined;
    const { line: row, character } = cell.toOriginal({ line: at.line - 1, character: at.character });
    return { line: row + 1, column: character + 1 };
  }
}

/**
 * Returns a function from a stack's frames (lines) to the frames to show.
 *
 * Paths lose this machine's folders: a package's file starts with the package's name, the notebook's own is relative.
 */
function createTidyFrames(maps, { packageRoot, folder }) {
  const tidyFrame = (frame) => {
    const [, before, file, line, column, after] = frameParts.exec(frame) ?? [];
    if (before === undefined) return frame;
    if (!file.startsWith("In[")) return `${before}${shorten(file, packageRoot, folder)}:${line}:${column}${after}`;
    const original = maps.find(file, Number(line), Number(column));
    if (original === undefined) return undefined;
    // tslab calls what another cell declared as a method of its exports, a Proxy.
    return `${before.replace(/\bProxy\.(?=\S+ \($)/, "")}${file}:${original.line}:${original.column}${after}`;
  };
  return (frames) =>
    frames
      .filter((frame) => !isKernelFrame.test(frame))
      .map(tidyFrame)
      .filter((frame) => frame !== undefined);
}

/** Returns a path without this machine's folders. */
function shorten(file, packageRoot, folder) {
  const plain = file.startsWith("file://") ? fileURLToPath(file) : file;
  const [, inPackage] = /.*[\\/]node_modules[\\/](.*)$/.exec(plain) ?? [];
  if (inPackage !== undefined) return inPackage;
  if (plain.startsWith(packageRoot + path.sep)) return path.join("limpid", path.relative(packageRoot, plain));
  const relative = path.relative(folder, plain);
  // From the root down, a relative path is as long as the absolute one.
  return /^(?:\.\.[\\/]){3}/.test(relative)
    ? path.join("…", path.basename(plain))
    : `.${path.sep}${relative}`.replace(/^\.[\\/]\.\./, "..");
}

module.exports = { CellMaps, createTidyFrames };
