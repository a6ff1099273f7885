// A pipeline's settings as they stand in the form, and what of them is sent: of what is there already only what was
// changed, because what gives access (keys, passwords, query strings) is never shown and must not be sent back as "…".

import type { PipelineSettingsInput, SettingsFactsFragment } from "../api/operations.ts";

export interface DestinationForm {
  /** Of one that is there already. */
  readonly id: string | null;
  url: string;
  srsApi: string;
}

/** All as text, as it is typed; empty is "as by default". */
export interface SettingsForm {
  sourceUrl: string;
  backupUrl: string;
  maxBandwidth: string;
  resolution: string;
  processorUrl: string;
  processorPath: string;
  processorNamespace: string;
  inFlight: string;
  destinations: DestinationForm[];
  batchSeconds: string;
  holdSeconds: string;
  cushionSeconds: string;
  keepBatches: string;
  keepHours: string;
  keepGigabytes: string;
}

const HOUR = 3600;
const GIGABYTE = 1e9;
const shown = (value: string | number | null | undefined) =>
  value === null || value === undefined ? "" : String(value);

export function toForm(settings: SettingsFactsFragment | null): SettingsForm {
  const { source, processor, keep } = settings ?? {};
  const scaled = (value: number | null | undefined, by: number) =>
    value === null || value === undefined ? "" : String(value / by);
  return {
    sourceUrl: source?.url ?? "",
    backupUrl: shown(source?.backupUrl),
    maxBandwidth: shown(source?.maxBandwidth),
    resolution: shown(source?.resolution),
    processorUrl: processor?.url ?? "",
    processorPath: shown(processor?.path),
    processorNamespace: shown(processor?.namespace),
    inFlight: shown(processor?.inFlight),
    destinations: settings
      ? settings.destinations.map(({ id, url, srsApi }) => ({ id, url, srsApi: shown(srsApi) }))
      : [{ id: null, url: "", srsApi: "" }],
    batchSeconds: shown(settings?.batchSeconds),
    holdSeconds: shown(settings?.holdSeconds),
    cushionSeconds: shown(settings?.cushionSeconds),
    keepBatches: shown(keep?.batches),
    keepHours: scaled(keep?.maxAgeSeconds, HOUR),
    keepGigabytes: scaled(keep?.maxBytes, GIGABYTE),
  };
}

/** What is to be sent to get from `before` to `now`. For a new pipeline `before` is the empty form. */
export function toInput(now: SettingsForm, before: SettingsForm): PipelineSettingsInput {
  const changed = (field: keyof SettingsForm) => now[field] !== before[field];
  const text = (field: keyof SettingsForm) => (now[field] as string).trim() || null;
  const number = (field: keyof SettingsForm, by = 1) => {
    const value = text(field);
    // What is no number is sent as it is: the server says so in its own words.
    return value === null ? null : Number.isFinite(Number(value)) ? Number(value) * by : (value as unknown as number);
  };
  const source = {
    ...(changed("sourceUrl") && { url: text("sourceUrl") ?? "" }),
    ...(changed("backupUrl") && { backupUrl: text("backupUrl") }),
    ...(changed("maxBandwidth") && { maxBandwidth: number("maxBandwidth") }),
    ...(changed("resolution") && { resolution: text("resolution") }),
  };
  const processor = {
    ...(changed("processorUrl") && { url: text("processorUrl") ?? "" }),
    ...(changed("processorPath") && { path: text("processorPath") }),
    ...(changed("processorNamespace") && { namespace: text("processorNamespace") }),
    ...(changed("inFlight") && { inFlight: number("inFlight") }),
  };
  const gone = text("processorUrl") === null && before.processorUrl !== "";
  const keeps = (["keepBatches", "keepHours", "keepGigabytes"] as const).some(changed);
  return {
    ...(Object.keys(source).length > 0 && { source }),
    ...(gone
      ? { processor: null }
      : Object.keys(processor).length > 0 && text("processorUrl") !== null && { processor }),
    ...(destinationsChanged(now, before) && { destinations: now.destinations.map((one) => destination(one, before)) }),
    ...(changed("batchSeconds") && { batchSeconds: number("batchSeconds") }),
    ...(changed("holdSeconds") && { holdSeconds: number("holdSeconds") }),
    ...(changed("cushionSeconds") && { cushionSeconds: number("cushionSeconds") }),
    ...(keeps && {
      keep: {
        batches: number("keepBatches"),
        maxAgeSeconds: rounded(number("keepHours", HOUR)),
        maxBytes: rounded(number("keepGigabytes", GIGABYTE)),
      },
    }),
  };
}

const rounded = (value: number | null) => (typeof value === "number" ? Math.round(value) : value);

function destinationsChanged(now: SettingsForm, before: SettingsForm): boolean {
  return JSON.stringify(now.destinations) !== JSON.stringify(before.destinations);
}

/** One that is there is named by its id; its URL is only sent where a new one was typed. */
function destination(one: DestinationForm, before: SettingsForm) {
  const known = before.destinations.find((other) => one.id !== null && other.id === one.id);
  const srsApi = one.srsApi.trim() || null;
  return {
    ...(known && { id: known.id }),
    ...(known?.url !== one.url && { url: one.url.trim() }),
    ...(known ? known.srsApi !== one.srsApi && { srsApi } : srsApi !== null && { srsApi }),
  };
}
