// What a tenant can be given, in the units of the form: whole GB of disk and whole MiB of memory where the server counts bytes.

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
  /** Of the server's unit in one of the field's. */
  readonly unit: number;
  readonly hint?: string;
  /** What the form takes, in its own unit; the server (host/src/control/quota.rs) takes all of it. */
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

/** In the units of the form; null where a field was emptied. */
export type Values = Readonly<Partial<Record<string, number | null>>>;
/** As the server has them. */
export type Quotas = Readonly<Record<QuotaName, number>>;

export const toValues = (quotas: Quotas): Record<string, number | null> =>
  Object.fromEntries(QUOTAS.map(({ name, unit }) => [name, quotas[name] / unit]));

/** What was not touched stays as it is, to the byte, also where it is no whole number of the field's unit. */
const untouched = ({ name, unit }: Quota, values: Values, before: Quotas) => values[name] === before[name] / unit;

/** As it is sent. */
export const toQuotas = (values: Values, before: Quotas) =>
  Object.fromEntries(
    QUOTAS.map((quota) => [
      quota.name,
      untouched(quota, values, before) ? before[quota.name] : Math.round((values[quota.name] ?? 0) * quota.unit),
    ]),
  );

/** What cannot be sent, by name, in the field's unit. */
export function wrongQuotas(values: Values, before: Quotas): Partial<Record<QuotaName, string>> {
  return Object.fromEntries(
    QUOTAS.flatMap((quota) => {
      if (untouched(quota, values, before)) return [];
      const wrong = wrongNumber(String(values[quota.name] ?? 0), quota.range);
      return wrong === null ? [] : [[quota.name, wrong]];
    }),
  );
}

/** The server's sentences at a field, in the field's unit. */
export const saidOf = ({ unit }: Quota, sentences: readonly string[]) => sentences.map((one) => inUnit(one, unit));
