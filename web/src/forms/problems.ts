// Assigns the server's problems to the fields of a form; the others are shown above the button. Paths are for programs:
// they are shown as words, and entries of lists are counted from 1.

import type { ApiError, Problem } from "../api/error.ts";

export class Problems {
  readonly #all: readonly Problem[];
  readonly #prefix: string;

  /** `prefix` is the path of the form's input: `input.` or `input.settings.`. */
  constructor(all: readonly Problem[], prefix = "input.") {
    this.#all = all;
    this.#prefix = prefix;
  }

  static of(error: ApiError | undefined, prefix?: string): Problems {
    return new Problems(error?.problems ?? [], prefix);
  }

  /** Problems at a field or below it: `source` includes those of `source.url`. */
  at(field: string): string[] {
    const path = this.#prefix + field;
    return this.#all
      .filter((one) => below(one.path, path))
      .map((one) => sentence(one.path.slice(path.length), one.message));
  }

  /** Problems that no field has shown. */
  others(fields: readonly string[]): Problem[] {
    return this.#all.filter((one) => !fields.some((field) => below(one.path, this.#prefix + field)));
  }
}

/** A problem without a field: the text names its subject. */
export const told = ({ path, message }: Problem): string => sentence(path, message);

/**
 * A refusal for display: the server's message with labels instead of paths, and the problems that the message leaves
 * out.
 */
export function refusal(error: ApiError): { sentence: string; list: string[] } {
  const named = error.problems.reduce(
    (text, one) => text.replace(`${one.path} ${one.message}`, () => told(one)),
    error.message,
  );
  const left = error.problems.filter((one) => !error.message.includes(one.message));
  return { sentence: named, list: left.map(told) };
}

function below(path: string, field: string): boolean {
  return path === field || (path.startsWith(field) && /^[.[]/.test(path.slice(field.length)));
}

/** Messages of the server that continue the name of their subject: "is missing", "must be an http URL". */
const READS_ON =
  /^(is|are|has|have|must|may|can|cannot|do|does|did|was|starts|ends|names|needs|holds|comes|belongs|would|or)\b/;

/** At the field itself the path adds nothing. */
function sentence(path: string, message: string): string {
  const name = words(path);
  if (name === "") return capital(message);
  const reads = READS_ON.test(message) && !/entry \d+$/.test(name);
  return capital(reads ? `${name} ${message}` : `${name}: ${message}`);
}

/** The position in the request, and GraphQL's name for the whole input, are not shown to people. */
const ROOTS = /^(input|query|arguments)(\.|$)/;
const NAMES: Readonly<Record<string, string>> = { url: "URL", srs: "SRS", api: "API" };

/** `input.settings.destinations[1].srsApi`: `destinations, entry 2, SRS API`. */
export function words(path: string): string {
  return path
    .replace(ROOTS, "")
    .replace(/^settings\./, "")
    .split(/\.|(?=\[)/)
    .filter(Boolean)
    .map((part) => {
      const entry = /^\[(\d+)\]$/.exec(part);
      return entry ? `entry ${Number(entry[1]) + 1}` : plain(part);
    })
    .join(", ");
}

/** `maxAgeSeconds` and `batch_seconds` as words. */
const plain = (name: string) =>
  name
    .replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .split(/[ _]+/)
    .filter(Boolean)
    .map((word) => NAMES[word] ?? word)
    .join(" ");

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
