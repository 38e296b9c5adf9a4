/**
 * Figures of plotly.js as plain JSON: checked, without anything that would ask the network.
 *
 * @see https://plotly.com/javascript/reference/ for what a figure may hold.
 */
import { InputError } from "../../core/index.js";

/** A value of JSON. */
export type Json = boolean | number | string | null | readonly Json[] | { readonly [key: string]: Json };

/** An object of JSON. */
export type JsonObject = Readonly<Record<string, Json>>;

/** A figure of plotly.js as it is handed in: typed arrays, tensors and dates may stand among plain values. */
export interface PlotlyFigure {
  /** The traces. */
  readonly data: readonly object[];
  readonly layout?: object | undefined;
  readonly config?: object | undefined;
  /** Frames of an animation. */
  readonly frames?: readonly object[] | undefined;
}

/** A figure of plotly.js as plain JSON. */
export interface PlotlyJson {
  readonly data: readonly JsonObject[];
  readonly layout: JsonObject;
  readonly config: JsonObject;
  readonly frames: readonly JsonObject[];
}

/** Which build of plotly.js draws a figure: the small one, or the one with all types of traces but maps. */
export type PlotlyBuild = "all" | "common";

const commonTraces = ["bar", "heatmap", "histogram", "scatter"];
const otherTraces =
  "barpolar box candlestick carpet cone contour contourcarpet funnel funnelarea histogram2d histogram2dcontour icicle image indicator isosurface mesh3d ohlc parcats parcoords pie quiver sankey scatter3d scattercarpet scattergl scatterpolar scatterpolargl scattersmith scatterternary splom streamtube sunburst surface table treemap violin volume waterfall".split(
    " ",
  );
const maps = /^(?:choropleth|scattergeo|(?:choropleth|density|scatter)(?:map|mapbox))$/;

const where = "viz.plotly";
/** Deeper figures are taken for cycles. */
const deepest = 40;

/**
 * Returns `figure` as plain JSON.
 *
 * NaN and infinities become `null`, which plotly.js draws as gaps. Long lists of numbers in traces become the typed
 * arrays of plotly.js, `{ dtype, bdata }`, without loss.
 *
 * @throws InputError when it is no figure, holds functions or cycles, or would ask the network.
 */
export function checkedFigure(figure: PlotlyFigure | string): PlotlyJson {
  const given: unknown = typeof figure === "string" ? parse(figure) : figure;
  if (!isObject(given) || !("data" in given) || !Array.isArray(given.data)) {
    throw new InputError({
      where: `${where}: figure`,
      got: describe(given),
      expected: "an object with a list of traces, data",
      fix: "Pass { data: [{ x: […], y: […] }], layout: {…} }, or such JSON as text.",
    });
  }
  const { data, layout, config, frames } = given as PlotlyFigure;
  const json = {
    data: data.map((trace, i) => objectOf(trace, `data[${i}]`, true)),
    layout: objectOf(layout ?? {}, "layout"),
    config: objectOf(config ?? {}, "config"),
    frames: (frames ?? []).map((frame, i) => objectOf(frame, `frames[${i}]`)),
  };
  if (json.data.length === 0) {
    const fix = "Check the selection that made the data.";
    throw new InputError({ where: `${where}: data`, got: "no traces", expected: "at least one trace", fix });
  }
  json.data.forEach((trace, i) => checkType(trace, i));
  checkSources(json, "");
  return json;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const fix = "Pass the figure itself, or what plotly wrote as JSON.";
    const got = "text that is not JSON";
    throw new InputError({ where: `${where}: figure`, got, expected: "JSON of a figure", fix }, { cause });
  }
}

function objectOf(value: unknown, path: string, isTrace = false): JsonObject {
  const json = clean(value, path, 0);
  if (!isJsonObject(json)) {
    const fix = "See the reference of plotly.js for what stands there.";
    throw new InputError({ where: `${where}: ${path}`, got: describe(value), expected: "an object", fix });
  }
  if (!isTrace) return json;
  return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, shortened(item)]));
}

/** Returns a JSON object or `undefined`. */
export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function clean(value: unknown, path: string, depth: number): Json {
  if (value === null || value === undefined) return null;
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "bigint") return Number(value);
  if (!isObject(value) || depth > deepest) {
    throw new InputError({
      where: `${where}: ${path}`,
      got: depth > deepest ? "objects within each other without end" : `a ${typeof value}`,
      expected: "what JSON can hold",
      fix: "Figures are data; leave code and cycles out.",
    });
  }
  return cleanObject(value, path, depth);
}

function cleanObject(value: object, path: string, depth: number): Json {
  const at = (item: unknown, key: number | string): Json => {
    return clean(item, typeof key === "number" ? `${path}[${key}]` : `${path}.${key}`, depth + 1);
  };
  if (value instanceof Date) return value.toISOString();
  if (isArrayHolder(value)) return clean(value.toArray(), path, depth + 1);
  if (isList(value)) return value.map(at);
  if (ArrayBuffer.isView(value)) return isIterable(value) ? Array.from(value, at) : null;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, at(item, key)]));
}

/** Tensors, and others that can be nested lists. */
function isArrayHolder(value: object): value is { toArray(): unknown } {
  return "toArray" in value && typeof value.toArray === "function";
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value;
}

/** Above this count lists of numbers are written as bytes. */
const listedCount = 1000;

/** Returns lists and rectangular lists of many numbers as typed arrays of plotly.js; anything else as it is. */
function shortened(value: Json): Json {
  const rows = isJsonObject(value) ? undefined : listOf(value);
  if (rows === undefined) return value;
  const width = listOf(rows[0])?.length;
  const isGrid = width !== undefined && rows.every((row) => listOf(row)?.length === width);
  const flat = isGrid ? rows.flatMap((row) => listOf(row) ?? []) : rows;
  if (flat.length <= listedCount || !flat.every((item) => item === null || typeof item === "number")) return value;
  const numbers = flat.map((item) => (typeof item === "number" ? item : Number.NaN));
  const single = Float32Array.from(numbers);
  const isSingle = numbers.every((number, i) => Object.is(number, single[i]));
  const bytes = new Uint8Array((isSingle ? single : Float64Array.from(numbers)).buffer);
  const shape = isGrid ? { shape: `${rows.length}, ${width}` } : {};
  return { dtype: isSingle ? "f4" : "f8", bdata: toBase64(bytes), ...shape };
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

function checkType(trace: JsonObject, index: number): void {
  const type = typeOf(trace);
  if (commonTraces.includes(type) || otherTraces.includes(type)) return;
  const isMap = maps.test(type);
  throw new InputError({
    where: `${where}: data[${index}].type`,
    got: `${JSON.stringify(type)}${isMap ? ", a map, whose shapes come from the network" : ""}`,
    expected: `one of ${[...commonTraces, ...otherTraces].sort().join(", ")}`,
    fix: isMap ? "Views never ask the network; draw maps outside." : "See the reference of plotly.js for each type.",
  });
}

/** Returns the type of a trace; a scatter when it says none. */
export function typeOf(trace: JsonObject): string {
  const { type = "scatter" } = trace;
  return typeof type === "string" ? type : JSON.stringify(type);
}

/** Returns the build that draws all traces of a figure. */
export function buildFor(figure: PlotlyJson): PlotlyBuild {
  return figure.data.every((trace) => commonTraces.includes(typeOf(trace))) ? "common" : "all";
}

/** Refuses pictures that would be fetched. */
function checkSources(value: Json, path: string): void {
  if (Array.isArray(value)) {
    (value as readonly Json[]).forEach((item, i) => checkSources(item, `${path}[${i}]`));
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    const at = path === "" ? key : `${path}.${key}`;
    if (key === "source" && typeof item === "string" && !item.startsWith("data:")) {
      throw new InputError({
        where: `${where}: ${at}`,
        got: JSON.stringify(item.slice(0, 80)),
        expected: "a picture inside the figure, data:image/…",
        fix: "Views never ask the network; put the picture's bytes there.",
      });
    }
    checkSources(item, at);
  }
}

const views: Readonly<Record<string, (bytes: ArrayBuffer) => Iterable<number>>> = {
  f4: (bytes) => new Float32Array(bytes),
  f8: (bytes) => new Float64Array(bytes),
  i1: (bytes) => new Int8Array(bytes),
  i2: (bytes) => new Int16Array(bytes),
  i4: (bytes) => new Int32Array(bytes),
  u1: (bytes) => new Uint8Array(bytes),
  u1c: (bytes) => new Uint8ClampedArray(bytes),
  u2: (bytes) => new Uint16Array(bytes),
  u4: (bytes) => new Uint32Array(bytes),
};

const longNames: Readonly<Record<string, string>> = {
  float32: "f4",
  float64: "f8",
  int8: "i1",
  int16: "i2",
  int32: "i4",
  uint8: "u1",
  uint8c: "u1c",
  uint16: "u2",
  uint32: "u4",
};

/** Returns a list of a trace, typed arrays of plotly.js unpacked; `undefined` when there is no list. */
export function listOf(value: Json | undefined): readonly Json[] | undefined {
  if (Array.isArray(value)) return value as readonly Json[];
  if (!isJsonObject(value)) return undefined;
  const { dtype, bdata, shape } = value;
  const view = typeof dtype === "string" ? views[longNames[dtype] ?? dtype] : undefined;
  if (view === undefined || typeof bdata !== "string") return undefined;
  const flat = [...view(Uint8Array.from(atob(bdata), (letter) => letter.charCodeAt(0)).buffer)];
  const [, width] = (typeof shape === "string" ? shape : "").split(",").map(Number);
  if (width === undefined || !(width > 0)) return flat;
  return Array.from({ length: flat.length / width }, (_, row) => flat.slice(row * width, (row + 1) * width));
}
