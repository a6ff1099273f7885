// The differences between two revisions, setting by setting.

export interface Difference {
  /** `source.url`, `destinations[0].srsApi`. */
  readonly path: string;
  readonly from: string;
  readonly to: string;
}

/** In the order of the paths; a missing value is `not set`. */
export function differences(before: unknown, after: unknown): Difference[] {
  const [old, fresh] = [flat(before), flat(after)];
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .sort()
    .map((path) => ({ path, from: old.get(path) ?? "not set", to: fresh.get(path) ?? "not set" }))
    .filter(({ from, to }) => from !== to);
}

function flat(value: unknown, path = "", into = new Map<string, string>()): Map<string, string> {
  if (Array.isArray(value)) for (const [n, one] of value.entries()) flat(one, `${path}[${n}]`, into);
  else if (typeof value === "object" && value !== null) {
    for (const [name, one] of Object.entries(value)) flat(one, path ? `${path}.${name}` : name, into);
  } else if (value !== null && value !== undefined) into.set(path, String(value));
  return into;
}
