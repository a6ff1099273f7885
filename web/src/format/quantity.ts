// Amounts with their units. Disk and network are decimal (kB, MB, GB), memory alone is binary (MiB).

const BYTES = ["B", "kB", "MB", "GB", "TB", "PB"];
const BITS = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"];

/** `512 B`, `19.4 MB`, `1.25 TB`: three digits. */
export function bytes(count: number): string {
  return scaled(count, BYTES);
}

/** Bits per second: `4.9 Mbit/s`. */
export function bitrate(bitsPerSecond: number): string {
  return scaled(bitsPerSecond, BITS);
}

const MIB = 2 ** 20;

/** Memory of a process or a stage: `128 MiB`, `0.4 MiB`. */
export function memory(count: number): string {
  if (!Number.isFinite(count)) return "unknown";
  const amount = count / MIB;
  return `${amount >= 9.95 || Number.isInteger(amount) ? Math.round(amount) : amount.toFixed(1)} MiB`;
}

function scaled(amount: number, units: readonly string[]): string {
  if (!Number.isFinite(amount)) return "unknown";
  const sign = amount < 0 ? "−" : "";
  let rest = Math.abs(amount);
  let unit = 0;
  // 999.6 kB is 1.00 MB, not "1000 kB".
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return `${sign}${rest.toFixed(digits)} ${units[unit]}`;
}

/** `12 345`, grouped by narrow non-breaking spaces. */
export function count(number: number): string {
  if (!Number.isFinite(number)) return "unknown";
  const sign = number < 0 ? "−" : "";
  return (
    sign +
    Math.abs(Math.round(number))
      .toString()
      .replaceAll(/\B(?=(\d{3})+$)/g, "\u202f")
  );
}

/** `1 batch`, `12 batches`. */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/**
 * A share as `12 %`. A share slightly above nothing or below all is not shown as 0 % or 100 %; without a whole there is
 * no share.
 */
export function percent(part: number, whole: number): string {
  if (!(whole > 0)) return "–";
  const share = (100 * part) / whole;
  if (share > 0 && share < 1) return "< 1 %";
  if (share > 99 && share < 100) return "> 99 %";
  return `${Math.round(share)} %`;
}
