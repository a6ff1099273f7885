// Audio of a batch: fetched, decoded for its waveform, and played from its URL.

import { peaks } from "./waveform.ts";

/** Enough to show words and pauses; a screen is not much wider. */
const SLICES = 700;
/** For the waveform only: a twelfth of the work of full quality, with the same outline. */
const PICTURE_HZ = 8_000;

export type Kept =
  | { readonly kind: "loading" }
  | { readonly kind: "there"; readonly peaks: Float32Array; readonly seconds: number; readonly bytes: number }
  /** It never existed, or its file is gone. */
  | { readonly kind: "gone" }
  | { readonly kind: "failed"; readonly problem: string };

/** Fetches the audio. Never throws. */
export async function fetchSound(url: string, signal: AbortSignal): Promise<Kept> {
  try {
    const answer = await fetch(url, { signal });
    if (answer.status === 404) return { kind: "gone" };
    if (!answer.ok) return { kind: "failed", problem: `The server answered with ${answer.status}.` };
    const file = await answer.arrayBuffer();
    const bytes = file.byteLength;
    const sound = await new OfflineAudioContext(1, 1, PICTURE_HZ).decodeAudioData(file);
    return { kind: "there", peaks: peaks(sound.getChannelData(0), SLICES), seconds: sound.duration, bytes };
  } catch (thrown) {
    const unreadable = thrown instanceof DOMException && thrown.name === "EncodingError";
    return {
      kind: "failed",
      problem: unreadable
        ? "This browser cannot decode it; it can still be downloaded."
        : "The server cannot be reached.",
    };
  }
}
