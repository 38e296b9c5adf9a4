/** A file system that is soon full. */
import { execFileSync } from "node:child_process";

/** Mounts a small file system over a folder; tells whether it could: only root can. */
export function tryMount(folder: string, size: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
