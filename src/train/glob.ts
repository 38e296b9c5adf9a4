/** Names of parameters by pattern. */

/** Returns the expression of a glob: `*` within one dotted part, `**` across parts, a lone `*` for every name. */
function globToRegExp(glob: string): RegExp {
  if (glob === "*") return /^.*$/;
  const parts = glob.split("**").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^.]*"));
  return new RegExp(`^${parts.join(".*")}$`);
}

/** Returns the names that a glob means, in their order. */
export function matchNames(glob: string, names: readonly string[]): readonly string[] {
  const pattern = globToRegExp(glob);
  return names.filter((name) => pattern.test(name));
}
