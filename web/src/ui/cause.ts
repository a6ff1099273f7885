// The cause of a problem, in a word. The order is that of the data.

import type { HealthCause } from "../api/operations.ts";

export const CAUSES: Readonly<Record<HealthCause, string>> = {
  SETTINGS: "Settings",
  QUOTA: "Quota",
  DISK: "Disk",
  SOURCE: "Source",
  PROCESSOR: "Processor",
  STAGE: "Stage",
  DESTINATION: "Destination",
};
