// A pipeline's settings in the form, and the changes to send. For an existing pipeline only changed settings are sent,
// because secrets (keys, passwords, query strings) are never shown and must not be sent back as "…".

import type { Problem } from "../api/error.ts";
import type {
  CatchUp,
  FailurePolicy,
  PipelineSettingsInput,
  SettingsFactsFragment,
  WhenEnded,
} from "../api/operations.ts";
import { type Range, wrongNumber } from "../forms/numbers.ts";

export interface DestinationForm {
  /** Id of an existing destination. */
  readonly id: string | null;
  /** Empty: derived from host and application. */
  name: string;
  url: string;
  srsApi: string;
  enabled: boolean;
}

/** A request header. Its value is never shown; if left empty, an existing header keeps it. */
export interface HeaderForm {
  readonly known: boolean;
  name: string;
  value: string;
}

/**
 * A stage: `component` is a digest, empty for the default one; `settings` the complete object, or null for its
 * defaults.
 */
export interface StageForm {
  component: string;
  settings: Readonly<Record<string, unknown>> | null;
  /** What decides after a failure; empty: the default. */
  onFailure: FailurePolicy | "";
  autoSwap: boolean;
  pinned: boolean;
}

export type StageName = "batching" | "framing" | "remuxPlanning";
export const STAGE_NAMES: readonly StageName[] = ["batching", "framing", "remuxPlanning"];

/** All values as typed text; empty means the default. */
export interface SettingsForm {
  sourceUrl: string;
  backupUrl: string;
  maxBandwidth: string;
  resolution: string;
  audioLanguage: string;
  audioName: string;
  audioPid: string;
  audioCodec: string;
  program: string;
  /** Empty: the default. */
  whenEnded: WhenEnded | "";
  /** Empty: the default. */
  catchUp: CatchUp | "";
  liveEdge: string;
  sourceHeaders: HeaderForm[];
  processorUrl: string;
  processorPath: string;
  processorNamespace: string;
  inFlight: string;
  /** Empty: the default. */
  preRoll: "" | "on" | "off";
  processorHeaders: HeaderForm[];
  /** JSON for Socket.IO's CONNECT; empty keeps the present value. */
  processorAuth: string;
  /** Whether the present value is removed. */
  processorAuthNone: boolean;
  destinations: DestinationForm[];
  batchSeconds: string;
  holdSeconds: string;
  cushionSeconds: string;
  keepBatches: string;
  keepHours: string;
  keepGigabytes: string;
  /** Whether what was on air is also written as one file per batch. */
  keepOutput: boolean;
  stages: Record<StageName, StageForm>;
}

const HOUR = 3600;
const GIGABYTE = 1e9;
const shown = (value: string | number | null | undefined) =>
  value === null || value === undefined ? "" : String(value);

export const newDestination = (): DestinationForm => ({ id: null, name: "", url: "", srsApi: "", enabled: true });

export function toForm(settings: SettingsFactsFragment | null): SettingsForm {
  const { source, processor, keep, stages } = settings ?? {};
  const known = (list: readonly { readonly name: string }[] | undefined): HeaderForm[] =>
    (list ?? []).map(({ name }) => ({ known: true, name, value: "" }));
  const stage = (name: StageName): StageForm => ({
    component: stages?.[name].component ?? "",
    settings: (stages?.[name].settings ?? null) as StageForm["settings"],
    onFailure: stages?.[name].onFailure ?? "",
    autoSwap: stages?.[name].autoSwap ?? false,
    pinned: stages?.[name].pinned ?? false,
  });
  const scaled = (value: number | null | undefined, by: number) =>
    value === null || value === undefined ? "" : String(value / by);
  return {
    sourceUrl: source?.url ?? "",
    backupUrl: shown(source?.backupUrl),
    maxBandwidth: shown(source?.maxBandwidth),
    resolution: shown(source?.resolution),
    audioLanguage: shown(source?.audio?.language),
    audioName: shown(source?.audio?.name),
    audioPid: shown(source?.audio?.pid),
    audioCodec: shown(source?.audio?.codec),
    program: shown(source?.program),
    whenEnded: source?.whenEnded ?? "",
    catchUp: source?.catchUp ?? "",
    liveEdge: shown(source?.liveEdge),
    sourceHeaders: known(source?.headers),
    processorUrl: processor?.url ?? "",
    processorPath: shown(processor?.path),
    processorNamespace: shown(processor?.namespace),
    inFlight: shown(processor?.inFlight),
    preRoll: onOrOff(processor?.preRoll),
    processorHeaders: known(processor?.headers),
    processorAuth: "",
    processorAuthNone: false,
    destinations: settings
      ? settings.destinations.map(({ id, name, url, srsApi, enabled }) => ({
          id,
          name: shown(name),
          url,
          srsApi: shown(srsApi),
          enabled,
        }))
      : [newDestination()],
    batchSeconds: shown(settings?.batchSeconds),
    holdSeconds: shown(settings?.holdSeconds),
    cushionSeconds: shown(settings?.cushionSeconds),
    keepBatches: shown(keep?.batches),
    keepHours: scaled(keep?.maxAgeSeconds, HOUR),
    keepGigabytes: scaled(keep?.maxBytes, GIGABYTE),
    keepOutput: keep?.output ?? false,
    stages: { batching: stage("batching"), framing: stage("framing"), remuxPlanning: stage("remuxPlanning") },
  };
}

function onOrOff(value: boolean | null | undefined): SettingsForm["preRoll"] {
  if (value === null || value === undefined) return "";
  return value ? "on" : "off";
}

/** Number fields: their paths, labels, and ranges (host/config/src/lib.rs), in their own units. */
const NUMBERS = {
  maxBandwidth: { path: "source.maxBandwidth", label: "Highest bit rate", from: 1, whole: true },
  audioPid: { path: "source.audio.pid", label: "PID of the audio", from: 1, to: 4_294_967_295, whole: true },
  program: { path: "source.program", label: "Programme", from: 1, to: 65_535, whole: true },
  liveEdge: { path: "source.liveEdge", label: "Segments behind live", from: 1, to: 1000, whole: true },
  inFlight: { path: "processor.inFlight", label: "Fragments in flight", from: 1, to: 16, whole: true },
  batchSeconds: { path: "batchSeconds", label: "Batch length in seconds", from: 2, to: 120, whole: true },
  holdSeconds: { path: "holdSeconds", label: "Hold in seconds", from: 0, to: 600 },
  cushionSeconds: { path: "cushionSeconds", label: "Cushion in seconds", from: 0, to: 120 },
  keepBatches: { path: "keep.batches", label: "Batches to keep", from: 0, to: 100_000, whole: true },
  keepHours: { path: "keep.maxAgeSeconds", label: "Hours to keep", from: 0.001, to: 1_193_046 },
  keepGigabytes: { path: "keep.maxBytes", label: "GB to keep", from: 0, to: 9_000_000 },
} as const satisfies Partial<Record<keyof SettingsForm, Range & { path: string; label: string }>>;
type NumberField = keyof typeof NUMBERS;

export interface WrongNumber extends Problem {
  readonly field: NumberField;
  readonly label: string;
}

/** Typed texts that are not valid numbers. */
export function wrongNumbers(now: SettingsForm, before: SettingsForm): WrongNumber[] {
  return (Object.keys(NUMBERS) as NumberField[]).flatMap((field) => {
    const { path, label, ...range } = NUMBERS[field];
    const message = now[field] === before[field] ? null : wrongNumber(now[field], range);
    return message === null ? [] : [{ field, label, path: `input.settings.${path}`, message }];
  });
}

/**
 * The changes from `before` to `now`. For a new pipeline `before` is the empty form. Invalid numbers are left
 * unchanged: otherwise the whole request would be refused without naming them.
 */
export function toInput(typed: SettingsForm, before: SettingsForm): PipelineSettingsInput {
  const now = { ...typed };
  for (const { field } of wrongNumbers(typed, before)) now[field] = before[field];
  const changed = (field: keyof SettingsForm) => now[field] !== before[field];
  const text = (field: keyof SettingsForm) => (now[field] as string).trim() || null;
  const number = (field: NumberField, by = 1) => {
    const value = text(field);
    return value === null ? null : Number(value) * by;
  };
  const differs = (field: keyof SettingsForm) => JSON.stringify(now[field]) !== JSON.stringify(before[field]);
  // A choice of audio is replaced as a whole.
  const audio = {
    pid: number("audioPid"),
    language: text("audioLanguage"),
    codec: text("audioCodec"),
    name: text("audioName"),
  };
  const chooses = Object.values(audio).some((value) => value !== null);
  const source = {
    ...(changed("sourceUrl") && { url: text("sourceUrl") ?? "" }),
    ...(changed("backupUrl") && { backupUrl: text("backupUrl") }),
    ...(changed("maxBandwidth") && { maxBandwidth: number("maxBandwidth") }),
    ...(changed("resolution") && { resolution: text("resolution") }),
    ...((["audioPid", "audioLanguage", "audioCodec", "audioName"] as const).some(changed) && {
      audio: chooses ? audio : null,
    }),
    ...(changed("program") && { program: number("program") }),
    ...(changed("whenEnded") && { whenEnded: now.whenEnded || null }),
    ...(changed("catchUp") && { catchUp: now.catchUp || null }),
    ...(changed("liveEdge") && { liveEdge: number("liveEdge") }),
    ...(differs("sourceHeaders") && { headers: headers(now.sourceHeaders) }),
  };
  const processor = {
    ...(changed("processorUrl") && { url: text("processorUrl") ?? "" }),
    ...(changed("processorPath") && { path: text("processorPath") }),
    ...(changed("processorNamespace") && { namespace: text("processorNamespace") }),
    ...(changed("inFlight") && { inFlight: number("inFlight") }),
    ...(changed("preRoll") && { preRoll: now.preRoll === "" ? null : now.preRoll === "on" }),
    ...(differs("processorHeaders") && { headers: headers(now.processorHeaders) }),
    ...(now.processorAuthNone ? { auth: null } : text("processorAuth") !== null && { auth: json(now.processorAuth) }),
  };
  const stages = STAGE_NAMES.filter((name) => JSON.stringify(now.stages[name]) !== JSON.stringify(before.stages[name]));
  const gone = text("processorUrl") === null && before.processorUrl !== "";
  const keeps = (["keepBatches", "keepHours", "keepGigabytes", "keepOutput"] as const).some(changed);
  return {
    ...(Object.keys(source).length > 0 && { source }),
    ...(gone
      ? { processor: null }
      : Object.keys(processor).length > 0 && text("processorUrl") !== null && { processor }),
    ...(destinationsChanged(now, before) && { destinations: now.destinations.map((one) => destination(one, before)) }),
    ...(changed("batchSeconds") && { batchSeconds: number("batchSeconds") }),
    ...(changed("holdSeconds") && { holdSeconds: number("holdSeconds") }),
    ...(changed("cushionSeconds") && { cushionSeconds: number("cushionSeconds") }),
    ...(stages.length > 0 && { stages: Object.fromEntries(stages.map((name) => [name, stage(now.stages[name])])) }),
    ...(keeps && {
      keep: {
        batches: number("keepBatches"),
        maxAgeSeconds: rounded(number("keepHours", HOUR)),
        maxBytes: rounded(number("keepGigabytes", GIGABYTE)),
        output: now.keepOutput,
      },
    }),
  };
}

/** A line that was added and not filled in yet is not sent. */
const headers = (list: readonly HeaderForm[]) =>
  list
    .filter(({ name, value }) => name.trim() !== "" || value !== "")
    .map(({ name, value, known }) => ({ name: name.trim(), ...((value !== "" || !known) && { value }) }));

const stage = ({ component, settings, onFailure, autoSwap, pinned }: StageForm) => ({
  component: component.trim() || null,
  settings,
  onFailure: onFailure || null,
  autoSwap,
  pinned,
});

/** Text that is not JSON is sent as a string: some processors expect just a word. */
function json(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value.trim();
  }
}

const rounded = (value: number | null) => (value === null ? null : Math.round(value));

function destinationsChanged(now: SettingsForm, before: SettingsForm): boolean {
  return JSON.stringify(now.destinations) !== JSON.stringify(before.destinations);
}

/** An existing destination is identified by its id; its URL is only sent if a new one was typed. */
function destination(one: DestinationForm, before: SettingsForm) {
  const known = before.destinations.find((other) => one.id !== null && other.id === one.id);
  const srsApi = one.srsApi.trim() || null;
  const name = one.name.trim() || null;
  return {
    ...(known && { id: known.id }),
    ...(known?.url !== one.url && { url: one.url.trim() }),
    ...(known ? known.srsApi !== one.srsApi && { srsApi } : srsApi !== null && { srsApi }),
    ...(known ? known.name !== one.name && { name } : name !== null && { name }),
    ...((known?.enabled ?? true) !== one.enabled && { enabled: one.enabled }),
  };
}
