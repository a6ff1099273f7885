// Typed numbers. GraphQL would refuse an invalid number with the whole request and without naming the field, so it is
// reported here, at the field and in the field's own unit.

export interface Range {
  readonly from: number;
  /** Left out if it is only a technical limit. */
  readonly to?: number;
  readonly whole?: boolean;
}

/** Why a text cannot be sent as a number, or null. An empty text is valid: the default applies. */
export function wrongNumber(typed: string, range: Range): string | null {
  const text = typed.trim();
  if (text === "") return null;
  const { from, to, whole = false } = range;
  const use = to === undefined ? `${from} or more` : `${from} to ${to}`;
  const number = Number(text);
  const what = whole ? "a whole number" : "a number";
  if (!Number.isFinite(number)) return `${JSON.stringify(text)} is not ${what}: use ${use}`;
  if (whole && !Number.isInteger(number)) return `${text} is not a whole number: use ${use}`;
  if (number < from) return `${text} is too small: use ${use}`;
  return number > (to ?? Number.MAX_SAFE_INTEGER) ? `${text} is too large: use ${use}` : null;
}

/** A range in a larger unit, rounded inwards, so that every value within the displayed range is within the real one. */
export function scaledRange({ from, to, whole }: Range, unit: number): Range {
  if (unit === 1) return { from, ...(to !== undefined && { to }), ...(whole && { whole }) };
  return {
    from: rounded(from / unit, Math.ceil),
    ...(to !== undefined && { to: rounded(to / unit, Math.floor) }),
  };
}

/** To three digits; larger whole numbers keep all of theirs. */
function rounded(value: number, how: (value: number) => number): number {
  if (value === 0) return 0;
  const digits = Math.max(0, 2 - Math.floor(Math.log10(value)));
  return Number((how(value * 10 ** digits) / 10 ** digits).toFixed(digits));
}

const SAID = /^(\d+) must be a whole number from (\d+) to (\d+)$/;

/**
 * Converts the server's message about a number from its own unit (bytes) to the field's unit; other messages are
 * unchanged.
 */
export function inUnit(message: string, unit: number): string {
  const [, value, from, to] = (unit === 1 ? null : SAID.exec(message)) ?? [];
  if (value === undefined) return message;
  const range = scaledRange({ from: Number(from), to: Number(to) }, unit);
  return `${Number(value) / unit} must be from ${range.from} to ${range.to}`;
}
