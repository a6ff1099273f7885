import { expect, it } from "vitest";
import { ApiError, fromErrors, toApiError } from "./error.ts";

it("keeps the server's sentence, its code and the problems of all errors", () => {
  const error = fromErrors([
    {
      message: "2 settings are wrong",
      extensions: { code: "INVALID_INPUT", problems: [{ path: "input.streamId", message: "is taken" }, { path: 1 }] },
    },
    { message: "more", extensions: { code: "CONFLICT", problems: [{ path: "input.b", message: "is odd" }] } },
  ]);
  expect(error).toMatchObject({ code: "INVALID_INPUT", message: "2 settings are wrong" });
  expect(error.problems).toEqual([
    { path: "input.streamId", message: "is taken" },
    { path: "input.b", message: "is odd" },
  ]);
});

it("makes sense of errors that say little", () => {
  expect(fromErrors([{ message: "x", extensions: { code: "NEW_CODE" } }]).code).toBe("OTHER");
  expect(fromErrors([{}])).toMatchObject({ code: "OTHER", message: "The server reported an error without a reason." });
  expect(fromErrors([null]).problems).toEqual([]);
});

it("takes whatever was thrown", () => {
  const known = new ApiError("CONFLICT", "no");
  expect(toApiError(known)).toBe(known);
  expect(toApiError([{ message: "m" }]).message).toBe("m");
  expect(toApiError(new TypeError("Failed to fetch"))).toMatchObject({ code: "NETWORK" });
});
