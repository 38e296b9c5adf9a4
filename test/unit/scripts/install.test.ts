import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const { staleReason } = (await import(pathToFileURL("scripts/lib/install.mjs").href)) as {
  readonly staleReason: (folder: string) => string | undefined;
};

describe("staleReason", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "limpid-install-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const write = (path: string, packages: object): void => {
    writeFileSync(join(folder, path), JSON.stringify({ packages }));
  };
  const lock = {
    "": { name: "limpid" },
    "node_modules/a": { version: "1.0.0" },
    "node_modules/b-darwin": { version: "1.0.0", optional: true },
  };

  test("asks for an install where there is none", () => {
    write("package-lock.json", lock);
    expect(staleReason(folder)).toBe("node_modules is missing");
  });

  test("is content when every package has its version, whatever the other platforms have", () => {
    mkdirSync(join(folder, "node_modules"));
    write("package-lock.json", lock);
    write("node_modules/.package-lock.json", { "node_modules/a": { version: "1.0.0" } });
    expect(staleReason(folder)).toBeUndefined();
  });

  test.each([
    [{ "node_modules/a": { version: "0.9.0" } }, "node_modules/a is 0.9.0, not 1.0.0"],
    [{}, "node_modules/a is missing, not 1.0.0"],
  ])("names the first package that differs: %j", (found, reason) => {
    mkdirSync(join(folder, "node_modules"));
    write("package-lock.json", lock);
    write("node_modules/.package-lock.json", found);
    expect(staleReason(folder)).toBe(reason);
  });
});
