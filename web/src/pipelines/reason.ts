// A reason as a row has room for it: the cause first, what has a long address after it.

/** An address in front of its cause, as in `rtmp://host/live/…: connection refused`. */
const ADDRESSED = /(^|[:;] )(\S+:\/\/\S+?): (?!\/\/)(.+)$/;

/** `no packets leave: rtmp://host/live/…: connection refused` as `no packets leave: connection refused (rtmp://host/live/…)`. */
export function causeFirst(reason: string): string {
  return reason.replace(ADDRESSED, "$1$3 ($2)");
}

/** The same as a sentence begins. */
export const asSentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
