// The lines on the log screen: the live feed, paused while a line is inspected, or lines of the past.

import { type ApiError, toApiError } from "../api/error.ts";
import { LiveLogsDocument, type LogFilterInput, PastLogsDocument } from "../api/operations.ts";
import { request } from "../api/request.ts";
import { subscribe } from "../api/socket.svelte.ts";
import { entry, type Item, items, rejoined } from "./entry.ts";
import { Ring } from "./ring.ts";
import { seenIn } from "./targets.ts";

/** Maximum number of lines: some megabytes, and more than anybody scrolls through. */
const KEEP = 10_000;
/** Number of earlier lines with which a feed begins. */
const BEGIN_WITH = 200;
/** Number of newest known lines in which the first lines after a break are searched. */
const MEETS = 2_000;
/** Number of past lines that are fetched at a time. */
const PAGE = 200;
/** The server sends nothing if no line matches the filter: after this time, no line is on its way. */
const QUIET_MS = 1_500;

export class Feed {
  readonly #ring = new Ring<Item>(KEEP);
  #redraw = 0;
  #before: string | null = null;
  #after: string | null = null;
  /** Detects responses to an earlier filter. */
  #turn = 0;

  /** The drawn lines. Changes at most once per frame. */
  lines = $state.raw<readonly Item[]>([]);
  /** Paused; new lines are counted. */
  paused = $state(false);
  waiting = $state(0);
  /** Lines that were missed since the feed began. */
  dropped = $state(0);
  /** Whether past lines are shown instead of live ones. */
  past = $state(false);
  earlier = $state(false);
  later = $state(false);
  loading = $state(false);
  /** Origins of lines so far, whatever the filter was. */
  targets = $state.raw<readonly string[]>([]);
  error = $state.raw<ApiError>();

  /** Follows lines that match the filter until the returned function is called. */
  live(filter: LogFilterInput): () => void {
    this.#begin(false);
    let again = false;
    const quiet = setTimeout(() => {
      this.loading = false;
    }, QUIET_MS);
    const off = subscribe(
      LiveLogsDocument,
      { filter, last: BEGIN_WITH },
      {
        data: ({ logs }) => {
          clearTimeout(quiet);
          this.loading = false;
          this.targets = seenIn(this.targets, logs.lines);
          this.error = undefined;
          this.dropped += logs.dropped;
          const { end } = this.#ring;
          const fresh = again
            ? rejoined(this.#ring.range(end - MEETS, end), logs.lines)
            : items(logs.lines, logs.dropped);
          again = false;
          this.#ring.append(fresh);
          if (this.paused) this.waiting += fresh.length;
          else this.#draw();
        },
        back: () => {
          again = true;
        },
        refused: (error) => {
          clearTimeout(quiet);
          this.loading = false;
          this.error = error;
        },
      },
    );
    return () => {
      clearTimeout(quiet);
      off();
    };
  }

  /** Shows lines from a moment on. */
  async from(filter: LogFilterInput, since: string): Promise<void> {
    const turn = this.#begin(true);
    await this.#fetch(turn, { filter: { ...filter, since }, first: PAGE }, (fresh) => fresh);
    // Lines before that moment can be requested too.
    if (turn === this.#turn) this.earlier = true;
  }

  async fetchEarlier(filter: LogFilterInput, since: string): Promise<void> {
    const turn = this.#turn;
    const where = this.#before
      ? { filter, last: PAGE, before: this.#before }
      : { filter: { ...filter, until: since }, last: PAGE };
    await this.#fetch(turn, where, (fresh) => [...fresh, ...this.lines]);
  }

  async fetchLater(filter: LogFilterInput): Promise<void> {
    await this.#fetch(this.#turn, { filter, first: PAGE, after: this.#after }, (fresh) => [...this.lines, ...fresh]);
  }

  pause(): void {
    if (this.paused || this.past) return;
    this.paused = true;
    this.lines = this.#ring.range(0, this.#ring.end);
  }

  resume(): void {
    this.paused = false;
    this.waiting = 0;
    this.#draw();
  }

  clear(): void {
    this.#ring.clear();
    this.dropped = 0;
    this.resume();
  }

  #begin(past: boolean): number {
    this.#turn += 1;
    this.#ring.clear();
    this.lines = [];
    this.paused = false;
    this.waiting = 0;
    this.dropped = 0;
    this.past = past;
    this.earlier = false;
    this.later = false;
    this.#before = null;
    this.#after = null;
    this.loading = true;
    this.error = undefined;
    return this.#turn;
  }

  async #fetch(
    turn: number,
    where: { filter: LogFilterInput; first?: number; last?: number; before?: string | null; after?: string | null },
    place: (fresh: Item[]) => Item[],
  ): Promise<void> {
    this.loading = true;
    try {
      const { logs } = await request(PastLogsDocument, where);
      if (turn !== this.#turn || !logs) return;
      const { edges, pageInfo } = logs;
      const nodes = edges.map((edge) => edge.node);
      this.targets = seenIn(this.targets, nodes);
      this.lines = place(nodes.map(entry));
      if ("last" in where) {
        this.earlier = pageInfo.hasPreviousPage;
        this.#before = pageInfo.startCursor ?? this.#before;
        this.#after ??= pageInfo.endCursor;
      } else {
        this.later = pageInfo.hasNextPage;
        this.#after = pageInfo.endCursor ?? this.#after;
        this.#before ??= pageInfo.startCursor;
      }
      this.error = undefined;
    } catch (thrown) {
      if (turn === this.#turn) this.error = toApiError(thrown);
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  #draw(): void {
    if (this.#redraw) return;
    this.#redraw = requestAnimationFrame(() => {
      this.#redraw = 0;
      if (!this.paused && !this.past) this.lines = this.#ring.range(0, this.#ring.end);
    });
  }
}
