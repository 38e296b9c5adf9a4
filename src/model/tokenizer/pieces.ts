/** One string per token, such that the pieces of a text join to the text again. */
import { type Backend, probeText } from "./backend.js";

/** Turns ids into visible pieces; keeps each id's piece once computed. */
export interface Pieces {
  /** The piece of `id` inside running text: a leading space stays visible. */
  readonly inside: (id: number) => string;
  /** The piece of `id` at the start of a text, where some tokenizers drop the space they put in themselves. */
  readonly first: (id: number) => string;
}

/**
 * Returns the piece reader of `backend`.
 *
 * Inside text, a piece is what `id` adds to the decoding of an anchor token before it: decoding it alone would lose
 * the leading space in tokenizers of the SentencePiece kind.
 */
export function createPieces(backend: Backend): Pieces {
  const anchor = backend.encodePlain(probeText(backend), true).slice(-1);
  const anchorLength = backend.decode(anchor, false).length;
  const known = new Map<number, string>();
  const inside = (id: number): string => {
    const seen = known.get(id);
    if (seen !== undefined) return seen;
    const piece = backend.decode([...anchor, id], false).slice(anchorLength);
    known.set(id, piece);
    return piece;
  };
  return { inside, first: (id) => backend.decode([id], false) };
}
