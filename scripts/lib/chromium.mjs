/** Finds or installs the browser in which the tests look at views. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { ensureDebianPackages } from "./debian.mjs";
import { Stop } from "./process.mjs";

/** Debian's Chromium, or another browser of its family. */
const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const packages = ["chromium"];

const advice = `A browser of the Chromium family is needed to test views. Install it in one of these ways:
  Debian          sudo apt-get install --no-install-recommends ${packages.join(" ")}
  other systems   put ${names.join(" or ")} on the PATH, or name its file in LIMPID_CHROMIUM`;

/** Returns the path of the browser on the PATH or named in LIMPID_CHROMIUM, or `undefined`. */
export function browserPath() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const paths = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [process.env.LIMPID_CHROMIUM ?? "", ...paths].find((path) => path !== "" && existsSync(path));
}

/** Makes sure that there is a browser; see {@link ensureDebianPackages}. */
export async function ensureChromium() {
  if (browserPath() !== undefined) return;
  await ensureDebianPackages("A browser", packages, advice);
  if (browserPath() === undefined) throw new Stop(`apt-get finished, but there is still no browser.\n${advice}`);
}
