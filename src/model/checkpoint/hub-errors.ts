/** What the hub's refusals mean, and what to do. */
import { CheckpointError, type ErrorParts } from "../../core/index.js";
import type { HubResponse } from "./hub-request.js";

/** What was asked of the hub. */
export interface Asked {
  readonly id: string;
  readonly endpoint: string;
  readonly hasToken: boolean;
  /** A file, or the model itself when absent. */
  readonly file?: string;
  readonly revision?: string;
  /** Names that would have been right, when known. */
  readonly available?: string;
}

/** Turns a status other than success into an error; the body is read for the hub's own words. */
export async function refusal(response: HubResponse, asked: Asked): Promise<CheckpointError> {
  const words = (await response.text().catch(() => "")).replace(/\s+/g, " ").trim().slice(0, 300);
  const where = `hub model ${asked.id}${asked.file === undefined ? "" : `: ${asked.file}`}`;
  const answer = `HTTP ${response.status}${words === "" ? "" : ` (${words})`} from ${asked.endpoint}`;
  return new CheckpointError({ where, got: answer, ...advice(response, asked) });
}

function advice(response: HubResponse, asked: Asked): Pick<ErrorParts, "expected" | "fix"> {
  const { status, errorCode } = response;
  if (status === 401 || status === 403) return accessAdvice(errorCode, asked);
  if (status === 404) return absenceAdvice(errorCode, asked);
  return { expected: "the file", fix: "Try again later, or check HF_ENDPOINT." };
}

function accessAdvice(errorCode: string | undefined, asked: Asked): Pick<ErrorParts, "expected" | "fix"> {
  const isGated = errorCode === "GatedRepo";
  const accept = isGated ? `Accept its terms at ${asked.endpoint}/${asked.id}` : "Check the spelling of the id";
  const token = asked.hasToken ? "use an HF_TOKEN of an account with access" : "set HF_TOKEN if it is private or gated";
  return {
    expected: isGated ? "access to this gated model" : "an existing model that this account may read",
    fix: `${accept}, and ${token}.`,
  };
}

function absenceAdvice(errorCode: string | undefined, asked: Asked): Pick<ErrorParts, "expected" | "fix"> {
  const available = asked.available === undefined ? "" : ` There are: ${asked.available}.`;
  if (errorCode === "RevisionNotFound" || (asked.revision !== undefined && asked.available !== undefined)) {
    return {
      expected: `a branch, tag or commit other than ${JSON.stringify(asked.revision)}`,
      fix: `Check revision.${available}`,
    };
  }
  if (asked.file !== undefined) return { expected: "a file of the repository", fix: `Check the name.${available}` };
  return {
    expected: "an existing model id such as openai-community/gpt2",
    fix: "Check the spelling; ids are ORG/NAME.",
  };
}
