// The audit log with repeated loads: newest first, each record once. Pure functions.

/** The newest records, followed by the known ones; `null` if the two do not overlap, so that some would be missing. */
export function withNewer<T extends { readonly id: string }>(
  known: readonly T[],
  newest: readonly T[],
): readonly T[] | null {
  const ids = new Set(newest.map((record) => record.id));
  if (!known.some((record) => ids.has(record.id))) return null;
  return [...newest, ...known.filter((record) => !ids.has(record.id))];
}
