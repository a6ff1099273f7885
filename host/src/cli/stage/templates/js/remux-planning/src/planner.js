// Plans the processed audio if its length fits, else the original audio.

// Audio is not used if its length differs from the original's by more than one part in this many.
const DIFFERENCE_PART = 10n;

export class Planner {
  /** `state`: what another instance had; see the property. */
  constructor(markAfter, state) {
    this.markAfter = markAfter;
    // The state from which another instance can resume: consecutive batches that went on air with their original audio,
    // although audio was sent to the processor.
    this.state = { originals_in_a_row: state?.originals_in_a_row ?? 0 };
  }

  plan({ audio: original, reply }) {
    if (!original) return plan('none', 'the batch has no audio');
    if (reply.tag === 'returned') {
      if (!fits(original, reply.val)) return this.#original('the processed audio has another length');
      this.state.originals_in_a_row = 0;
      return replace(original, reply.val);
    }
    if (reply.val.tag === 'not-sent') return plan('original', 'nothing was sent');
    return this.#original(`no processed audio: ${[reply.val.tag, reply.val.val].filter(Boolean).join(', ')}`);
  }

  #original(why) {
    this.state.originals_in_a_row += 1;
    return { ...plan('original', why), marked: this.state.originals_in_a_row >= this.markAfter };
  }
}

function difference(original, returned) {
  const us = original.durationUs - returned.durationUs;
  return us < 0n ? -us : us;
}

function fits(original, returned) {
  return returned.durationUs > 0n && difference(original, returned) <= original.durationUs / DIFFERENCE_PART;
}

/** Copies the audio if its format and length fit; else encodes it to the original's format, trimmed or padded to its length. */
function replace(original, returned) {
  const sameFormat = returned.sampleRateHz === original.sampleRateHz && returned.channels === original.channels;
  if (returned.copyable && sameFormat && difference(original, returned) <= original.packetUs) {
    return plan('processed', 'processed audio, as it is');
  }
  return {
    ...plan('processed', "processed audio, encoded to the original's format and length"),
    coding: { tag: 'encode', val: undefined },
    fit: 'trim-or-pad',
  };
}

/** A plan with the chosen audio, unchanged. */
function plan(audio, note) {
  return {
    audio: { tag: audio },
    coding: { tag: 'copy' },
    stretchPermille: 0,
    fit: 'leave',
    offsetUs: 0n,
    note,
    marked: false,
  };
}
