// Points in time: local for reading, UTC for comparison with other logs. In: Unix time in milliseconds.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (part: number) => String(part).padStart(2, "0");

/** `14:03:22`; with the day if it is not today (`22 Nov 14:03:22`), and the year if it is another one. */
export function local(ms: number, now: number): string {
  const at = new Date(ms);
  return day(at, new Date(now)) + clock(at);
}

/**
 * `14:03:22.057`: for log lines, where the order within a second counts. With the day as in `local` if `now` is given:
 * a moment of that day, or the time now.
 */
export function precise(ms: number, now?: number): string {
  const at = new Date(ms);
  const milliseconds = String(at.getMilliseconds()).padStart(3, "0");
  return `${now === undefined ? "" : day(at, new Date(now))}${clock(at)}.${milliseconds}`;
}

const clock = (at: Date) => `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;

/** The day before the time; empty for today. */
function day(at: Date, today: Date): string {
  const sameYear = at.getFullYear() === today.getFullYear();
  if (sameYear && at.getMonth() === today.getMonth() && at.getDate() === today.getDate()) return "";
  const date = `${at.getDate()} ${MONTHS[at.getMonth()]}`;
  return sameYear ? `${date} ` : `${date} ${at.getFullYear()} `;
}

/** `2026-11-22 13:03:22 UTC`. */
export function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** For the `datetime` attribute. */
export function machine(ms: number): string {
  return new Date(ms).toISOString();
}
