// The kinds of files, in the order of the data, with their labels and colours.

import type { UsageFactsFragment } from "../api/operations.ts";

export type Kind = keyof UsageFactsFragment["breakdown"];

export const KINDS: readonly { readonly kind: Kind; readonly name: string; readonly colour: string }[] = [
  { kind: "originalSegments", name: "Source segments", colour: "var(--step-batch)" },
  { kind: "videoFragments", name: "Video of batches", colour: "var(--step-demux)" },
  { kind: "audioFragments", name: "Original audio", colour: "var(--air-original)" },
  { kind: "processedAudio", name: "Processed audio", colour: "var(--step-exchange)" },
  { kind: "remuxedOutput", name: "Output", colour: "var(--air-processed)" },
  { kind: "components", name: "Stage components", colour: "var(--step-remux)" },
  { kind: "logs", name: "Logs", colour: "var(--edge)" },
  { kind: "other", name: "Other", colour: "var(--line)" },
];
