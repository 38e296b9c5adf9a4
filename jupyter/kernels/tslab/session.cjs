"use strict";
/**
 * Which cell is running, and how it is stopped.
 *
 * JavaScript has no way to end code that waits: in tslab what an interrupted cell had begun goes on in the background. So
 * the cell also has an abort signal, and `globalThis[Symbol.for("limpid.cellSignal")]()` returns the one of the cell that
 * runs, or ran last. limpid's calls end with it, and with them the code that awaits them.
 */

const signalKey = Symbol.for("limpid.cellSignal");
/** An interrupted cell may take this long to end by itself, ms; a limpid run stops within 300 ms. */
const graceMs = 400;

/** One execution of a cell. */
class Cell {
  /** What tslab reported as errors: the arguments of each call. */
  reports = [];
  /** `{ value }` of the last expression. */
  last = undefined;
  /** Number of rich outputs and their updates so far. */
  displays = 0;
  #displayId = undefined;
  #controller = new AbortController();
  #stop;

  /** `publish(type, content)` sends a message that belongs to the cell's request. */
  constructor(count, publish) {
    this.count = count;
    this.publish = publish;
    /** Rejects when the cell is ended by force. */
    this.stopped = new Promise((_, reject) => {
      this.#stop = () => reject(new Error("the cell was interrupted"));
    });
    this.stopped.catch(() => {});
  }

  get signal() {
    return this.#controller.signal;
  }

  interrupt() {
    this.#controller.abort(new Error("the cell was interrupted"));
  }

  stop() {
    this.#stop();
  }

  /** Notes a rich output of the cell. */
  noteDisplay({ transient }) {
    this.displays += 1;
    this.#displayId = transient?.display_id;
  }

  /** Puts other data into the rich output that was made or updated last. */
  replaceDisplay(data) {
    this.publish("update_display_data", { data, metadata: {}, transient: { display_id: this.#displayId } });
  }
}

class Session {
  /** The cell that is running. */
  running = undefined;
  #latest = undefined;

  constructor() {
    globalThis[signalKey] = () => this.#latest?.signal;
  }

  /** Runs `body` as the code of `cell`. */
  async run(cell, body) {
    this.running = cell;
    this.#latest = cell;
    try {
      return await body();
    } finally {
      this.running = undefined;
    }
  }

  /**
   * Asks the running cell to end; ends it by `force` when it has not ended in time, or at once when asked again.
   *
   * A cell that catches the abort, to save its work for example, ends as it likes.
   */
  interrupt(force) {
    const cell = this.running;
    if (cell === undefined) return;
    const end = () => {
      if (this.running !== cell) return;
      cell.stop();
      force();
    };
    if (cell.signal.aborted) end();
    else setTimeout(end, graceMs);
    cell.interrupt();
  }
}

module.exports = { Cell, Session };
