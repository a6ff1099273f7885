// What goes on air: the processed audio where there is some that fits, else the original.

// Audio that differs from the original's length by more than one in so many parts is not used.
const DIFFERENCE_PART = 10n;

export class Planner {
  /** `state`: what another instance had; see the property. */
  constructor(markAfter, state) {
    this.markAfter = markAfter;
    // All that another instance needs to go on: batches in a row that went on air with their original audio, though
    // audio was sent.
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

/** Copied where the players will not notice; else encoded to the original's format and trimmed or padded to its length. */
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

/** The plan that changes nothing about the chosen audio. */
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
