// How far a player is behind the current media on air. Pure.

/** A live player buffers some fragments: up to this many seconds behind its live position counts as "live". */
const LIVE_WITHIN = 3;

/** Milliseconds from being sent to being displayed; `null` if the playlist does not contain the time. */
export function behind(playing: Date | null, now: number): number | null {
  if (playing === null || Number.isNaN(playing.getTime())) return null;
  return Math.max(0, now - playing.getTime());
}

/** Whether the newest available media is displayed. Seconds of media. */
export function isLive(position: number, sync: number | null): boolean {
  return sync === null || position >= sync - LIVE_WITHIN;
}
