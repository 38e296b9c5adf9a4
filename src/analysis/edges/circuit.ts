/** A circuit: some edges of a model's graph. */
import { createRandom, printsItself } from "../../core/index.js";
import { table, type View } from "../../viz/index.js";
import type { Edge } from "./nodes.js";

/** Some edges of a model; everything else is ablated when it is evaluated. */
export class Circuit {
  static {
    printsItself(this.prototype);
  }

  readonly edges: readonly Edge[];
  /** Every edge of the model. */
  readonly all: readonly Edge[];

  /** @internal Circuits come from scores: `scores.circuit({ top: 50 })`. */
  constructor(edges: readonly Edge[], all: readonly Edge[]) {
    this.edges = edges;
    this.all = all;
  }

  /** Senders and receivers that the edges touch. */
  get nodes(): readonly string[] {
    return [...new Set(this.edges.flatMap(({ from, to }) => [from, to]))];
  }

  /** Share of the model's edges. */
  get share(): number {
    return this.edges.length / this.all.length;
  }

  /** Returns all other edges. */
  complement(): Circuit {
    const own = new Set(this.edges.map(edgeKey));
    return new Circuit(
      this.all.filter((edge) => !own.has(edgeKey(edge))),
      this.all,
    );
  }

  /** Returns as many edges drawn at random: a control. */
  random(seed = 0): Circuit {
    const drawn = createRandom(seed).shuffle([...this.all]);
    return new Circuit(drawn.slice(0, this.edges.length), this.all);
  }

  /** Returns a table of the edges. */
  toView(): View {
    return table(
      [
        { name: "from", kind: "text" },
        { name: "to", kind: "text" },
      ],
      this.edges.map(({ from, to }) => [from, to]),
      { title: `Circuit of ${this.edges.length} edges, ${(100 * this.share).toPrecision(3)} % of all` },
    );
  }

  /** A few lines: how many edges, and the first of them. */
  toString(): string {
    const shown = this.edges.slice(0, 8).map(({ from, to }) => `${from} → ${to}`);
    return `Circuit of ${this.edges.length} of ${this.all.length} edges (${(100 * this.share).toPrecision(3)} %): ${shown.join(", ")}${this.edges.length > 8 ? ", …" : ""}`;
  }
}

/** An edge as a key. */
export function edgeKey({ from, to }: Edge): string {
  return `${from} ${to}`;
}
