/** Where tests find checkpoints: the project's own fixtures, and trained oracles that a user's clone does not have. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(import.meta.url), "../../..");

/** A folder of the project's fixtures. */
export function fixture(...parts: readonly string[]): string {
  return join(root, "fixtures", ...parts);
}

/** Folder of trained oracles, or `undefined` when this machine has none. */
export const dataFolder: string | undefined = [process.env["LIMPID_DATA"], resolve(root, "../shared/data")].find(
  (folder): folder is string => folder !== undefined && existsSync(join(folder, "stories260k")),
);

/** Path inside the oracles; only call it where {@link dataFolder} is known to exist. */
export function oracle(...parts: readonly string[]): string {
  return join(dataFolder ?? "no-oracle-data", ...parts);
}

/** Names of the architecture fixtures. */
export const architectureNames: readonly string[] = Object.keys(
  (JSON.parse(readFileSync(fixture("architectures", "all.json"), "utf8")) as { fixtures: Record<string, string> })
    .fixtures,
);
