// Applies one action to many pipelines, one after the other, and names those that failed.

import { ApiError, toApiError } from "../api/error.ts";

export interface Chosen {
  readonly id: string;
  readonly name: string;
}

/** Applies `what` to each; the error names those that were refused, the others are done. */
export async function toEach(
  chosen: readonly Chosen[],
  what: (id: string) => Promise<unknown>,
  verb: string,
): Promise<void> {
  const refused: { name: string; error: ApiError }[] = [];
  for (const { id, name } of chosen) {
    try {
      await what(id);
    } catch (thrown) {
      refused.push({ name, error: toApiError(thrown) });
    }
  }
  const [first] = refused;
  if (!first) return;
  const list = refused.map(({ name, error }) => `${name}: ${error.message}`).join(" ");
  throw new ApiError(first.error.code, `${refused.length} of ${chosen.length} could not be ${verb}. ${list}`);
}

/** Names for a sentence: all of a few, or the first of many. */
export function named(chosen: readonly Chosen[], most = 8): string {
  const names = chosen.map((one) => one.name);
  return names.length <= most ? names.join(", ") : `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
}
