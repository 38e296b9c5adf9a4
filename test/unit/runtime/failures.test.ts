import { describe, expect, test } from "vitest";
import { closedError, type FailureContext, failureError, workerDied } from "../../../src/runtime/failures.js";

const context: FailureContext = { where: "engine.run", provider: "cpu", segments: 3 };

describe("failureError", () => {
  test("names the node and the segment of a failed run", () => {
    const message =
      "Non-zero status code returned while running MatMul node. Name:'blocks.0.z' Status Message: matmul_helper.h:142 Compute MatMul dimension mismatch\n";
    const error = failureError({ phase: "run", segment: 1, message }, context);
    expect(error.code).toBe("RUN");
    expect(error.message).toBe(
      'engine.run: segment 2 of 3: MatMul node "blocks.0.z": got matmul_helper.h:142 Compute MatMul dimension mismatch; expected inputs that the operation accepts. Check the shapes and ids that reach this operation; if limpid built the graph, please report it.',
    );
  });

  test.each([
    ["MEMORY", "run", "std::bad_alloc", "cpu"],
    ["MEMORY", "run", "Failed to allocate memory for requested buffer of size 400000000000", "cpu"],
    ["CHECKPOINT", "create", "Load model failed: external data path does not exist", "cpu"],
    ["RUN", "create", "Fatal error: Foo is not a registered function/op", "cpu"],
    ["UNSUPPORTED", "create", "Failed to create a WebGPU device", "webgpu"],
    ["UNSUPPORTED", "create", "libcublasLt.so.12: cannot open shared object file", "cuda"],
    ["UNSUPPORTED", "load", "Cannot find package 'onnxruntime-node'", "cpu"],
    ["ABORTED", "aborted", "", "cpu"],
    ["ABORTED", "stopped", "", "cpu"],
  ] as const)("is %s for %s: %s", (code, phase, message, provider) => {
    expect(failureError({ phase, segment: 0, message }, { ...context, provider }).code).toBe(code);
  });

  test("says what to install for a provider that cannot start", () => {
    const webgpu = failureError(
      { phase: "create", segment: 0, message: "no adapter" },
      { ...context, provider: "webgpu" },
    );
    expect(webgpu.message).toContain('use provider "cpu"');
    expect(webgpu.message).toContain('expected a working "webgpu" provider');
  });

  test("keeps the reason of an abort", () => {
    const signal = AbortSignal.abort("enough");
    expect(failureError({ phase: "aborted", segment: 1, message: "" }, { ...context, signal }).cause).toBe("enough");
  });
});

describe("other ends", () => {
  test("a closed engine says how to get an open one", () => {
    expect(closedError("engine.run").message).toBe(
      "engine.run: got an engine that was closed; expected an open one. Make a new one with Engine.create().",
    );
  });

  test("a worker that ends by itself says that resident tensors are lost", () => {
    expect(workerDied("engine.run", new Error("heap")).message).toContain("the end of the worker thread (heap)");
  });
});
