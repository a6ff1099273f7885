// A waveform: the largest amplitude of each slice. Pure; the browser decodes.

/** Largest absolute sample of each of `slices` equal slices; fewer if there are fewer samples. */
export function peaks(samples: Float32Array, slices: number): Float32Array {
  const count = Math.min(slices, samples.length);
  const found = new Float32Array(count);
  for (let n = 0; n < count; n += 1) {
    const to = Math.floor(((n + 1) * samples.length) / count);
    let top = 0;
    for (let at = Math.floor((n * samples.length) / count); at < to; at += 1) {
      const swing = Math.abs(samples[at] ?? 0);
      if (swing > top) top = swing;
    }
    found[n] = top;
  }
  return found;
}

/**
 * The amplitude that fills the height: the loudest of all compared waveforms, so that a quiet programme is visible too.
 */
export const fullSwing = (loudest: readonly number[]): number => Math.max(QUIET, ...loudest);
/** Amplitudes below this (-40 dB of full scale) are drawn as silence. */
const QUIET = 0.01;

/** The largest amplitude. */
export const loudest = (found: Float32Array): number => found.reduce((most, one) => Math.max(most, one), 0);

/**
 * A path around the middle line, in a box of `width` by `height`; an amplitude of `full` fills it. Silence is a thin
 * line.
 */
export function outline(found: Float32Array, width: number, height: number, full = 1): string {
  if (found.length === 0) return "";
  const step = width / found.length;
  const half = height / 2;
  const swing = (peak: number) => Math.max(0.5, Math.min(1, peak / full) * half);
  const point = (n: number, y: number) => `${(n * step + step / 2).toFixed(1)} ${y.toFixed(1)}`;
  const over = [...found].map((peak, n) => point(n, half - swing(peak)));
  const under = [...found].map((peak, n) => point(n, half + swing(peak))).reverse();
  return `M${[...over, ...under].join("L")}Z`;
}

/** `0:07`, `2:05`: the position in the audio. */
export function position(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
