// Kinds of events for webhooks, in the groups of the form.

import type { EventKind } from "../api/operations.ts";

export interface KindGroup {
  readonly name: string;
  readonly kinds: readonly (readonly [EventKind, string])[];
}

/** All kinds of the schema (a test compares them), with labels. */
export const KIND_GROUPS: readonly KindGroup[] = [
  {
    name: "Incidents",
    kinds: [
      ["INCIDENT_OPENED", "Incident opened"],
      ["INCIDENT_ESCALATED", "Incident escalated"],
      ["INCIDENT_RESOLVED", "Incident resolved"],
    ],
  },
  {
    name: "On air",
    kinds: [
      ["ON_AIR", "On air"],
      ["OFF_AIR", "Off air"],
      ["FALLBACK", "Original audio instead of processed"],
      ["BATCH_LOST", "Batch lost"],
      ["BATCH_TOO_LONG", "Batch too long for its deadline"],
      ["DESTINATION_CONNECTED", "Destination connected"],
      ["DESTINATION_LOST", "Destination lost"],
      ["DESTINATION_DROPPED", "Packets dropped for a destination"],
    ],
  },
  {
    name: "Source",
    kinds: [
      ["SOURCE_CONNECTED", "Source connected"],
      ["SOURCE_LOST", "Source lost"],
      ["SOURCE_STALE", "No new segments"],
      ["SOURCE_FRESH", "New segments again"],
      ["SOURCE_FAILOVER", "Switched to the other source"],
      ["SOURCE_GAP", "Segments missing"],
      ["SOURCE_RESTARTED", "Playlist restarted"],
      ["SOURCE_WARNING", "Source warning"],
    ],
  },
  {
    name: "Processor and stages",
    kinds: [
      ["PROCESSOR_CONNECTED", "Processor connected"],
      ["PROCESSOR_LOST", "Processor lost"],
      ["BREAKER_OPENED", "Circuit breaker opened"],
      ["BREAKER_CLOSED", "Circuit breaker closed"],
      ["STAGE_FAILED", "Stage failed"],
      ["STAGE_SWAPPED", "Stage swapped"],
      ["STAGE_ROLLED_BACK", "Stage rolled back"],
    ],
  },
  {
    name: "Storage",
    kinds: [
      ["QUOTA_REACHED", "Quota reached"],
      ["DISK_LOW", "Disk nearly full"],
      ["STORAGE_RECOVERED", "Space available again"],
      ["STORAGE_CLEANED", "Files removed"],
      ["FILES_LOST", "Files lost"],
    ],
  },
  {
    name: "Pipeline",
    kinds: [
      ["CREATED", "Created"],
      ["UPDATED", "Settings changed"],
      ["ROLLED_BACK", "Settings rolled back"],
      ["STARTED", "Started"],
      ["STOPPED", "Stopped"],
      ["ENDED", "Ended"],
      ["FAILED", "Failed"],
      ["DELETED", "Deleted"],
    ],
  },
];

/** For alerts: each problem when it begins, when it becomes more severe and when it ends. */
export const PROBLEMS: readonly EventKind[] = ["INCIDENT_OPENED", "INCIDENT_ESCALATED", "INCIDENT_RESOLVED"];

const WORDS = new Map<string, string>(KIND_GROUPS.flatMap((group) => group.kinds));

/** The label of a kind; a kind of a newer server is shown by its name. */
export const kindWord = (kind: string): string => WORDS.get(kind) ?? kind.toLowerCase().replaceAll("_", " ");

export type Choice = "all" | "problems" | "some";

/** The choice that a list of kinds means. An empty list means all. */
export function choiceOf(kinds: readonly EventKind[]): Choice {
  if (kinds.length === 0) return "all";
  const same = kinds.length === PROBLEMS.length && PROBLEMS.every((kind) => kinds.includes(kind));
  return same ? "problems" : "some";
}

/** The kinds to send: all is an empty list. */
export const kindsOf = (choice: Choice, some: ReadonlySet<EventKind>): EventKind[] =>
  choice === "all" ? [] : choice === "problems" ? [...PROBLEMS] : [...some];

/** A summary that fits into a row of the list. */
export function summary(kinds: readonly EventKind[]): string {
  const choice = choiceOf(kinds);
  if (choice !== "some") return choice === "all" ? "All events" : "Problems only";
  return kinds.map(kindWord).join(", ");
}
