"use strict";
/**
 * Runs cells one after the other, and stops a "Run All" at the first error as Jupyter asks for.
 *
 * tslab's own queue drops every request of the 200 ms after an error, whatever the request says. Here:
 *
 * 1. After an error in a request with `stop_on_error` (the default), the reply waits for `drainMs`, in which requests that
 *    were sent together with the failed one arrive.
 * 2. Every request that has arrived by then is answered "aborted" in its turn.
 * 3. A request that comes later runs: whoever sends one after the reply means it.
 */

/** Time for the rest of a "Run All" to arrive, ms. */
const drainMs = 100;

class CellQueue {
  #tail = Promise.resolve();
  #generation = 0;

  /**
   * Adds a cell and resolves to its reply.
   *
   * `run` resolves to a reply with a `status`; `abort` returns the reply of a cell that is not run.
   */
  add({ run, abort, stopsOnError }) {
    const generation = this.#generation;
    const reply = this.#tail.then(async () => {
      if (generation < this.#generation) return abort();
      const done = await run();
      if (done.status === "error" && stopsOnError) await this.#dropWaiting();
      return done;
    });
    // The next one starts when this one's reply and "idle" have been sent.
    const sent = () => new Promise((resolve) => setImmediate(resolve));
    this.#tail = reply.then(sent, sent);
    return reply;
  }

  async #dropWaiting() {
    await new Promise((resolve) => setTimeout(resolve, drainMs));
    this.#generation += 1;
  }
}

module.exports = { CellQueue };
