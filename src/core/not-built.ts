/** The one way in which a declared name says that its part is not built yet. */
import { NotBuiltError } from "./errors.js";

/** Returns the error of calling `where`, a public name whose `part` (a noun phrase) this version does not hold yet. */
export function notBuilt(where: string, part: string): NotBuiltError {
  return new NotBuiltError({
    where,
    got: `a call to ${part}, which is not built yet`,
    expected: "a part that this version of limpid has",
    fix: "Its types are final; a later version runs it.",
  });
}
