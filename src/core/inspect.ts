/** The key under which Node.js and notebooks look for a value's own printed form. */

/** Node's `util.inspect.custom`; a class with a method under this key prints itself in consoles and cells. */
export const inspectSymbol: unique symbol = Symbol.for("nodejs.util.inspect.custom");
