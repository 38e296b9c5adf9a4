/** A server on loopback that speaks the hub's paths, with a second one as its CDN, and faults on demand. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** A file of the repository; large ones are served through a redirect, with their SHA-256 as ETag. */
export interface ServedFile {
  readonly content: Uint8Array;
  readonly isLarge?: boolean;
}

/** What a fault may do instead of answering; `true` when it did. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A running hub. */
export interface TestHub {
  readonly endpoint: string;
  /** `METHOD path [range] [auth]` of every request, in order. */
  readonly log: string[];
  /** Called for every request before it is answered. */
  fault: Fault | undefined;
  readonly close: () => Promise<void>;
}

/** The one commit of the one model that the server knows, `org/model`. */
export const commit: string = "c0ffee".repeat(6) + "c0ff";

/** Starts the server with these files. */
export async function startHub(files: ReadonlyMap<string, ServedFile>): Promise<TestHub> {
  const log: string[] = [];
  const state: { fault: Fault | undefined } = { fault: undefined };
  const handle =
    (answer: (request: IncomingMessage, response: ServerResponse) => void) =>
    (request: IncomingMessage, response: ServerResponse): void => {
      const { range, authorization } = request.headers;
      log.push([request.method, request.url, range, authorization].filter((part) => part !== undefined).join(" "));
      if (state.fault?.(request, response) !== true) answer(request, response);
    };
  const cdn = createServer(handle((request, response) => serveBytes(files, request, response)));
  const cdnUrl = await listen(cdn);
  const hub = createServer(handle((request, response) => route({ files, cdnUrl }, request, response)));
  const endpoint = await listen(hub);
  return {
    endpoint,
    log,
    get fault() {
      return state.fault;
    },
    set fault(fault) {
      state.fault = fault;
    },
    close: async () => {
      await Promise.all([hub, cdn].map(stop));
    },
  };
}

/** Hash of the content, as hexadecimal. */
export function digest(algorithm: "sha1" | "sha256", content: Uint8Array): string {
  return createHash(algorithm).update(content).digest("hex");
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? `http://127.0.0.1:${address.port}` : "";
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

function refuse(response: ServerResponse, status: number, code: string, words: string): void {
  response.writeHead(status, { "x-error-code": code }).end(words);
}

function route(
  { files, cdnUrl }: { files: ReadonlyMap<string, ServedFile>; cdnUrl: string },
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const path = decodeURIComponent(request.url ?? "");
  if (path.startsWith("/api/models/org/gated/")) {
    refuse(response, 401, "GatedRepo", "Access is restricted.");
    return;
  }
  if (path === "/api/models/org/model/refs") {
    response.end(JSON.stringify({ branches: [{ name: "main" }], tags: [{ name: "v1" }] }));
    return;
  }
  if (path === "/api/models/org/model/revision/main") {
    const siblings = [...files.keys()].map((rfilename) => ({ rfilename }));
    response.end(JSON.stringify({ id: "org/model", sha: commit, siblings }));
    return;
  }
  if (path.startsWith("/api/models/org/model/revision/")) {
    refuse(response, 404, "RevisionNotFound", "Invalid rev id");
    return;
  }
  const prefix = `/org/model/resolve/${commit}/`;
  if (!path.startsWith(prefix)) {
    refuse(response, 404, "RepoNotFound", "Repository not found");
    return;
  }
  serveFile({ files, cdnUrl, name: path.slice(prefix.length) }, request, response);
}

function serveFile(
  place: { files: ReadonlyMap<string, ServedFile>; cdnUrl: string; name: string },
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const file = place.files.get(place.name);
  if (file === undefined) {
    refuse(response, 404, "EntryNotFound", "Entry not found");
    return;
  }
  response.setHeader("x-repo-commit", commit);
  if (file.isLarge !== true) {
    response.setHeader("etag", `W/"${digest("sha1", file.content)}"`);
    sendRange(file.content, request, response);
    return;
  }
  response.setHeader("x-linked-etag", `"${digest("sha256", file.content)}"`);
  response.setHeader("x-linked-size", String(file.content.length));
  response.writeHead(302, { location: `${place.cdnUrl}/${encodeURIComponent(place.name)}` }).end("Found. Redirecting");
}

function serveBytes(files: ReadonlyMap<string, ServedFile>, request: IncomingMessage, response: ServerResponse): void {
  const file = files.get(decodeURIComponent((request.url ?? "").slice(1)));
  response.setHeader("etag", '"the-cdn-has-other-etags"');
  sendRange(file?.content ?? new Uint8Array(), request, response);
}

/** Sends a body, or the part of it that `Range` asks for. */
export function sendRange(content: Uint8Array, request: IncomingMessage, response: ServerResponse): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (start === 0) {
    response.writeHead(200, { "content-length": content.length }).end(content);
    return;
  }
  if (start >= content.length) {
    response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
    return;
  }
  const range = `bytes ${start}-${content.length - 1}/${content.length}`;
  response
    .writeHead(206, { "content-range": range, "content-length": content.length - start })
    .end(content.subarray(start));
}
