// The server's time, once a second, for everything that counts up: one timer for the whole page. It stands still while the
// connection is lost: what is shown is of that moment, and must not look as if it went on.

import { ServerClock } from "../format/clock.ts";

const clock = new ServerClock();
let tick = $state(Date.now());
let held = $state<number | null>(null);

setInterval(() => {
  // Nobody sees a page in the background; the first tick after it comes back sets it right.
  if (document.visibilityState === "visible") tick = Date.now();
}, 1000);

export const now = {
  /** Unix time in milliseconds by the server's clock; changes each second. */
  get ms(): number {
    return clock.now(held ?? tick);
  },
  /** This browser's, also while the connection is lost; changes each second. */
  get here(): number {
    return tick;
  },
};

/** The same at this very moment, for animation. */
export function exactly(): number {
  return clock.now(held ?? Date.now());
}

/** A message that the server made at `serverMs` has just come. */
export function heard(serverMs: number): void {
  clock.observe(serverMs, Date.now());
}

/** Stands still at a moment of this browser's clock; `null` lets it go on. */
export function hold(at: number | null): void {
  held = at;
}
