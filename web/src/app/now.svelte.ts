// The server's time, updated once per second, for everything that counts up: one timer for the whole page. It stands
// still while the connection is lost, because the displayed data is of that moment.

import { ServerClock } from "../format/clock.ts";

const clock = new ServerClock();
let tick = $state(Date.now());
let held = $state<number | null>(null);

setInterval(() => {
  // A page in the background is not visible; the first tick after it returns corrects the time.
  if (document.visibilityState === "visible") tick = Date.now();
}, 1000);

export const now = {
  /** Unix time in milliseconds by the server's clock; changes each second. */
  get ms(): number {
    return clock.now(held ?? tick);
  },
  /** This browser's clock, also while the connection is lost; changes each second. */
  get here(): number {
    return tick;
  },
};

/** The server's time at this very moment, for animation. */
export function exactly(): number {
  return clock.now(held ?? Date.now());
}

/** Called when a message arrives that the server created at `serverMs`. */
export function heard(serverMs: number): void {
  clock.observe(serverMs, Date.now());
}

/** Stops at a moment of this browser's clock; `null` continues. */
export function hold(at: number | null): void {
  held = at;
}
