import { expect, test } from "vitest";
import { toForm, toInput } from "./policy.ts";

test("a policy that asks for nothing is none", () => {
  expect(toInput(toForm({ allow: null, publicKey: null }))).toBeNull();
});

test("an empty list is not the same as no list", () => {
  const form = toForm({ allow: [], publicKey: null });
  expect(form.listed).toBe(true);
  expect(toInput(form)).toEqual({ allow: [] });
});

test("what was set comes back as it was, each digest once", () => {
  const key = "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n";
  const policy = { allow: ["sha256:aa", "sha256:bb"], publicKey: key };
  expect(toInput(toForm(policy))).toEqual(policy);
  expect(toInput({ listed: true, digests: " sha256:bb,sha256:aa\n\nsha256:bb ", publicKey: " " })).toEqual({
    allow: ["sha256:bb", "sha256:aa"],
  });
});

test("digests that were written are not sent where any may be used", () => {
  expect(toInput({ listed: false, digests: "sha256:aa", publicKey: "" })).toBeNull();
});
