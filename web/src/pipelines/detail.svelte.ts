// One pipeline, followed: status, batches step by step, events. Nothing is polled; what was missed while the connection
// was lost is loaded when it is back.

import { ApiError, toApiError } from "../api/error.ts";
import {
  type BatchFactsFragment,
  type EventFactsFragment,
  EventsOfDocument,
  type FullStatusFragment,
  type IncidentFactsFragment,
  IncidentsDocument,
  KeptBatchesDocument,
  OlderBatchesDocument,
  OlderEventsDocument,
  OneBatchDocument,
  PipelineDetailDocument,
  type PipelineDetailQuery,
  ProgressOfDocument,
  StatusOfDocument,
} from "../api/operations.ts";
import { request } from "../api/request.ts";
import { subscribe } from "../api/socket.svelte.ts";
import { heard } from "../app/now.svelte.ts";
import { advance, KEEP as BATCHES_KEEP, merge, type Progress, toAsk, withKept } from "./batches.ts";
import { newer } from "./status.ts";

type Facts = NonNullable<PipelineDetailQuery["pipeline"]>;

/** Maximum number of events on the screen; older ones can be fetched. */
const EVENTS_KEEP = 200;
/** Number of batches that are fetched at a time. */
const PAGE = 100;
/** Files are removed soon after a batch is done, without an event: the page asks after this delay, in milliseconds. */
const KEPT_AFTER_MS = 2_000;
/** The maximum that the API returns at once. */
const KEPT_MOST = 200;
/** Steps after which a batch has more data than the step itself contains. */
const TELLING = ["DECIDED", "DONE"];

export class Detail {
  readonly id: string;
  facts = $state.raw<Facts>();
  status = $state.raw<FullStatusFragment>();
  /** Newest first. */
  batches = $state.raw<readonly BatchFactsFragment[]>([]);
  olderBatches = $state.raw<string | null>(null);
  /** Newest first. */
  events = $state.raw<readonly EventFactsFragment[]>([]);
  olderEvents = $state.raw<string | null>(null);
  /** Newest first. */
  incidents = $state.raw<readonly IncidentFactsFragment[]>([]);
  error = $state.raw<ApiError>();
  /** Whether it was deleted while the page was open. */
  gone = $state(false);
  private looking: ReturnType<typeof setTimeout> | undefined;

  constructor(id: string) {
    this.id = id;
  }

  async load(): Promise<void> {
    try {
      const { pipeline } = await request(PipelineDetailDocument, { id: this.id });
      if (!pipeline) throw new ApiError("NOT_FOUND", `There is no pipeline ${this.id}.`);
      this.facts = pipeline;
      this.status = newer(this.status, pipeline.status);
      heard(Date.parse(pipeline.status.at));
      this.batches = merge(this.batches, nodes(pipeline.batches));
      if (this.olderBatches === null) this.olderBatches = more(pipeline.batches);
      this.events = mergeEvents(this.events, nodes(pipeline.events));
      this.incidents = pipeline.incidents.edges.map((edge) => edge.node);
      if (this.olderEvents === null) this.olderEvents = more(pipeline.events);
      this.error = undefined;
    } catch (thrown) {
      this.error = toApiError(thrown);
    }
  }

  follow(): () => void {
    const { id } = this;
    const refused = (error: ApiError) => {
      this.error = error;
    };
    const stops = [
      subscribe(
        StatusOfDocument,
        { id },
        {
          data: ({ pipelineStatus }) => {
            heard(Date.parse(pipelineStatus.at));
            this.status = newer(this.status, pipelineStatus);
          },
          refused,
          ended: () => {
            this.gone = true;
          },
        },
      ),
      subscribe(ProgressOfDocument, { id }, { data: ({ batchProgress }) => this.step(batchProgress), refused }),
      subscribe(
        EventsOfDocument,
        { id },
        {
          data: ({ events }) => {
            this.events = mergeEvents(this.events, [events]).slice(0, EVENTS_KEEP);
            if (events.kind.startsWith("INCIDENT_")) void this.lookForIncidents();
            if (events.kind === "STORAGE_CLEANED") void this.lookForFiles();
            // Settings or desired state changed: by this user, or by somebody else.
            if (["UPDATED", "ROLLED_BACK", "STARTED", "STOPPED"].includes(events.kind)) void this.load();
          },
          refused,
        },
      ),
    ];
    return () => {
      clearTimeout(this.looking);
      for (const stop of stops) stop();
    };
  }

  async fetchOlderBatches(): Promise<void> {
    const { pipeline } = await request(OlderBatchesDocument, { id: this.id, first: PAGE, after: this.olderBatches });
    if (!pipeline) return;
    this.batches = merge(this.batches, nodes(pipeline.batches));
    this.olderBatches = this.batches.length < BATCHES_KEEP ? more(pipeline.batches) : null;
  }

  /** Fetches batches back to a moment, Unix time in milliseconds, or until there are no more. */
  async reachBackTo(moment: number): Promise<void> {
    while (this.olderBatches !== null) {
      const oldest = this.batches.at(-1);
      if (!oldest || Date.parse(oldest.completeAt) < moment) return;
      const before = this.olderBatches;
      await this.fetchOlderBatches();
      if (this.olderBatches === before) return;
    }
  }

  async fetchOlderEvents(): Promise<void> {
    const { pipeline } = await request(OlderEventsDocument, { id: this.id, first: 40, after: this.olderEvents });
    if (!pipeline) return;
    this.events = mergeEvents(this.events, nodes(pipeline.events));
    this.olderEvents = more(pipeline.events);
  }

  /** Checks which batches still have files: after some may have been removed, and after audio could not be fetched. */
  async lookForFiles(): Promise<void> {
    clearTimeout(this.looking);
    this.looking = undefined;
    const first = Math.min(KEPT_MOST, toAsk(this.batches));
    if (first === 0) return;
    try {
      const { pipeline } = await request(KeptBatchesDocument, { id: this.id, first });
      if (pipeline)
        this.batches = withKept(
          this.batches,
          pipeline.batches.edges.map((edge) => edge.node),
        );
    } catch {
      // Retried after the next batch; a lost connection is reported elsewhere.
    }
  }

  private async lookForIncidents(): Promise<void> {
    try {
      const { pipeline } = await request(IncidentsDocument, { id: this.id });
      if (pipeline) this.incidents = pipeline.incidents.edges.map((edge) => edge.node);
    } catch {
      // The next event includes them; a lost connection is reported elsewhere.
    }
  }

  private step(progress: Progress & { readonly dropped: number }): void {
    if (progress.dropped > 0) void this.load();
    this.batches = advance(this.batches, progress);
    if (TELLING.includes(progress.step)) void this.renew(progress.number);
    if (progress.step === "DONE") this.looking ??= setTimeout(() => void this.lookForFiles(), KEPT_AFTER_MS);
  }

  private async renew(number: number): Promise<void> {
    try {
      const { pipeline } = await request(OneBatchDocument, { id: this.id, number });
      if (pipeline?.batch) this.batches = merge(this.batches, [pipeline.batch]);
    } catch {
      // Its further data comes with the next load.
    }
  }
}

interface Pages<T> {
  readonly edges: readonly { readonly node: T }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

const nodes = <T>(pages: Pages<T>): T[] => pages.edges.map((edge) => edge.node);
const more = ({ pageInfo }: Pages<unknown>): string | null => (pageInfo.hasNextPage ? pageInfo.endCursor : null);

function mergeEvents(known: readonly EventFactsFragment[], fresh: readonly EventFactsFragment[]): EventFactsFragment[] {
  const all = new Map([...known, ...fresh].map((event) => [event.id, event]));
  return [...all.values()].sort((a, b) => Number(b.id) - Number(a.id));
}
