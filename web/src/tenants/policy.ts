// A tenant's stage policy as a form has it, and as it is sent: the whole of it, since the server sets it as a whole.

export interface StagePolicyForm {
  /** Only what is listed may be used; else whatever the tenant has. */
  listed: boolean;
  /** Digests, one a line. */
  digests: string;
  /** PEM; empty: nothing has to be signed. */
  publicKey: string;
}

export interface StagePolicy {
  readonly allow?: readonly string[] | null;
  readonly publicKey?: string | null;
}

export const toForm = ({ allow, publicKey }: StagePolicy): StagePolicyForm => ({
  // A list that is there and empty lets nothing through but what is bundled.
  listed: Array.isArray(allow),
  digests: (allow ?? []).join("\n"),
  publicKey: publicKey ?? "",
});

/** Null: nothing is asked for, as of every new tenant. */
export function toInput({ listed, digests, publicKey }: StagePolicyForm) {
  const key = publicKey.trim();
  if (!listed && !key) return null;
  return {
    ...(listed ? { allow: digestsOf(digests) } : {}),
    ...(key ? { publicKey: `${key}\n` } : {}),
  };
}

/** Each once, in the order in which they were written. */
export const digestsOf = (text: string): string[] => [...new Set(text.split(/[\s,]+/).filter(Boolean))];
