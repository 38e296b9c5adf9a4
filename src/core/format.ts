/** Small shared formatting for messages, receipts and printed tensors. */

/** Returns `[batch=2, pos=7]`, or `[2, 7]` without axis names; sizes may be symbolic. A scalar is `[]`. */
export function formatShape(shape: readonly (number | string)[], axes?: readonly string[]): string {
  return `[${shape.map((size, i) => (axes?.[i] === undefined ? String(size) : `${axes[i]}=${size}`)).join(", ")}]`;
}

/** Returns a byte count in decimal units with three digits: `512 B`, `1.50 MB`, `12.3 GB`. */
export function formatBytes(bytes: number): string {
  return Math.abs(bytes) < 1000 ? `${bytes} B` : scaled(bytes, ["kB", "MB", "GB", "TB", "PB"]);
}

/** Returns a count with three digits: `999`, `12.3 k`, `3.50 M`, `1.20 G`. */
export function formatCount(count: number): string {
  return Math.abs(count) < 1000 ? `${count}` : scaled(count, ["k", "M", "G", "T", "P"]);
}

/** Returns `"a", "b", "c" and 4 more`: a list cut short for a message. */
export function formatList(names: readonly string[], limit = 8): string {
  const shown = names.slice(0, limit).map((name) => JSON.stringify(name));
  return names.length > limit ? `${shown.join(", ")} and ${names.length - limit} more` : shown.join(", ");
}

function scaled(value: number, units: readonly string[]): string {
  let scaledValue = value / 1000;
  let unit = 0;
  while (Math.abs(scaledValue) >= 999.5 && unit < units.length - 1) {
    scaledValue /= 1000;
    unit++;
  }
  return `${scaledValue.toPrecision(3)} ${units[unit] ?? ""}`;
}
