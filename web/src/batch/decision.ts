// The host's record of a decision (plan, reason and reply) as names and values for people. Fields may change between
// versions: unknown ones are shown as they are.

import { duration } from "../format/duration.ts";
import { counted } from "../format/quantity.ts";

export interface Line {
  readonly name: string;
  readonly value: string;
}

export interface Decision {
  readonly plan: readonly Line[];
  readonly reply: readonly Line[];
  /** The processor's metadata. */
  readonly metadata: readonly Line[];
}

type Json = Readonly<Record<string, unknown>>;

const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const part = (value: unknown, name: string): Json => {
  const found = isJson(value) ? value[name] : undefined;
  return isJson(found) ? found : {};
};

export function decided(decision: unknown): Decision {
  const reply = part(decision, "reply");
  const { metadata, probe, ...rest } = reply;
  return {
    plan: lines(part(decision, "plan")),
    reply: [...lines(rest), ...lines(isJson(probe) ? probe : {})],
    metadata: lines(isJson(metadata) ? metadata : {}),
  };
}

function lines(of: Json): Line[] {
  return Object.entries(of)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => ({ name: plain(name), value: shown(name, value) }));
}

const UNITS = /_(us|ms|hz|permille|kbps|bytes)$/;

/** `sample_rate_hz` becomes "sample rate", `processingTime` "processing time": the unit is with the value. */
function plain(name: string): string {
  const words = name
    .replace(UNITS, "")
    .replaceAll("_", " ")
    .replaceAll(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function shown(name: string, value: unknown): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value) && value.length === 0) return "none";
  if (typeof value !== "number") return typeof value === "string" ? value : JSON.stringify(value);
  switch (UNITS.exec(name)?.[1]) {
    case "us":
      return duration(value / 1000);
    case "ms":
      return duration(value);
    case "hz":
      return `${value / 1000} kHz`;
    case "permille":
      return `${value / 10} %`;
    case "kbps":
      return `${value} kbit/s`;
    case "bytes":
      return counted(value, "byte");
    default:
      return String(value);
  }
}
