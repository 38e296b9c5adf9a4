/** JupyterLab's own renderers, bundled to one script for a page: what Lab makes of outputs, trusted and untrusted. */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Returns a script that defines `showOutputs(outputs, trusted)`. */
export async function bundleLabRenderers(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("jupyterlab-page.mjs", import.meta.url))],
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    loader: { ".svg": "text", ".css": "empty" },
    define: { global: "globalThis", "process.env": "{}" },
    logLevel: "error",
  });
  return outputFiles[0]?.text ?? "";
}
