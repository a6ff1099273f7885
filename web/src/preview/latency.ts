// How far a player is behind what goes on air now. Pure.

/** A live player keeps some fragments in hand: up to this many seconds from where it should be still is "live". */
const LIVE_WITHIN = 3;

/** Milliseconds from leaving for air to being seen; `null` where the playlist does not tell when that was. */
export function behind(playing: Date | null, now: number): number | null {
  if (playing === null || Number.isNaN(playing.getTime())) return null;
  return Math.max(0, now - playing.getTime());
}

/** Whether what is seen is the newest that a player should show. Seconds of media. */
export function isLive(position: number, sync: number | null): boolean {
  return sync === null || position >= sync - LIVE_WITHIN;
}
