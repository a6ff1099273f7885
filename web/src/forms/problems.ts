// Which of the server's problems belong to which field of a form, and which to none: those are shown above the button.

import type { ApiError, Problem } from "../api/error.ts";

export class Problems {
  readonly #all: readonly Problem[];
  readonly #prefix: string;

  /** `prefix` is the path of what the form sends: `input.` or `input.settings.`. */
  constructor(all: readonly Problem[], prefix = "input.") {
    this.#all = all;
    this.#prefix = prefix;
  }

  static of(error: ApiError | undefined, prefix?: string): Problems {
    return new Problems(error?.problems ?? [], prefix);
  }

  /** At a field, or below it: `source` has what is wrong with `source.url`. */
  at(field: string): string[] {
    const path = this.#prefix + field;
    return this.#all.filter((one) => below(one.path, path)).map((one) => sentence(one, path));
  }

  /** What none of the fields has shown. */
  others(fields: readonly string[]): Problem[] {
    return this.#all.filter((one) => !fields.some((field) => below(one.path, this.#prefix + field)));
  }
}

function below(path: string, field: string): boolean {
  return path === field || (path.startsWith(field) && /^[.[]/.test(path.slice(field.length)));
}

/** The message reads on from the path; at the field itself the path says nothing new. */
function sentence({ path, message }: Problem, at: string): string {
  const rest = path.slice(at.length).replace(/^\./, "");
  const text = rest ? `${rest} ${message}` : message;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
