/** Where things lie. */
import { fileURLToPath } from "node:url";

const root = new URL("../../", import.meta.url);

/** Downloaded texts, tokenised texts, checkpoints: nothing of it is committed. */
export const cache: string = fileURLToPath(new URL(".cache/train-tiny/", root));

/** The shipped models. */
export const fixtures: string = fileURLToPath(new URL("fixtures/", root));
