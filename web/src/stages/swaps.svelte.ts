// Swaps of all visible pipelines, newest first, followed step by step.

import { type ApiError, toApiError } from "../api/error.ts";
import { SwapChangesDocument, type SwapFactsFragment, SwapsDocument } from "../api/operations.ts";
import { request } from "../api/request.ts";
import { subscribe } from "../api/socket.svelte.ts";
import { hasCutOver, isOver } from "./steps.ts";

/** Older ones are in the pipelines' events. */
const KEEP = 30;

export class Swaps {
  list = $state.raw<readonly SwapFactsFragment[]>([]);
  loaded = $state(false);
  error = $state.raw<ApiError>();
  readonly #changed: () => void;

  /** `changed` is called after a cut-over and at the end of a swap, because the running versions have changed. */
  constructor(changed: () => void = () => undefined) {
    this.#changed = changed;
  }

  async load(): Promise<void> {
    try {
      const { pipelines } = await request(SwapsDocument, {});
      this.#take((pipelines ?? []).flatMap((one) => one.swaps.edges.map((edge) => edge.node)));
      this.loaded = true;
      this.error = undefined;
    } catch (thrown) {
      this.error = toApiError(thrown);
    }
  }

  follow(): () => void {
    return subscribe(
      SwapChangesDocument,
      {},
      {
        data: ({ swapChanged }) => this.hear(swapChanged),
        refused: (error) => {
          this.error = error;
        },
      },
    );
  }

  /** Called for a requested swap, and for each step of a swap. */
  hear(swap: SwapFactsFragment): void {
    const decided = this.list.some((one) => one.id === swap.id && hasCutOver(one));
    this.#take([swap]);
    if (isOver(swap.state) || (!decided && hasCutOver(swap))) this.#changed();
  }

  #take(fresh: readonly SwapFactsFragment[]): void {
    const all = new Map(this.list.map((one) => [one.id, one]));
    for (const one of fresh) {
      const known = all.get(one.id);
      // The response may be older than messages of the subscription.
      if (!known || one.steps.length >= known.steps.length) all.set(one.id, one);
    }
    this.list = [...all.values()].sort((a, b) => Date.parse(b.startedAt) - Date.parse(a.startedAt)).slice(0, KEEP);
  }
}
