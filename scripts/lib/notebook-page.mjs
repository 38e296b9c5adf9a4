/** Turns an executed notebook into one HTML page that needs no network; scripts inside only make its views interactive. */
import { readFileSync, writeFileSync } from "node:fs";
import { withJupyterEnv } from "./jupyter.mjs";
import { run, Stop } from "./process.mjs";

const style = `
body{margin:0;background:#fff;color:#1b1f24;font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1060px;margin:0 auto;padding:40px 24px 80px}
h1{font-size:30px;line-height:1.2;margin:0 0 16px}h2{font-size:21px;margin:40px 0 8px}p{margin:0 0 12px;max-width:72ch}
a{color:#1f5fa8}.anchor-link,.prompt{display:none}
pre,code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:13.5px;line-height:1.5}
.input .highlight pre,.jp-InputArea .highlight pre,.input_area pre{background:#f6f7f9;border-left:3px solid #2b6cb0;margin:12px 0;padding:12px 14px;overflow-x:auto}
.output_subarea pre,.output pre{margin:6px 0 14px;padding:4px 14px;white-space:pre-wrap;color:#3c444d}
.output_stderr pre{background:#fdf3f2;border-left:3px solid #b2182b;padding:10px 14px}
.output img{max-width:none}.output_html{overflow-x:auto;padding-left:4px}
.highlight .k,.highlight .kd,.highlight .kr,.highlight .kc,.highlight .ow{color:#8a3ffc}.highlight .s2,.highlight .s1,.highlight .sb{color:#0b6e4f}
.highlight .mi,.highlight .mf{color:#a0490a}.highlight .c1,.highlight .cm{color:#6b7280;font-style:italic}.highlight .nx{color:#1b1f24}
table{border-collapse:collapse}th,td{padding:4px 12px;border-bottom:1px solid #d8dce1;text-align:left}
`;

/** Elements and attributes that would make a browser fetch something. */
const fetching =
  /<(?:link|iframe|object|embed)\b[^>]*>|<script\b[^>]*\bsrc\b[^>]*>|\b(?:src|srcset|poster)\s*=\s*["']?\s*(?:https?:)?\/\/|url\(\s*["']?(?:https?:)?\/\/|@import/i;

/** Writes `notebook` as one self-contained page to `target`. */
export async function writeNotebookPage(notebook, target, title) {
  const args = ["nbconvert", "--to", "html", "--template", "basic", "--stdout", notebook];
  const result = await withJupyterEnv((env) => convert("jupyter", args, env));
  const page = wrap(result, title);
  const found = fetching.exec(page);
  if (found) throw new Stop(`The page of ${notebook} would not be self-contained: ${found[0].slice(0, 120)}`);
  writeFileSync(target, page);
}

/** nbconvert logs to stderr; only its stdout is the page. */
async function convert(command, args, env) {
  const scratch = `${env.JUPYTER_DATA_DIR}/page`;
  const { code, output } = await run(command, [...args.filter((arg) => arg !== "--stdout"), "--output", scratch], {
    env,
  });
  if (code !== 0) throw new Stop(`jupyter nbconvert failed:\n${output.trim().split("\n").slice(-12).join("\n")}`);
  return readFileSync(`${scratch}.html`, "utf8");
}

function wrap(body, title) {
  const safe = title.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${safe}</title><style>${style}</style>`;
  return `<!doctype html>\n<html lang="en"><head>${head}</head><body><main>${body}</main></body></html>\n`;
}
