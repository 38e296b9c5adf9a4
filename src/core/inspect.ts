/** How a class prints itself in consoles and notebook cells. */

/** The key under which Node.js looks for a value's own printed form (`util.inspect.custom`). */
export const inspectSymbol: unique symbol = Symbol.for("nodejs.util.inspect.custom");

/**
 * Makes instances print as their `toString()` in consoles and notebook cells.
 *
 * Call it from a static block: `static { printsItself(this.prototype); }`. (A method under a symbol cannot be declared
 * with isolated declarations.)
 */
export function printsItself(prototype: object): void {
  const value = function toText(this: { toString(): string }): string {
    return this.toString();
  };
  Object.defineProperty(prototype, inspectSymbol, { value, configurable: true });
}
