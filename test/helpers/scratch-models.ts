/** A scratch folder and models that a test file opens; both are gone when it ends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { loadModel, type Model } from "../../src/model/index.js";

/** Where a test file writes, and how it opens models. */
export interface ScratchModels {
  readonly folder: string;
  readonly open: (source: string) => Promise<Model>;
}

/** Makes the folder; models are closed, and the folder is removed, after the last test of the file. */
export function scratchModels(name: string): ScratchModels {
  const folder = mkdtempSync(join(tmpdir(), `limpid-${name}-`));
  const opened: Model[] = [];
  afterAll(async () => {
    await Promise.all(opened.map((model) => model.close()));
    rmSync(folder, { recursive: true });
  });
  const open = async (source: string): Promise<Model> => {
    const model = await loadModel(source);
    opened.push(model);
    return model;
  };
  return { folder, open };
}
