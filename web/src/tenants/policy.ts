// A tenant's stage policy in the form, and as it is sent: completely, because the server replaces it as a whole.

export interface StagePolicyForm {
  /** Only listed components may be used; otherwise all that the tenant has. */
  listed: boolean;
  /** Digests, one per line. */
  digests: string;
  /** PEM; empty: no signature is required. */
  publicKey: string;
}

export interface StagePolicy {
  readonly allow?: readonly string[] | null;
  readonly publicKey?: string | null;
}

export const toForm = ({ allow, publicKey }: StagePolicy): StagePolicyForm => ({
  // An empty list permits only bundled components.
  listed: Array.isArray(allow),
  digests: (allow ?? []).join("\n"),
  publicKey: publicKey ?? "",
});

/** Null: no restriction, as for every new tenant. */
export function toInput({ listed, digests, publicKey }: StagePolicyForm) {
  const key = publicKey.trim();
  if (!listed && !key) return null;
  return {
    ...(listed ? { allow: digestsOf(digests) } : {}),
    ...(key ? { publicKey: `${key}\n` } : {}),
  };
}

/** Each digest once, in the order in which they were written. */
export const digestsOf = (text: string): string[] => [...new Set(text.split(/[\s,]+/).filter(Boolean))];
