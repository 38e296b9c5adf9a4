/**
 * Bundles plotly.js into two compressed strings: the usual traces, and all of them but maps, which need the network.
 *
 * Bundling takes seconds and its result changes only with the version, so it is kept in .cache/.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { root } from "./process.mjs";

const common = ["bar", "heatmap", "histogram"];

/** All modules of traces but maps; `scatter` is in the core. */
const all = [
  ...common,
  ..."barpolar box calendars candlestick carpet cone contour contourcarpet funnel funnelarea histogram2d".split(" "),
  ..."histogram2dcontour icicle image indicator isosurface mesh3d ohlc parcats parcoords pie quiver sankey".split(" "),
  ..."scatter3d scattercarpet scattergl scatterpolar scatterpolargl scattersmith scatterternary splom".split(" "),
  ..."streamtube sunburst surface table treemap violin volume waterfall".split(" "),
];

/** The last lines of a bundle: it says that it is there, and whoever waits for it draws. */
function entryOf(build, modules) {
  return `
const Plotly = require("plotly.js/lib/core");
Plotly.register([${modules.map((name) => `require("plotly.js/lib/${name}")`).join(", ")}]);
const shared = ((globalThis.__limpid ??= {}).plotly ??= {});
if (shared.build !== "all") Object.assign(shared, { library: Plotly, build: "${build}" });
for (const act of (shared.waiting ?? []).splice(0)) act();`;
}

/** What plotly.js asks of Node.js, and styles of maps. */
const stubs = {
  name: "stubs",
  setup(build) {
    build.onResolve({ filter: /^buffer\/?$/ }, () => ({ path: "buffer", namespace: "stub" }));
    build.onResolve({ filter: /\.css$/ }, () => ({ path: "style", namespace: "stub" }));
    build.onLoad({ filter: /^buffer$/, namespace: "stub" }, () => ({
      contents: "exports.Buffer = { from: (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)) };",
    }));
    build.onLoad({ filter: /^style$/, namespace: "stub" }, () => ({ contents: "" }));
  },
};

async function bundle(name, modules) {
  // Loaded late: a fresh clone has no packages yet.
  const { build } = await import("esbuild");
  const { outputFiles, metafile } = await build({
    stdin: { contents: entryOf(name, modules), resolveDir: root },
    absWorkingDir: root,
    bundle: true,
    write: false,
    minify: true,
    metafile: true,
    format: "iife",
    target: "es2022",
    legalComments: "none",
    // A page's own module loader must not see the packages inside.
    define: { global: "globalThis", define: "undefined" },
    loader: { ".glsl": "text" },
    plugins: [stubs],
    logLevel: "error",
  });
  const folders = Object.keys(metafile.inputs).flatMap((path) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []);
  return { code: outputFiles[0].text, packages: [...new Set(folders)].sort() };
}

function readPackage(path) {
  return JSON.parse(readFileSync(path.startsWith("file:") ? new URL(path) : path, "utf8"));
}

/** Returns the name, version and licence of a package. */
function licenceOf(folder) {
  const { name, version, license = "" } = readPackage(join(root, folder, "package.json"));
  const file = readdirSync(join(root, folder)).find((other) => /^licen[cs]e(?:\.\w+)?$/i.test(other));
  const text = file === undefined ? String(license) : readFileSync(join(root, folder, file), "utf8");
  return `${name} ${version}\n\n${text}`;
}

/** Writes both builds of plotly.js, and the licences of the packages in them, to `folder`, which becomes dist/. */
export async function writePlotly(folder) {
  const { version } = readPackage(import.meta.resolve("plotly.js/package.json"));
  const script = readFileSync(new URL(import.meta.url), "utf8");
  const key = createHash("sha256").update(`${version} ${script}`).digest("hex").slice(0, 12);
  const cache = join(root, ".cache", "plotly", key);
  mkdirSync(cache, { recursive: true });
  mkdirSync(join(folder, "viz"), { recursive: true });
  for (const [name, modules] of Object.entries({ common, all })) {
    const kept = join(cache, `${name}.json`);
    if (!existsSync(kept)) {
      const { code, packages } = await bundle(name, modules);
      const gzip = gzipSync(code, { level: 9 }).toString("base64");
      writeFileSync(join(cache, `${name}-licences.txt`), packages.map(licenceOf).join("\n\n"));
      writeFileSync(`${kept}.${process.pid}`, JSON.stringify({ version, gzip }));
      renameSync(`${kept}.${process.pid}`, kept);
    }
    writeFileSync(join(folder, "viz", `plotly-${name}.json`), readFileSync(kept));
  }
  // The larger build holds all packages of the smaller one.
  writeFileSync(join(folder, "viz", "plotly-licences.txt"), readFileSync(join(cache, "all-licences.txt")));
}
