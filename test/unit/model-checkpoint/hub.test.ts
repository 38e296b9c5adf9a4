import { statSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, readlink, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ProgressEvent } from "../../../src/core/index.js";
import { readAsFloat32 } from "../../../src/io/index.js";
import { type Checkpoint, type CheckpointOptions, openCheckpoint } from "../../../src/model/checkpoint/index.js";
import { freshFolder, smallFolder, writeTensors } from "./helpers.js";
import { commit, digest, type Fault, type ServedFile, startHub, type TestHub } from "./hub-server.js";

const encoder = new TextEncoder();
let files: Map<string, ServedFile>;
let hub: TestHub;
let cacheFolder: string;
let weights: Uint8Array;

beforeEach(async () => {
  const folder = await freshFolder();
  const data = Float32Array.from({ length: 20_000 }, (_, i) => i);
  await writeTensors(join(folder, "w"), { w: { dtype: "float32", shape: [20_000], data } });
  weights = await readFile(join(folder, "w"));
  files = new Map<string, ServedFile>([
    ["README.md", { content: encoder.encode("not needed") }],
    ["config.json", { content: encoder.encode('{"model_type":"gpt2"}') }],
    ["tokenizer.json", { content: encoder.encode('{"model":{}}') }],
    ["model.safetensors", { content: weights, isLarge: true }],
    ["pytorch_model.bin", { content: encoder.encode("not needed"), isLarge: true }],
  ]);
  hub = await startHub(files);
  cacheFolder = await freshFolder();
});
afterEach(async () => hub.close());

function open(more: CheckpointOptions = {}, id = "org/model"): Promise<Checkpoint> {
  const { hub: hubOptions, ...rest } = more;
  return openCheckpoint(id, {
    ...rest,
    hub: { endpoint: hub.endpoint, cacheFolder, retryDelayMs: 1, offline: false, ...hubOptions },
  });
}

const modelFolder = (): string => join(cacheFolder, "models--org--model");
const blobs = (): Promise<string[]> => readdir(join(modelFolder(), "blobs"));

/** A fault for requests of the CDN for the weights (or of `path`), the first `times` times. */
function onWeights(times: number, act: Fault, path = "/model.safetensors"): Fault {
  let left = times;
  return (request, response) => request.url === path && left-- > 0 && act(request, response);
}

/** Sends the headers and `bytes` of the weights, waits until they are on the disk, then breaks the connection. */
const cut =
  (bytes: number): Fault =>
  (request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const range = { "content-range": `bytes ${start}-${weights.length - 1}/${weights.length}` };
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": weights.length - start,
      ...(start > 0 ? range : {}),
    });
    response.write(weights.subarray(start, start + bytes));
    const partial = join(modelFolder(), "blobs", `${digest("sha256", weights)}.incomplete`);
    const poll = setInterval(() => {
      const size = statSync(partial, { throwIfNoEntry: false })?.size ?? 0;
      if (size < start + bytes) return;
      clearInterval(poll);
      response.destroy();
    }, 5);
    return true;
  };

describe("downloading a model by its hub id", () => {
  it("fetches only what is needed, into the layout of huggingface_hub", async () => {
    const events: ProgressEvent[] = [];
    const checkpoint = await open({ onProgress: (event) => events.push(event) });
    const folder = join(modelFolder(), "snapshots", commit);
    expect(checkpoint).toMatchObject({ id: "org/model", folder, revision: commit, tokenizerFolder: folder });
    expect((await readdir(folder)).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
    expect(await readFile(join(modelFolder(), "refs/main"), "utf8")).toBe(commit);
    const blob = digest("sha256", weights);
    expect(await readlink(join(folder, "model.safetensors"))).toBe(join("..", "..", "blobs", blob));
    expect((await blobs()).sort()).toEqual(
      [
        blob,
        digest("sha1", encoder.encode('{"model_type":"gpt2"}')),
        digest("sha1", encoder.encode('{"model":{}}')),
      ].sort(),
    );
    const stored = checkpoint.tensors.get("w");
    expect(stored?.path).toBe(join(modelFolder(), "blobs", blob));
    expect(stored && (await readAsFloat32(stored)).data.at(-1)).toBe(19_999);
    expect(events.at(-1)).toEqual({ done: weights.length, total: weights.length, label: "download model.safetensors" });
  });

  it("uses the cache without a request the next time, and when offline", async () => {
    const first = await open();
    hub.log.length = 0;
    expect((await open()).identity).toBe(first.identity);
    expect((await open({ hub: { offline: true } })).folder).toBe(first.folder);
    expect((await open({ revision: commit })).folder).toBe(first.folder);
    expect(hub.log).toEqual([]);
  });

  it("reads a cache that huggingface_hub filled", async () => {
    const small = await smallFolder();
    const folder = join(modelFolder(), "snapshots", commit);
    await mkdir(folder, { recursive: true });
    await mkdir(join(modelFolder(), "refs"));
    await writeFile(join(modelFolder(), "refs/main"), commit);
    for (const name of await readdir(small)) await writeFile(join(folder, name), await readFile(join(small, name)));
    expect((await open({ hub: { offline: true } })).tensors.size).toBe(2);
  });

  it("fetches what a cached snapshot lacks", async () => {
    await open();
    await rm(join(modelFolder(), "blobs", digest("sha256", weights)));
    hub.log.length = 0;
    await open();
    expect(hub.log.filter((line) => line.startsWith("GET /model.safetensors"))).toHaveLength(1);
    expect(hub.log.filter((line) => line.includes("README") || line.includes("pytorch"))).toEqual([]);
  });

  it("fetches the shards that an index names", async () => {
    files.delete("model.safetensors");
    files.delete("pytorch_model.bin");
    const index = { weight_map: { w: "model-00001-of-00001.safetensors" } };
    files.set("model.safetensors.index.json", { content: encoder.encode(JSON.stringify(index)) });
    files.set("model-00001-of-00001.safetensors", { content: weights, isLarge: true });
    expect((await open()).tensors.get("w")?.shape).toEqual([20_000]);
  });

  it("sends the token to the endpoint's host and to no other", async () => {
    await open({ hub: { token: "hf_secret" } });
    const [api] = hub.log;
    expect(api).toContain("Bearer hf_secret");
    const cdn = hub.log.filter((line) => line.startsWith("GET /model.safetensors"));
    expect(cdn).toEqual(["GET /model.safetensors"]);
  });
});

describe("a download that is disturbed", () => {
  it("goes on after the connection is cut, with a range request for the rest", async () => {
    hub.fault = onWeights(1, cut(30_000));
    const { tensors } = await open();
    expect(tensors.size).toBe(1);
    expect(hub.log).toContain("GET /model.safetensors bytes=30000-");
    expect(await blobs()).toHaveLength(3);
  });

  it("goes on in a later call, and shows nothing under a final name before", async () => {
    // Every connection ends without a byte after the first part.
    let first = true;
    hub.fault = onWeights(99, (request, response) => {
      const bytes = first ? 30_000 : 0;
      first = false;
      return cut(bytes)(request, response);
    });
    await expect(open()).rejects.toThrow(
      /download org\/model\/model.safetensors: got repeated failures .*expected an answer from/,
    );
    const partial = `${digest("sha256", weights)}.incomplete`;
    expect((await blobs()).filter((name) => name.startsWith(digest("sha256", weights)))).toEqual([partial]);
    expect(await readdir(join(modelFolder(), "snapshots", commit))).not.toContain("model.safetensors");
    await expect(lstat(join(modelFolder(), "refs"))).rejects.toThrow("ENOENT");
    hub.fault = undefined;
    hub.log.length = 0;
    await open();
    expect(hub.log).toContain("GET /model.safetensors bytes=30000-");
    expect(await blobs()).not.toContain(partial);
  });

  it("starts again where the hub has no ranges", async () => {
    hub.fault = (request, response) => {
      if (request.url !== "/model.safetensors") return false;
      if (request.headers.range === undefined && !hub.log.includes("GET /model.safetensors bytes=30000-")) {
        return cut(30_000)(request, response);
      }
      response.writeHead(200, { "content-length": weights.length }).end(weights);
      return true;
    };
    expect((await open()).tensors.size).toBe(1);
  });

  it("finishes a part that was whole but not yet renamed", async () => {
    await mkdir(join(modelFolder(), "blobs"), { recursive: true });
    await writeFile(join(modelFolder(), "blobs", `${digest("sha256", weights)}.incomplete`), weights);
    expect((await open()).tensors.size).toBe(1);
  });

  it("throws away a part that belongs to something else", async () => {
    await mkdir(join(modelFolder(), "blobs"), { recursive: true });
    const partial = join(modelFolder(), "blobs", `${digest("sha256", weights)}.incomplete`);
    for (const wrong of [new Uint8Array(1000).fill(7), new Uint8Array(weights.length + 10)]) {
      await rm(join(modelFolder(), "blobs", digest("sha256", weights)), { force: true });
      await writeFile(partial, wrong);
      expect((await open()).tensors.size).toBe(1);
    }
  });

  it("tries again after 503 and 429", async () => {
    let count = 0;
    hub.fault = (_request, response) => {
      count++;
      if (count > 3) return false;
      response.writeHead(count === 2 ? 429 : 503, { "retry-after": "0" }).end("busy");
      return true;
    };
    expect((await open()).tensors.size).toBe(1);
  });

  it("gives up in the end, and says what failed", async () => {
    hub.fault = (_request, response) => {
      response.writeHead(500).end();
      return true;
    };
    await expect(open()).rejects.toThrow(
      /no folder of this name, nothing whole in .*models--org--model, and http.* failed \(HTTP 500\)/,
    );
  });

  it("refuses a wrong checksum and removes the file", async () => {
    const wrong = Uint8Array.from(weights);
    wrong[wrong.length - 1] = 99;
    hub.fault = onWeights(9, (_request, response) => {
      response.writeHead(200, { "content-length": wrong.length }).end(wrong);
      return true;
    });
    await expect(open()).rejects.toThrow(
      `got a file with SHA-256 ${digest("sha256", wrong)}; expected SHA-256 ${digest("sha256", weights)}, as the hub states.`,
    );
    expect(await blobs()).toHaveLength(2);
  });

  it("refuses a file of the wrong size", async () => {
    hub.fault = onWeights(9, (_request, response) => {
      response.writeHead(200).end(new Uint8Array(weights.length + 4));
      return true;
    });
    await expect(open()).rejects.toThrow(`got ${weights.length + 4} bytes; expected ${weights.length} bytes`);
  });

  it("stops when aborted and keeps what arrived", async () => {
    const controller = new AbortController();
    hub.fault = onWeights(1, (_request, response) => {
      response.writeHead(200, { "content-length": weights.length });
      response.write(weights.subarray(0, 20_000));
      return true;
    });
    const onProgress = ({ done, label }: ProgressEvent): void => {
      if (label.endsWith("model.safetensors") && done > 0) controller.abort();
    };
    await expect(open({ signal: controller.signal, onProgress })).rejects.toMatchObject({ code: "ABORTED" });
    hub.fault = undefined;
    hub.log.length = 0;
    await open();
    expect(hub.log).toContain("GET /model.safetensors bytes=20000-");
  });

  it("is shared by calls at the same time", async () => {
    await Promise.all([open(), open(), open()]);
    expect(await blobs()).toHaveLength(3);
  });

  it("takes over the lock of a process that is gone", async () => {
    await mkdir(join(modelFolder(), "blobs"), { recursive: true });
    const lock = join(modelFolder(), "blobs", `${digest("sha256", weights)}.limpid-lock`);
    await writeFile(lock, "");
    await utimes(lock, new Date(0), new Date(0));
    expect((await open()).tensors.size).toBe(1);
    expect(await blobs()).toHaveLength(3);
  });
});

describe("what the hub refuses", () => {
  it("names where to ask for a gated model", async () => {
    await expect(open({}, "org/gated")).rejects.toThrow(
      `hub model org/gated: got HTTP 401 (Access is restricted.) from ${hub.endpoint}; expected access to this gated model. ` +
        `Accept its terms at ${hub.endpoint}/org/gated, and set HF_TOKEN if it is private or gated.`,
    );
    await expect(open({ hub: { token: "x" } }, "org/gated")).rejects.toThrow(
      "use an HF_TOKEN of an account with access",
    );
  });

  it("says that a model does not exist", async () => {
    await expect(open({}, "org/other")).rejects.toThrow(
      `hub model org/other: got HTTP 404 (Repository not found) from ${hub.endpoint}; expected an existing model id`,
    );
  });

  it("lists the revisions when one does not exist", async () => {
    await expect(open({ revision: "v9" })).rejects.toThrow(
      'expected a branch, tag or commit other than "v9". Check revision. There are: "main", "v1".',
    );
  });

  it("lists the files of a repository that holds no model", async () => {
    files.clear();
    files.set("model.gguf", { content: encoder.encode("x") });
    await expect(open()).rejects.toThrow(
      'got a repository with the files "model.gguf"; expected config.json and weights',
    );
  });

  it("says what is missing when offline", async () => {
    await expect(open({ hub: { offline: true } })).rejects.toThrow(
      /hub model org\/model: got offline mode, and no revision "main" in .*models--org--model; .*Unset HF_HUB_OFFLINE/,
    );
    await open();
    await rm(join(modelFolder(), "blobs", digest("sha256", weights)));
    await expect(open({ hub: { offline: true } })).rejects.toThrow('no "weights" in');
  });

  it("lists the files of a repository when one disappears", async () => {
    files.set("tokenizer_config.json", { content: encoder.encode("{}") });
    hub.fault = onWeights(
      1,
      (_request, response) => {
        response.writeHead(404, { "x-error-code": "EntryNotFound" }).end("Entry not found");
        return true;
      },
      `/org/model/resolve/${commit}/tokenizer_config.json`,
    );
    await expect(open()).rejects.toThrow("hub model org/model: tokenizer_config.json: got HTTP 404 (Entry not found)");
  });

  it("refuses file names that leave the cache", async () => {
    files.set("../../evil.json", { content: encoder.encode("{}") });
    await expect(open()).rejects.toThrow('got a file named "../../evil.json"; expected names inside the repository');
    await expect(open({ revision: "../x" })).rejects.toThrow('got a file named "../x"');
  });
});

describe("the environment", () => {
  it("sets endpoint, token, cache and offline mode", async () => {
    const { resolveHub, limpidCacheFolder } = await import("../../../src/model/checkpoint/environment.js");
    const before = { ...process.env };
    const without = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
      Object.fromEntries(Object.entries(env).filter(([name]) => !/^(?:HF_|HUGGINGFACE_|LIMPID_|XDG_)/.test(name)));
    try {
      process.env = without(before);
      Object.assign(process.env, {
        HF_ENDPOINT: "http://mirror/",
        HF_TOKEN: "t",
        HF_HOME: "/h",
        HF_HUB_OFFLINE: "1",
        LIMPID_CACHE: "/l",
      });
      expect(resolveHub()).toEqual({
        endpoint: "http://mirror",
        token: "t",
        cacheFolder: "/h/hub",
        offline: true,
        retryDelayMs: 500,
      });
      expect(limpidCacheFolder()).toBe("/l");
      process.env["HF_HUB_CACHE"] = "/c";
      expect(resolveHub().cacheFolder).toBe("/c");
      process.env = without(before);
      process.env["XDG_CACHE_HOME"] = "/x";
      const { endpoint, cacheFolder: folder, offline } = resolveHub();
      expect([endpoint, folder, offline]).toEqual(["https://huggingface.co", "/x/huggingface/hub", false]);
      expect(limpidCacheFolder()).toBe("/x/limpid");
    } finally {
      process.env = before;
    }
  });
});
