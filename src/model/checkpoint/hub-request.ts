/**
 * One GET to the hub: redirects followed by hand, so that the token stays with the endpoint's host and the headers of
 * the first answer (commit, linked ETag and size) are seen.
 */
import type { ResolvedHub } from "./environment.js";

/** What the hub says about a file, and its bytes. */
export interface HubResponse {
  readonly status: number;
  /** Content hash: `X-Linked-Etag` of large files (a SHA-256), else `ETag`; without quotes. */
  readonly etag: string | undefined;
  /** Bytes of the whole file, when the hub says so. */
  readonly size: number | undefined;
  /** Where the body starts in the file: above 0 when a range was asked for and granted. */
  readonly start: number;
  /** `X-Error-Code`, such as `GatedRepo`. */
  readonly errorCode: string | undefined;
  /** Seconds that the hub asks to wait before a retry. */
  readonly retryAfter: number | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** Reads a short body as text. */
  readonly text: () => Promise<string>;
  /** Drops the connection; reading the body then fails. */
  readonly cancel: () => void;
}

/** What to ask for. */
export interface HubRequest {
  /** Path below the endpoint, beginning with a slash. */
  readonly path: string;
  /** First byte wanted. */
  readonly start?: number;
  /** Answers with the redirect itself once it names a large file's hash; nothing of the file is sent yet. */
  readonly isProbe?: boolean;
  readonly signal?: AbortSignal;
}

const maxRedirects = 10;

/** Sends one GET; only network failures throw. */
export async function requestHub(hub: ResolvedHub, request: HubRequest): Promise<HubResponse> {
  let url = new URL(hub.endpoint + request.path);
  const controller = new AbortController();
  const signals = [controller.signal, ...(request.signal === undefined ? [] : [request.signal])];
  const signal = AbortSignal.any(signals);
  const linked: LinkedHeaders = {};
  for (let hop = 0; ; hop++) {
    const response = await fetch(url, {
      headers: headersFor(hub, url, request.start ?? 0),
      redirect: "manual",
      signal,
    });
    Object.assign(linked, linkedHeaders(response.headers));
    const location = response.headers.get("location");
    const redirects = response.status >= 300 && response.status < 400 && location !== null;
    const isEnough = request.isProbe === true && linked.etag !== undefined;
    if (!redirects || isEnough) return describe(response, { ...linked, cancel: () => controller.abort() });
    await response.body?.cancel();
    if (hop === maxRedirects)
      throw new TypeError(`more than ${maxRedirects} redirects from ${hub.endpoint}${request.path}`);
    url = new URL(location, url);
  }
}

function headersFor(hub: ResolvedHub, url: URL, start: number): Record<string, string> {
  const isHub = url.origin === new URL(hub.endpoint).origin;
  return {
    // Compressed bodies would make lengths and ranges meaningless.
    "accept-encoding": "identity",
    "user-agent": "limpid",
    ...(start > 0 ? { range: `bytes=${start}-` } : {}),
    ...(isHub && hub.token !== undefined ? { authorization: `Bearer ${hub.token}` } : {}),
  };
}

interface LinkedHeaders {
  readonly etag?: string;
  readonly size?: number;
}

function linkedHeaders(headers: Headers): LinkedHeaders {
  const etag = unquoted(headers.get("x-linked-etag"));
  const size = integer(headers.get("x-linked-size"));
  return { ...(etag === undefined ? {} : { etag }), ...(size === undefined ? {} : { size }) };
}

function describe(response: Response, known: LinkedHeaders & { readonly cancel: () => void }): HubResponse {
  const { headers, status } = response;
  const place = placeOf(response);
  return {
    status,
    etag: known.etag ?? unquoted(headers.get("etag")),
    size: known.size ?? place.size,
    start: place.start,
    errorCode: headers.get("x-error-code") ?? undefined,
    retryAfter: integer(headers.get("retry-after")),
    body: response.body ?? emptyBody(),
    text: () => response.text(),
    cancel: known.cancel,
  };
}

/** Where a body belongs in its file, and the file's size. */
function placeOf({ headers, status }: Response): { start: number; size: number | undefined } {
  if (status !== 206) return { start: 0, size: integer(headers.get("content-length")) };
  const [, start = "0", size = ""] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "") ?? [];
  return { start: Number(start), size: integer(size) };
}

async function* emptyBody(): AsyncIterable<Uint8Array> {}

function unquoted(etag: string | null): string | undefined {
  return etag?.replace(/^W\//, "").replace(/^"|"$/g, "");
}

function integer(text: string | null): number | undefined {
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}
