// The audit log as it is read again while one looks: newest first, each record once. Pure.

/** The newest records, and behind them what was there already; `null` where the two do not meet, and some would be missing. */
export function withNewer<T extends { readonly id: string }>(
  known: readonly T[],
  newest: readonly T[],
): readonly T[] | null {
  const ids = new Set(newest.map((record) => record.id));
  if (!known.some((record) => ids.has(record.id))) return null;
  return [...newest, ...known.filter((record) => !ids.has(record.id))];
}
