/** The nodes of an attribution graph. */

/** Where in the prompt, and what. */
export type GraphNode =
  | {
      readonly kind: "feature";
      readonly layer: number;
      readonly pos: number;
      readonly feature: number;
      readonly activation: number;
    }
  /** What a dictionary leaves of an MLP's write; the whole of it where there is no dictionary. */
  | { readonly kind: "error"; readonly layer: number; readonly pos: number }
  | { readonly kind: "token"; readonly pos: number; readonly token: number }
  /** A learned position. */
  | { readonly kind: "position"; readonly pos: number }
  /** All biases: of attention, decoders, and the target's own. */
  | { readonly kind: "bias" }
  /** All active features that the budget left out, together: what they add is known, what feeds them is not. */
  | { readonly kind: "remainder" }
  /** A logit, or a direction of your own. */
  | {
      readonly kind: "target";
      readonly pos: number;
      readonly label: string;
      readonly weight: number;
      /** The token whose logit it is. */
      readonly token?: number;
      /** The token whose logit is subtracted, in place of the mean logit. */
      readonly versus?: number;
    };

/** A short, unique, readable name: `L3 #123 @5`. */
export function nodeId(node: GraphNode): string {
  if (node.kind === "feature") return `L${node.layer} #${node.feature} @${node.pos}`;
  if (node.kind === "error") return `L${node.layer} error @${node.pos}`;
  if (node.kind === "token") return `token @${node.pos}`;
  if (node.kind === "position") return `position @${node.pos}`;
  return node.kind === "target" ? `target ${node.label}` : node.kind;
}
