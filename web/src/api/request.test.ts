import { afterEach, describe, expect, it, vi } from "vitest";
import { TypedDocumentString } from "./operations.ts";
import { request, upload } from "./request.ts";

const ASK = new TypedDocumentString<{ a: number }, { id: string }>("query A($id: ID!) { a(id: $id) }");
const ask = () => request(ASK, { id: "x" });

afterEach(() => vi.unstubAllGlobals());

function answering(body: string, status = 200) {
  const fetched = vi.fn(
    async (_url: string, _options: RequestInit) => new Response(body, { status, statusText: "Odd" }),
  );
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

describe("request", () => {
  it("sends the operation with its variables and gives the data", async () => {
    const fetched = answering('{"data":{"a":1}}');
    expect(await ask()).toEqual({ a: 1 });
    const [url, options] = fetched.mock.calls[0] ?? [];
    expect(url).toBe("/graphql");
    expect(JSON.parse(String(options?.body))).toEqual({ query: ASK.toString(), variables: { id: "x" } });
  });

  it.each([
    [
      '{"data":null,"errors":[{"message":"no such pipeline","extensions":{"code":"NOT_FOUND"}}]}',
      200,
      "NOT_FOUND",
      "no such pipeline",
    ],
    ['{"errors":[{"message":"too deep","extensions":{"code":"INVALID_INPUT"}}]}', 400, "INVALID_INPUT", "too deep"],
    [
      '{"error":"a token is needed","code":"UNAUTHENTICATED","problems":[]}',
      401,
      "UNAUTHENTICATED",
      "a token is needed",
    ],
    ["<html>proxy</html>", 401, "UNAUTHENTICATED", "Sign in to continue."],
    ["<html>proxy</html>", 502, "OTHER", "The server answered with 502 Odd"],
    ['{"data":null}', 200, "OTHER", "The server answered with 200 Odd"],
  ])("tells %s as what it is", async (body, status, code, message) => {
    answering(body, status);
    await expect(ask()).rejects.toMatchObject({ code, message });
  });

  it("tells an answer that never came from one that came late", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    await expect(ask()).rejects.toMatchObject({ code: "NETWORK", message: "The server cannot be reached." });
    vi.stubGlobal("fetch", () => Promise.reject(new DOMException("late", "TimeoutError")));
    await expect(ask()).rejects.toMatchObject({ code: "NETWORK", message: "The server did not answer in time." });
  });
});

it("sends a file beside the operation, at its place among the variables", async () => {
  const fetched = answering('{"data":{"a":1}}');
  const file = new File([new Uint8Array([0, 97, 115, 109])], "stage.wasm");
  expect(await upload(ASK, { id: "x" }, "variables.id", file)).toEqual({ a: 1 });
  const options = fetched.mock.calls[0]?.[1];
  const body = options?.body as FormData;
  expect(JSON.parse(String(body.get("operations")))).toEqual({ query: ASK.toString(), variables: { id: "x" } });
  expect(JSON.parse(String(body.get("map")))).toEqual({ "0": ["variables.id"] });
  expect((body.get("0") as File).name).toBe("stage.wasm");
  // The browser itself writes the boundary between the parts.
  expect(new Headers(options?.headers).has("content-type")).toBe(false);
  // Without this header the server accepts no upload: a form on another page cannot send it.
  expect(new Headers(options?.headers).has("graphql-require-preflight")).toBe(true);
});
