// Durations for people: at most two units, always with their names.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `850 ms`, `4.2 s`, `1 min 5 s`, `2 h 13 min`, `3 d 4 h`; a minus sign if negative. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return "unknown";
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  // 59.96 s is a minute, not "60.0 s".
  if (ms < 9.95 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < 59.5 * SECOND) return `${Math.round(ms / SECOND)} s`;
  if (ms < HOUR - SECOND / 2) return pair(Math.round(ms / SECOND), 60, "min", "s");
  if (ms < DAY - MINUTE / 2) return pair(Math.round(ms / MINUTE), 60, "h", "min");
  return pair(Math.round(ms / HOUR), 24, "d", "h");
}

/** With microseconds below one millisecond: `340 µs`. */
export function brief(ms: number): string {
  return ms >= 0 && ms < 0.9995 ? `${Math.round(ms * 1000)} µs` : duration(ms);
}

/** For durations that count up on the screen: whole seconds, so that they do not flicker. */
export function elapsed(ms: number): string {
  const whole = Math.max(0, Math.floor(ms / SECOND));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(whole, 60, "min", "s");
  return whole < 86_400 ? pair(Math.floor(whole / 60), 60, "h", "min") : pair(Math.floor(whole / 3600), 24, "d", "h");
}

function pair(total: number, base: number, large: string, small: string): string {
  const rest = total % base;
  return rest === 0 ? `${Math.floor(total / base)} ${large}` : `${Math.floor(total / base)} ${large} ${rest} ${small}`;
}
