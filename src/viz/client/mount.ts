/** Drawings as elements of the page. Text goes in as text only, never as markup. */
import { select } from "d3-selection";
import type { Drawing, Mark, PictureMark } from "../marks.js";
import { type as face, resolvePaint, type Theme } from "../theme.js";

/** Canvases of pictures that were drawn before: views may return the same mark again. */
const painted = new WeakMap<PictureMark, HTMLCanvasElement>();

/** A drawing on the page: bitmaps below, lines and text above them, and on top what pointing adds. */
export interface Stage {
  readonly svg: SVGSVGElement;
  /** Replaces the drawing. */
  draw(drawing: Drawing, theme: Theme): void;
  /** Replaces what lies over the drawing. */
  overlay(marks: readonly Mark[], theme: Theme): void;
}

/** Puts an empty stage into `place`. */
export function createStage(place: HTMLElement): Stage {
  const pictures = select(place).append("div").attr("class", "pictures");
  const svg = select(place).append("svg").attr("aria-hidden", "true").attr("font-family", face.sans);
  const [body, over] = [svg.append("g"), svg.append("g").attr("class", "over")];
  return {
    svg: svg.node() as SVGSVGElement,
    draw(drawing, theme) {
      const [width, height] = [Math.ceil(drawing.width), Math.ceil(drawing.height)];
      svg.attr("width", width).attr("height", height).attr("viewBox", `0 0 ${width} ${height}`);
      pictures.selectChildren().remove();
      body.selectChildren().remove();
      append(drawing.marks, body.node() as Element, { theme, x: 0, y: 0, pictures: pictures.node() as HTMLElement });
    },
    overlay(marks, theme) {
      over.selectChildren().remove();
      append(marks, over.node() as Element, { theme, x: 0, y: 0, pictures: pictures.node() as HTMLElement });
    },
  };
}

interface Position {
  readonly theme: Theme;
  /** Offset of the group that is being filled. */
  readonly x: number;
  readonly y: number;
  readonly pictures: HTMLElement;
}

function append(marks: readonly (Mark | string)[], parent: Element, at: Position): void {
  for (const mark of marks) {
    if (typeof mark === "string") parent.append(mark);
    else if ("color" in mark) appendPicture(mark, at);
    else if ("marks" in mark) {
      const group = select(parent).append("svg:g").attr("transform", `translate(${mark.x} ${mark.y})`);
      append(mark.marks, group.node() as Element, { ...at, x: at.x + mark.x, y: at.y + mark.y });
    } else {
      const element = select(parent).append(`svg:${mark.tag}`);
      for (const [name, value] of Object.entries(mark.attributes)) {
        const isPaint = name === "fill" || name === "stroke";
        element.attr(name, isPaint ? resolvePaint(String(value), at.theme) : value);
      }
      append(mark.children, element.node() as Element, at);
    }
  }
}

/** One pixel a cell, enlarged by the browser with hard edges. */
function appendPicture(mark: PictureMark, at: Position): void {
  const canvas = painted.get(mark) ?? paint(mark);
  painted.set(mark, canvas);
  select(canvas)
    .style("left", `${at.x}px`)
    .style("top", `${at.y}px`)
    .style("width", `${mark.columns * mark.cellWidth}px`)
    .style("height", `${mark.rows * mark.cellHeight}px`);
  at.pictures.append(canvas);
}

function paint(mark: PictureMark): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [mark.columns, mark.rows];
  const pixels = new ImageData(mark.columns, mark.rows);
  for (let y = 0; y < mark.rows; y++) {
    for (let x = 0; x < mark.columns; x++) pixels.data.set([...mark.color(x, y), 255], 4 * (y * mark.columns + x));
  }
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
  return canvas;
}
