// The usage of each tenant, as the sum of its pipelines.

import type { TenantsQuery } from "../api/operations.ts";

export interface Usage {
  readonly pipelines: number;
  readonly bytes: number;
}

export function usage({ pipelines, storage }: TenantsQuery): Map<string, Usage> {
  const sums = new Map<string, { pipelines: number; bytes: number }>();
  const of = (tenant: string) => {
    const sum = sums.get(tenant) ?? { pipelines: 0, bytes: 0 };
    sums.set(tenant, sum);
    return sum;
  };
  for (const { tenant } of pipelines ?? []) of(tenant).pipelines += 1;
  // Files may outlive their pipeline; an id begins with the tenant's name.
  for (const { pipelineId, usage } of storage?.pipelines ?? [])
    of(pipelineId.split(":")[0] ?? "").bytes += usage.totalBytes;
  return sums;
}
