// What is dropped on the page: a component, and the signature beside it where the tenant's stage policy asks for one.

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

/** A signature as the API takes it, base64: tools write either that (cosign) or the bytes themselves (openssl). */
export function signatureText(bytes: Uint8Array): string {
  const text = new TextDecoder("latin1").decode(bytes).replaceAll(/\s/g, "");
  return BASE64.test(text) && text.length % 4 === 0 ? text : btoa(String.fromCharCode(...bytes));
}

/** Where something is to be added: every tenant, one of them, or the caller's own. */
export const EVERY = "";
export function whose(tenants: readonly string[], tenant: string): { shared?: boolean; tenant?: string } {
  if (tenants.length === 0) return {};
  return tenant === EVERY ? { shared: true } : { tenant };
}
