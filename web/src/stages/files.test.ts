import { expect, test } from "vitest";
import { EVERY, signatureText, sorted, whose } from "./files.ts";

const named = (...names: string[]) => names.map((name) => new File([], name));

test("the signature is told from the component by its name, in either order", () => {
  for (const names of [
    ["remux.wasm", "remux.wasm.sig"],
    ["remux.wasm.SIG", "remux.wasm"],
  ]) {
    const { component, signature } = sorted(named(...names));
    expect(component?.name).toBe("remux.wasm");
    expect(signature?.name.toLowerCase()).toBe("remux.wasm.sig");
  }
  expect(sorted(named("remux.wasm")).signature).toBeNull();
  expect(sorted(named("remux.sig")).component).toBeNull();
  expect(sorted([])).toEqual({ component: null, signature: null });
});

test("a signature is base64 whichever tool wrote it", () => {
  const raw = Uint8Array.from({ length: 64 }, (_, n) => (n * 37) % 256);
  const text = Buffer.from(raw).toString("base64");
  expect(signatureText(raw)).toBe(text);
  expect(signatureText(new TextEncoder().encode(`${text}\n`))).toBe(text);
  expect(signatureText(new TextEncoder().encode(`${text.slice(0, 40)}\r\n${text.slice(40)}`))).toBe(text);
});

test("a caller of one tenant adds to it without saying so", () => {
  expect(whose([], EVERY)).toEqual({});
  expect(whose(["default", "acme"], EVERY)).toEqual({ shared: true });
  expect(whose(["default", "acme"], "acme")).toEqual({ tenant: "acme" });
});
