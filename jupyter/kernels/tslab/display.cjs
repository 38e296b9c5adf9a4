"use strict";
/** A cell's last expression: drawn when it is something of limpid's that can be drawn, else printed as tslab does. */
const { inspect, types } = require("node:util");

/** Thrown into `show` when a promise turns out to be one of something that cannot be drawn. */
const notDrawable = Symbol("not drawable");

/**
 * Shows the value of a last expression.
 *
 * Once limpid is imported, a promise is awaited, as if `await` stood before it: its picture then stands under its cell
 * and its error fails it. Without limpid, all is tslab's own.
 *
 * @param limpid - The package as the notebook imported it, or `undefined`; it is never loaded from here.
 * @param cell - The running cell; `cell.stopped` rejects when it is interrupted for good.
 */
async function displayLast(value, limpid, cell) {
  if (typeof limpid?.show !== "function" || typeof limpid.toView !== "function") console.log(value);
  else if (types.isPromise(value)) await displayPromise(value, limpid, cell);
  else await displayValue(value, limpid);
}

async function displayValue(value, limpid) {
  try {
    if (isDrawable(value, limpid)) await limpid.show(limpid.toView(value));
    else print(value);
  } catch (error) {
    checkRefusal(error);
    print(value);
  }
}

/** Lets `show` say how long it takes, until the promise is settled. */
async function displayPromise(promise, limpid, cell) {
  let settled;
  const view = Promise.race([promise, cell.stopped]).then((value) => {
    settled = { value, displays: cell.displays };
    if (isDrawable(value, limpid)) return limpid.toView(value);
    throw notDrawable;
  });
  try {
    await limpid.show(view);
  } catch (error) {
    if (settled === undefined) throw error;
    if (error !== notDrawable) checkRefusal(error);
    // What was displayed since then is the end of the waiting line, where there was one.
    if (cell.displays > settled.displays) cell.replaceDisplay({ "text/plain": inspect(settled.value) });
    else print(settled.value);
  }
}

/** Throws an error again unless it says that a value cannot be drawn as it is, which is no fault of the cell. */
function checkRefusal(error) {
  // Too many axes, or too large an output.
  if (error?.code === "MEMORY") console.error(error.message);
  else if (error?.code !== "INPUT") throw error;
}

/** tslab prints neither null nor undefined. */
function print(value) {
  if (value !== null && value !== undefined) console.log(value);
}

function isDrawable(value, { Tensor, Shown }) {
  if (typeof value !== "object" || value === null) return false;
  // What `show` returns has been shown; it prints itself in one line.
  if (isA(value, Shown)) return false;
  return typeof value.toView === "function" || isA(value, Tensor);
}

function isA(value, constructor) {
  return typeof constructor === "function" && value instanceof constructor;
}

module.exports = { displayLast };
