/** What a reader marks in a graph: pinned nodes, and groups of them under a name. */
import { InputError } from "../../core/index.js";
import { numberAt } from "../entries.js";
import type { GraphSpec } from "./graph-spec.js";

/** Nodes that are read as one. */
export interface GraphGroup {
  readonly label: string;
  /** Ids. */
  readonly nodes: readonly string[];
}

/** Everything that is marked; plain data, to be saved and given back. */
export interface GraphMarks {
  /** Ids of nodes that stay in view. */
  readonly pins: readonly string[];
  readonly groups: readonly GraphGroup[];
}

/** Nothing marked. */
export const noMarks: GraphMarks = { pins: [], groups: [] };

/** Pins a node, or takes its pin away and it out of its group. */
export function togglePin({ pins, groups }: GraphMarks, id: string): GraphMarks {
  if (!pins.includes(id)) return { pins: [...pins, id], groups };
  const left = groups.map(({ label, nodes }) => ({ label, nodes: nodes.filter((node) => node !== id) }));
  return { pins: pins.filter((pin) => pin !== id), groups: left.filter(({ nodes }) => nodes.length > 0) };
}

/** Puts pinned nodes into a group under a name, out of the groups that they were in. */
export function groupPins({ pins, groups }: GraphMarks, label: string, ids: readonly string[]): GraphMarks {
  const nodes = pins.filter((pin) => ids.includes(pin));
  const left = groups.flatMap((group) => {
    const rest = group.nodes.filter((node) => !nodes.includes(node));
    return rest.length === 0 || group.label === label ? [] : [{ label: group.label, nodes: rest }];
  });
  const own = groups.find((group) => group.label === label)?.nodes.filter((node) => !nodes.includes(node)) ?? [];
  return { pins, groups: nodes.length === 0 ? groups : [...left, { label, nodes: [...own, ...nodes] }] };
}

/** Takes a group apart; its nodes stay pinned. */
export function ungroup({ pins, groups }: GraphMarks, label: string): GraphMarks {
  return { pins, groups: groups.filter((group) => group.label !== label) };
}

/** A link between what is marked: groups by their names, other pins by their ids. */
export interface MarkedLink {
  readonly from: string;
  readonly to: string;
  /** Sum of the edges between their nodes. */
  readonly weight: number;
}

/** Returns the links between groups and pins, the strongest first; edges inside a group are left out. */
export function markedLinks(spec: GraphSpec, { pins, groups }: GraphMarks): readonly MarkedLink[] {
  const unitOf = new Map<string, string>(pins.map((pin) => [pin, pin]));
  for (const { label, nodes } of groups) for (const node of nodes) unitOf.set(node, label);
  const sums = new Map<string, MarkedLink>();
  for (const { target, sources, weights } of spec.edges) {
    const to = unitOf.get(spec.ids[target] ?? "");
    if (to === undefined) continue;
    sources.forEach((source, i) => {
      const from = unitOf.get(spec.ids[source] ?? "");
      if (from === undefined || from === to) return;
      const key = JSON.stringify([from, to]);
      sums.set(key, { from, to, weight: (sums.get(key)?.weight ?? 0) + numberAt(weights, i) });
    });
  }
  return [...sums.values()].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
}

/** Returns nodes whose id or words hold a text, whatever its case. */
export function searchNodes(spec: GraphSpec, text: string): readonly number[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return [];
  return spec.ids.flatMap((id, node) =>
    `${id} ${spec.labels[node] ?? ""}`.toLowerCase().includes(wanted) ? [node] : [],
  );
}

/**
 * Returns marks that fit the nodes of a graph.
 *
 * @throws InputError for an id that no node has, and for a group without a name or with nodes that are not pinned.
 */
export function checkedMarks({ pins, groups }: GraphMarks, ids: ReadonlySet<string>): GraphMarks {
  for (const pin of pins) if (!ids.has(pin)) throw wrong("pins", JSON.stringify(pin), "the id of a node of this graph");
  for (const { label, nodes } of groups) {
    if (label.trim() === "") throw wrong("groups", "a group without a label", "a label");
    const stray = nodes.find((node) => !pins.includes(node));
    if (stray !== undefined) throw wrong(`groups: ${label}`, JSON.stringify(stray), "nodes that are pinned");
  }
  return { pins: [...new Set(pins)], groups: groups.map(({ label, nodes }) => ({ label, nodes: [...nodes] })) };
}

function wrong(at: string, got: string, expected: string): InputError {
  return new InputError({
    where: `viz.graph: marks.${at}`,
    got,
    expected,
    fix: "Give the marks that were saved from a view of the same graph.",
  });
}
