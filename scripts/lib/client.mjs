/** Bundles the browser code of the views into one compressed string. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { writePlotly } from "./plotly.mjs";
import { root } from "./process.mjs";

/**
 * d3's modules come as one file each, whose tables are made by calls; said to be pure, those that nobody uses are left
 * out. It saves 5 kB of 54 in every output.
 */
const pureTables = {
  name: "pure-tables",
  setup(build) {
    build.onLoad({ filter: /node_modules[\\/]d3-[\w-]+[\\/]dist[\\/][\w-]+\.mjs$/ }, async ({ path }) => {
      const code = await readFile(path, "utf8");
      const declaration = /^((?:export )?(?:const|let|var) [\w$]+ = )(?=(?:new )?[\w$]+[(.])/gm;
      return { contents: code.replace(declaration, "$1/* @__PURE__ */ "), loader: "js" };
    });
  },
};

/** Leaves the interactive part of graphs out: few outputs need it, and it would make all others larger. */
const withoutGraphs = {
  name: "without-graphs",
  setup(build) {
    build.onResolve({ filter: /views\/graph\.js$/ }, ({ importer }) =>
      importer.endsWith("registry.ts") ? { path: "graph", namespace: "none" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "none" }, () => ({
      contents: "export const graphKind = undefined; export const graphClient = undefined;",
    }));
  },
};

/** Returns the browser code as one script, and the folders of the packages in it. */
async function bundleClient(plugins) {
  // Loaded late: a fresh clone has no packages yet.
  const { build } = await import("esbuild");
  const { outputFiles, metafile } = await build({
    entryPoints: [join(root, "src", "viz", "client", "index.ts")],
    absWorkingDir: root,
    bundle: true,
    write: false,
    minify: true,
    metafile: true,
    format: "iife",
    target: "es2022",
    legalComments: "none",
    // Builders of views, which throw our errors, are left out; what they import must not stop the bundler.
    external: ["node:*"],
    plugins: [pureTables, ...plugins],
    logLevel: "silent",
  });
  const folders = Object.keys(metafile.inputs).flatMap((path) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []);
  return { code: outputFiles[0].text, packages: [...new Set(folders)].sort() };
}

/** Writes the browser code, and the licences of the packages in it, to `folder`, which becomes dist/. */
export async function writeClient(folder) {
  const { code, packages } = await bundleClient([]);
  const { code: lean } = await bundleClient([withoutGraphs]);
  const licences = packages.map((path) => `${path.slice(13)}\n\n${readFileSync(join(root, path, "LICENSE"), "utf8")}`);
  mkdirSync(join(folder, "viz"), { recursive: true });
  writeFileSync(join(folder, "viz", "client.json"), compressed(lean));
  writeFileSync(join(folder, "viz", "client-graph.json"), compressed(code));
  writeFileSync(join(folder, "viz", "client-licences.txt"), licences.join("\n\n"));
  await writePlotly(folder);
}

function compressed(code) {
  const hash = createHash("sha256").update(code).digest("hex").slice(0, 12);
  return JSON.stringify({ hash, gzip: gzipSync(code, { level: 9 }).toString("base64") });
}
