// Errors of the server. Their text is shown as it is: at the field that it belongs to, or at the action.

export interface Problem {
  /** The path in the request: `input.settings.source.url`. */
  readonly path: string;
  readonly message: string;
}

/** The codes of the server, and `NETWORK` for a missing response. */
export type Code =
  | "UNAUTHENTICATED"
  | "FORBIDDEN"
  | "NOT_FOUND"
  | "INVALID_INPUT"
  | "CONFLICT"
  | "LIMIT_EXCEEDED"
  | "UNAVAILABLE"
  | "NETWORK"
  | "OTHER";

const CODES: readonly string[] = [
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "NOT_FOUND",
  "INVALID_INPUT",
  "CONFLICT",
  "LIMIT_EXCEEDED",
  "UNAVAILABLE",
] satisfies Code[];

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: Code;
  readonly problems: readonly Problem[];

  constructor(code: Code, message: string, problems: readonly Problem[] = []) {
    super(message);
    this.code = code;
    this.problems = problems;
  }
}

interface Said {
  readonly message?: unknown;
  readonly extensions?: { readonly code?: unknown; readonly problems?: unknown } | null;
}

/** The first of GraphQL's errors, with the problems of all. */
export function fromErrors(errors: readonly unknown[]): ApiError {
  const said = errors.map((error) => (typeof error === "object" && error !== null ? (error as Said) : {}));
  const first = said[0];
  const code = first?.extensions?.code;
  const problems = said.flatMap(({ extensions }) => (Array.isArray(extensions?.problems) ? extensions.problems : []));
  return new ApiError(
    typeof code === "string" && CODES.includes(code) ? (code as Code) : "OTHER",
    typeof first?.message === "string" && first.message
      ? first.message
      : "The server reported an error without a reason.",
    problems.filter(isProblem),
  );
}

function isProblem(value: unknown): value is Problem {
  if (typeof value !== "object" || value === null) return false;
  const { path, message } = value as Record<string, unknown>;
  return typeof path === "string" && typeof message === "string";
}

/** Converts anything that was thrown to an ApiError. */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (Array.isArray(thrown)) return fromErrors(thrown);
  return new ApiError("NETWORK", "The server cannot be reached.");
}
