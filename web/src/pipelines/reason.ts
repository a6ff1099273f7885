// A reason in a form that fits into a row: the cause first, a long address after it.

/** An address before its cause, as in `rtmp://host/live/…: connection refused`. */
const ADDRESSED = /(^|[:;] )(\S+:\/\/\S+?): (?!\/\/)(.+)$/;

/** `no packets leave: rtmp://host/live/…: connection refused` as `no packets leave: connection refused (rtmp://host/live/…)`. */
export function causeFirst(reason: string): string {
  return reason.replace(ADDRESSED, "$1$3 ($2)");
}

/** The text with a capital letter. */
export const asSentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
