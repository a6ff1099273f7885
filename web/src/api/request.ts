// Queries and mutations: one POST each. Nothing is cached; changes arrive by subscription.

import { ApiError, fromErrors } from "./error.ts";
import type { TypedDocumentString } from "./operations.ts";

/** A dry run may fetch a playlist and connect to a destination before it answers. */
const TIMEOUT_MS = 45_000;

const ACCEPT = "application/graphql-response+json, application/json";

/** The result, or an [`ApiError`]. */
export async function request<T, V>(document: TypedDocumentString<T, V>, variables: V): Promise<T> {
  const body = JSON.stringify({ query: document.toString(), variables });
  return post({ headers: { "content-type": "application/json", accept: ACCEPT }, body });
}

/**
 * A request with a file at a path of the variables (`variables.input.file`), by the multipart request specification.
 */
export async function upload<T, V>(
  document: TypedDocumentString<T, V>,
  variables: V,
  path: string,
  file: File,
): Promise<T> {
  const body = new FormData();
  body.set("operations", JSON.stringify({ query: document.toString(), variables }));
  body.set("map", JSON.stringify({ 0: [path] }));
  body.set("0", file);
  // A form on another page could send this through the browser with our cookie, but not with a header.
  return post({ headers: { accept: ACCEPT, "graphql-require-preflight": "1" }, body });
}

async function post<T>(how: { headers: Record<string, string>; body: BodyInit }): Promise<T> {
  let response: Response;
  try {
    response = await fetch("/graphql", { method: "POST", ...how, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (thrown) {
    const late = thrown instanceof DOMException && thrown.name === "TimeoutError";
    throw new ApiError("NETWORK", late ? "The server did not answer in time." : "The server cannot be reached.");
  }
  const { data, errors } = await readJson<{ data?: T | null; errors?: unknown }>(response);
  if (Array.isArray(errors) && errors.length > 0) throw fromErrors(errors);
  if (data === undefined || data === null) throw odd(response);
  return data;
}

/** The JSON response, or the error in it: `{error, code, problems}` besides GraphQL. */
export async function readJson<T>(response: Response): Promise<T> {
  const answer: unknown = await response.json().catch(() => undefined);
  if (typeof answer === "object" && answer !== null) {
    const { error, code, problems } = answer as Record<string, unknown>;
    if (typeof error === "string") throw fromErrors([{ message: error, extensions: { code, problems } }]);
    // GraphQL's own errors come with other statuses too.
    if (response.ok || "errors" in answer) return answer as T;
  }
  if (response.status === 401) throw new ApiError("UNAUTHENTICATED", "Sign in to continue.");
  throw odd(response);
}

function odd(response: Response): ApiError {
  return new ApiError("OTHER", `The server answered with ${response.status} ${response.statusText}`.trim());
}
