/** Plain text for terminals: key/value lines and numbers. */

/** Returns `key   value` lines with the values aligned. */
export function keyValues(pairs: readonly (readonly [string, string])[], indent = ""): string {
  const width = Math.max(...pairs.map(([key]) => key.length));
  return pairs.map(([key, value]) => `${indent}${key.padEnd(width)}  ${value}`).join("\n");
}

/** Returns a whole number with thousands separated: `124,439,808`. */
export function wholeNumber(value: number): string {
  return value.toLocaleString("en-US");
}

/** Returns a shape with its axes: `[batch, pos, dModel=64]`; symbolic sizes named like their axis stand alone. */
export function symbolicShape(shape: readonly (number | string)[], axes: readonly string[]): string {
  const parts = shape.map((size, i) => {
    const axis = axes[i];
    return axis === undefined || axis === size ? `${size}` : `${axis}=${size}`;
  });
  return `[${parts.join(", ")}]`;
}
