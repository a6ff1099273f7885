// What the address asks for, as far as it can be asked.

/** GraphQL's whole numbers end here; no batch is that late. */
const MOST = 2 ** 31 - 1;

/** The batch of an address; `undefined` where what stands there is no number of a batch. */
export function batchAsked(text: string | null): number | null | undefined {
  if (text === null || text === "") return null;
  return /^\d+$/.test(text) && Number(text) <= MOST ? Number(text) : undefined;
}
