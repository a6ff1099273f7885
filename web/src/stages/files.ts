// Files dropped on the page: a component, and its signature if the tenant's stage policy requires one.

export interface Dropped {
  readonly component: File | null;
  readonly signature: File | null;
}

const SIGNATURE = /\.(sig|signature)$/i;

/** A file that ends in `.sig` is the signature; the first of the others is the component. */
export function sorted(files: Iterable<File>): Dropped {
  const all = [...files];
  const signature = all.find((file) => SIGNATURE.test(file.name)) ?? null;
  return { component: all.find((file) => file !== signature) ?? null, signature };
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** A signature in base64, as the API expects it: tools write either base64 (cosign) or the bytes (openssl). */
export function signatureText(bytes: Uint8Array): string {
  const text = new TextDecoder("latin1").decode(bytes).replaceAll(/\s/g, "");
  return BASE64.test(text) && text.length % 4 === 0 ? text : btoa(String.fromCharCode(...bytes));
}

/** Where a component is added: for every tenant, for one of them, or for the caller's own. */
export const EVERY = "";
export function whose(tenants: readonly string[], tenant: string): { shared?: boolean; tenant?: string } {
  if (tenants.length === 0) return {};
  return tenant === EVERY ? { shared: true } : { tenant };
}
