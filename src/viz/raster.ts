/** Views as PNG, drawn from their SVG by sharp, an optional dependency. */
import { UnsupportedError } from "../core/index.js";
import { type PictureOptions, toStaticSvg } from "./html.js";
import type { ViewSpec } from "./registry.js";

/** How PNG pictures are drawn. */
export interface PngOptions extends PictureOptions {
  /** Pixels of the picture for each pixel of the drawing; default 2. */
  readonly scale?: number;
}

type Sharp = typeof import("sharp").default;

/** Dots per inch at which one unit of an SVG is one pixel. */
const unitDensity = 72;

/**
 * Returns a view as a PNG file.
 *
 * @throws UnsupportedError when the package `sharp` is not installed, or the system has no fonts for the labels.
 */
export async function toPng(spec: ViewSpec, options: PngOptions = {}): Promise<Uint8Array> {
  const sharp = await loadSharp();
  await checkFonts(sharp);
  const density = unitDensity * (options.scale ?? 2);
  return sharp(new TextEncoder().encode(toStaticSvg(spec, options)), { density })
    .png({ palette: true })
    .toBuffer();
}

async function loadSharp(): Promise<Sharp> {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    throw new UnsupportedError(
      {
        where: "view.toPng",
        got: "no package sharp, which is optional",
        expected: "it to be installed",
        fix: "Run npm install sharp, or save as .svg or .html, which need nothing.",
      },
      { cause },
    );
  }
}

/** Without any font all letters look alike, as empty boxes. */
async function checkFonts(sharp: Sharp): Promise<void> {
  const pixels = await Promise.all(
    ["I", "W"].map((letter) => {
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"><text y="14">${letter}</text></svg>`;
      return sharp(new TextEncoder().encode(svg)).raw().toBuffer();
    }),
  );
  const [first, second] = pixels;
  if (first === undefined || second === undefined || !first.equals(second)) return;
  throw new UnsupportedError({
    where: "view.toPng",
    got: "a system without fonts",
    expected: "at least one font for the labels",
    fix: "Install one, such as apt-get install fonts-dejavu-core, or save as .svg or .html.",
  });
}
