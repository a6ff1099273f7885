// The quotas of a tenant in the form's units: whole GB of disk and whole MiB of memory, where the server uses bytes.

import { inUnit, type Range, wrongNumber } from "../forms/numbers.ts";

export type QuotaName =
  | "pipelines"
  | "destinationsPerPipeline"
  | "storageBytes"
  | "stageMemoryBytes"
  | "inFlightFragments"
  | "ffmpegProcesses";

export interface Quota {
  readonly name: QuotaName;
  readonly label: string;
  /** The server's units per unit of the field. */
  readonly unit: number;
  readonly hint?: string;
  /** The field's range in its own unit; the server (host/control/src/quota.rs) accepts all of it. */
  readonly range: Range;
}

const whole = (from: number, to: number): Range => ({ from, to, whole: true });

export const QUOTAS: readonly Quota[] = [
  { name: "pipelines", label: "Pipelines", unit: 1, hint: "Running or not", range: whole(0, 1000) },
  { name: "destinationsPerPipeline", label: "Destinations of a pipeline", unit: 1, range: whole(1, 16) },
  { name: "storageBytes", label: "Storage in GB", unit: 1e9, range: whole(1, 1_000_000) },
  { name: "stageMemoryBytes", label: "Memory of a stage in MiB", unit: 2 ** 20, range: whole(32, 1024) },
  {
    name: "inFlightFragments",
    label: "Fragments in flight",
    unit: 1,
    hint: "Of all pipelines together, at all processors",
    range: whole(1, 16_000),
  },
  {
    name: "ffmpegProcesses",
    label: "ffmpeg processes at once",
    unit: 1,
    hint: "Others wait",
    range: whole(1, 256),
  },
];

/** In the form's units; null for an emptied field. */
export type Values = Readonly<Partial<Record<string, number | null>>>;
/** In the server's units. */
export type Quotas = Readonly<Record<QuotaName, number>>;

export const toValues = (quotas: Quotas): Record<string, number | null> =>
  Object.fromEntries(QUOTAS.map(({ name, unit }) => [name, quotas[name] / unit]));

/** An unchanged quota keeps its exact value, even if it is not a whole number in the field's unit. */
const untouched = ({ name, unit }: Quota, values: Values, before: Quotas) => values[name] === before[name] / unit;

/** The quotas to send. */
export const toQuotas = (values: Values, before: Quotas) =>
  Object.fromEntries(
    QUOTAS.map((quota) => [
      quota.name,
      untouched(quota, values, before) ? before[quota.name] : Math.round((values[quota.name] ?? 0) * quota.unit),
    ]),
  );

/** Quotas that cannot be sent, by name, in the field's unit. */
export function wrongQuotas(values: Values, before: Quotas): Partial<Record<QuotaName, string>> {
  return Object.fromEntries(
    QUOTAS.flatMap((quota) => {
      if (untouched(quota, values, before)) return [];
      const wrong = wrongNumber(String(values[quota.name] ?? 0), quota.range);
      return wrong === null ? [] : [[quota.name, wrong]];
    }),
  );
}

/** The server's messages for a field, in the field's unit. */
export const saidOf = ({ unit }: Quota, sentences: readonly string[]) => sentences.map((one) => inUnit(one, unit));
