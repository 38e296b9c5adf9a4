"use strict";
/** Repairs of tslab's side of the Jupyter protocol: what is published about a cell, and the reply to its request. */
const { describeFailure, describeThrown, interrupted, tidyText } = require("./errors.cjs");
const { CellQueue } = require("./queue.cjs");
const { Cell } = require("./session.cjs");

/** Repairs tslab's server and handler; `parts` are what the launcher put together. */
function repairMessages({ ZmqServer, JupyterHandlerImpl }, parts) {
  const publishers = new WeakMap();
  repairServer(ZmqServer.prototype, publishers, parts.session);
  repairHandler(JupyterHandlerImpl.prototype, publishers, parts);
}

/**
 * Lets each execute request publish messages of its own, and keeps the kernel's state true.
 *
 * tslab says "busy" when a request arrives, so the first of many that ends says "idle" while the next one runs. Here a
 * request is busy when it starts, and "idle" of a question asked meanwhile (completion, inspection) is taken back.
 */
function repairServer(prototype, publishers, session) {
  const { handleExecute, publishStatus } = prototype;
  prototype.handleExecute = function (socket, message) {
    publishers.set(message.content, (type, content) => {
      const reply = message.createReply();
      reply.header.msg_type = type;
      reply.content = content;
      reply.signAndSend(this.connInfo.key, this.iopub);
    });
    return handleExecute.call(this, socket, message);
  };
  prototype.publishStatus = function (status, message) {
    const isCell = message.header.msg_type === "execute_request";
    if (isCell && status === "busy") return;
    publishStatus.call(this, status, message);
    if (!isCell && status === "idle") sayBusy(session.running?.publish);
  };
}

function sayBusy(publish) {
  publish?.("status", { execution_state: "busy" });
}

/** Queues cells, and replies as Jupyter's protocol wants. */
function repairHandler(prototype, publishers, parts) {
  const { handleExecuteImpl } = prototype;
  const queue = new CellQueue();
  prototype.handleExecute = function (request, writeStream, writeDisplayData) {
    const publish = publishers.get(request);
    return queue.add({
      run: () => {
        sayBusy(publish);
        const write = createWrite(request, writeStream, parts.tidyFrames);
        return runCell({ handler: this, request, publish }, parts, (cell) =>
          handleExecuteImpl.call(this, request, write, createDisplay(request, writeDisplayData, cell)),
        );
      },
      abort: () => {
        sayBusy(publish);
        return { status: "aborted" };
      },
      stopsOnError: request.stop_on_error !== false && request.silent !== true,
    });
  };
}

/** Returns the function that a cell's output goes through. */
function createWrite({ silent }, writeStream, tidyFrames) {
  if (silent === true) return () => {};
  return (name, text) => writeStream(name, name === "stderr" ? tidyText(text, tidyFrames) : text);
}

/** Returns the function that a cell's rich output goes through. */
function createDisplay({ silent }, writeDisplayData, cell) {
  return (content, isUpdate) => {
    cell.noteDisplay(content);
    if (silent !== true) writeDisplayData(content, isUpdate);
  };
}

/** Runs one cell and returns the content of its reply. */
async function runCell({ handler, request, publish }, { session, tidyFrames }, execute) {
  const isQuiet = request.silent === true;
  const countBefore = handler.execCount;
  const cell = new Cell(countBefore + 1, publish);
  if (!isQuiet) publish("execute_input", { code: request.code, execution_count: cell.count });
  let failure;
  try {
    await session.run(cell, () => execute(cell));
  } catch (thrown) {
    // tslab throws a count when the cell failed, and errors only when it is broken itself.
    if (cell.reports.length > 0) failure = describeFailure(cell.reports, tidyFrames);
    else failure = describeThrown(thrown, tidyFrames);
    if (cell.signal.aborted) failure = interrupted;
    // A loop that was cut short may have left work behind.
    if (failure === interrupted) cell.interrupt();
  }
  if (isQuiet || request.store_history === false) handler.execCount = countBefore;
  if (failure === undefined) {
    return { status: "ok", execution_count: cell.count, payload: [], user_expressions: {} };
  }
  if (!isQuiet) publish("error", failure);
  return { status: "error", execution_count: cell.count, ...failure };
}

module.exports = { repairMessages };
