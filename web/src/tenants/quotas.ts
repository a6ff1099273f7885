// What a tenant can be given, in the units of the form: GB and MB where the server counts bytes.

import { inUnit, type Range, scaledRange, wrongNumber } from "../forms/numbers.ts";

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
  readonly unit: number;
  readonly hint?: string;
  /** As the server has it (host/src/control/quota.rs), in its own unit. */
  readonly range: Range;
}

const whole = (from: number, to: number): Range => ({ from, to, whole: true });

export const QUOTAS: readonly Quota[] = [
  { name: "pipelines", label: "Pipelines", unit: 1, hint: "Running or not", range: whole(0, 1000) },
  { name: "destinationsPerPipeline", label: "Destinations of a pipeline", unit: 1, range: whole(1, 16) },
  { name: "storageBytes", label: "Storage in GB", unit: 1e9, range: whole(100 * 2 ** 20, 2 ** 50) },
  { name: "stageMemoryBytes", label: "Memory of a stage in MB", unit: 1e6, range: whole(32 * 2 ** 20, 2 ** 30) },
  {
    name: "inFlightFragments",
    label: "Fragments in flight",
    unit: 1,
    hint: "With processors at once, all pipelines together",
    range: whole(1, 16_000),
  },
  {
    name: "ffmpegProcesses",
    label: "ffmpeg processes at once",
    unit: 1,
    hint: "More wait for their turn",
    range: whole(1, 256),
  },
];

export type Values = Readonly<Partial<Record<string, number | null>>>;

/** As it is sent. */
export const toQuotas = (values: Values) =>
  Object.fromEntries(QUOTAS.map(({ name, unit }) => [name, Math.round((values[name] ?? 0) * unit)]));

/** What cannot be sent, by name; judged as the server would, said in the field's unit. */
export function wrongQuotas(values: Values): Partial<Record<QuotaName, string>> {
  const sent = toQuotas(values);
  return Object.fromEntries(
    QUOTAS.flatMap(({ name, unit, range }) => {
      if (wrongNumber(String(sent[name]), range) === null) return [];
      const typed = values[name] ?? 0;
      const { from, to } = scaledRange(range, unit);
      return [[name, `${typed} is too ${typed * unit < range.from ? "little" : "much"}: use ${from} to ${to}`]];
    }),
  );
}

/** The server's sentences at a field, in the field's unit. */
export const saidOf = ({ unit }: Quota, sentences: readonly string[]) => sentences.map((one) => inUnit(one, unit));
