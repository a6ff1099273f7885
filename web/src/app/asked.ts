// Parses values from the page's address, as far as they are valid.

/** The largest integer of GraphQL; no batch has a higher number. */
const MOST = 2 ** 31 - 1;

/** The batch in an address; `undefined` if the text is not a batch number. */
export function batchAsked(text: string | null): number | null | undefined {
  if (text === null || text === "") return null;
  return /^\d+$/.test(text) && Number(text) <= MOST ? Number(text) : undefined;
}
