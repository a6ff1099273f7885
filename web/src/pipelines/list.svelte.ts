// All visible pipelines, kept current by subscriptions. Each row changes on its own.

import { type ApiError, toApiError } from "../api/error.ts";
import {
  ChangesDocument,
  type GlanceFragment,
  GlancesDocument,
  OneRowDocument,
  PipelinesDocument,
  type RowFragment,
  type TripFragment,
  TripsDocument,
} from "../api/operations.ts";
import { request } from "../api/request.ts";
import { subscribe } from "../api/socket.svelte.ts";
import { heard } from "../app/now.svelte.ts";
import { newer } from "./status.ts";
import { withTrips } from "./trips.ts";

export class Row {
  readonly id: string;
  facts = $state.raw<RowFragment>() as RowFragment;
  status = $state.raw<GlanceFragment>() as GlanceFragment;
  trips = $state.raw<readonly TripFragment[]>([]);

  constructor(facts: RowFragment) {
    this.id = facts.id;
    this.take(facts);
  }

  take(facts: RowFragment): void {
    this.facts = facts;
    this.status = newer(this.status, facts.status);
    this.trips = withTrips(
      this.trips,
      facts.batches.edges.map((edge) => edge.node),
    );
  }

  /** Called for a new status; batches that were decided since are fetched. */
  hear(status: GlanceFragment): void {
    const decided = (one: GlanceFragment) => (one.counters ? one.counters.processed + one.counters.original : 0);
    const news = decided(status) - decided(this.status);
    this.status = newer(this.status, status);
    if (news > 0) void this.fetchTrips(Math.min(20, news + 2));
  }

  private async fetchTrips(first: number): Promise<void> {
    try {
      const { pipeline } = await request(TripsDocument, { id: this.id, first });
      if (pipeline)
        this.trips = withTrips(
          this.trips,
          pipeline.batches.edges.map((edge) => edge.node),
        );
    } catch {
      // The next decision includes them; a lost connection is reported elsewhere.
    }
  }
}

export class PipelineList {
  rows = $state.raw<readonly Row[]>([]);
  loaded = $state(false);
  error = $state.raw<ApiError>();

  /** Loads everything, and again when the connection is back, because changes in between were missed. */
  async load(): Promise<void> {
    try {
      const { pipelines } = await request(PipelinesDocument, {});
      const known = new Map(this.rows.map((row) => [row.id, row]));
      this.rows = (pipelines ?? []).map((facts) => {
        const row = known.get(facts.id);
        row?.take(facts);
        return row ?? new Row(facts);
      });
      this.error = undefined;
      this.loaded = true;
    } catch (thrown) {
      this.error = toApiError(thrown);
    }
  }

  /** Follows changes until the returned function is called. */
  follow(): () => void {
    const glances = subscribe(
      GlancesDocument,
      {},
      {
        data: ({ pipelineStatus }) => {
          heard(Date.parse(pipelineStatus.at));
          this.rows.find((row) => row.id === pipelineStatus.pipelineId)?.hear(pipelineStatus);
        },
        refused: (error) => {
          this.error = error;
        },
      },
    );
    const changes = subscribe(
      ChangesDocument,
      {},
      { data: ({ events }) => void this.renew(events.kind, events.pipelineId) },
    );
    return () => {
      glances();
      changes();
    };
  }

  /** Removes a pipeline that was just deleted on this page. */
  remove(id: string): void {
    this.rows = this.rows.filter((row) => row.id !== id);
  }

  private async renew(kind: string, id: string | null): Promise<void> {
    if (kind === "DELETED") {
      // A deleted pipeline has no id any more that could be requested.
      await this.load();
      return;
    }
    if (id === null) return;
    try {
      const { pipeline } = await request(OneRowDocument, { id });
      if (!pipeline) return;
      const row = this.rows.find((one) => one.id === id);
      if (row) row.take(pipeline);
      else this.rows = [...this.rows, new Row(pipeline)].sort((a, b) => (a.id < b.id ? -1 : 1));
    } catch {
      // Deleted again in the meantime, or unreachable: the list is reloaded when the connection is back.
    }
  }
}
