// The dialect `fragment`: sends `fragment:data` with the audio as a binary attachment, receives `fragment:processed`.

// Most ids that are kept; more than fragments are ever in flight.
const SENT_MAX = 64;

export class Framer {
  /** `state`: what another instance had; see the property. */
  constructor(metadata, state) {
    this.metadata = metadata;
    // The state from which another instance can resume on the open connection: ids of fragments that were sent, oldest
    // first, because a processor may use other ids in its replies.
    this.state = { sent: state?.sent ?? [] };
  }

  encode(fragment, audio) {
    if (!this.state.sent.includes(fragment.id)) {
      this.state.sent = [...this.state.sent, fragment.id].slice(-SENT_MAX);
    }
    const batch = Number(fragment.batch);
    const body = {
      fragment: {
        id: fragment.id,
        streamId: fragment.streamId,
        sequenceNumber: batch,
        batchNumber: batch,
        timestamp: Number(fragment.createdMs),
        duration: Math.round(Number(fragment.durationUs) / 1000),
        codec: fragment.codec,
        sampleRate: fragment.sampleRateHz,
        channels: fragment.channels,
        contentType: fragment.contentType,
        size: audio.length,
        metadata: {
          ...this.metadata,
          fileName: fragment.fileName,
          fileSize: audio.length,
          ptsUs: Number(fragment.ptsUs),
        },
      },
      data: { _placeholder: true, num: 0 },
    };
    return { event: 'fragment:data', arguments: JSON.stringify([body]), attachments: [audio] };
  }

  /** Throws the contract's `invalid-input` if the message is not JSON; events that are not in the dialect are ignored. */
  decode(message) {
    const body = bodyOf(message);
    const fragment = this.#reference(body);
    switch (message.event) {
      case 'fragment:processed':
        return fragment ? [processed(body, fragment, message.attachments)] : [];
      case 'fragment:ack':
        return fragment ? [{ tag: 'acknowledged', val: fragment }] : [];
      case 'fragment:error': {
        const reason = String(body.error ?? 'the processor gave no reason');
        return [{ tag: 'failed', val: { fragment, reason, retryable: body.retryable === true } }];
      }
      default:
        return [];
    }
  }

  /** The fragment: by an id that was sent, else by number, else by an unknown id. */
  #reference(body) {
    const of = (key) => body.fragment?.[key] ?? body[key];
    const id = of('id') ?? of('fragmentId');
    const named = typeof id === 'string' && id !== '';
    const number = of('batchNumber') ?? of('sequenceNumber');
    if (named && this.state.sent.includes(id)) return { tag: 'id', val: id };
    if (Number.isSafeInteger(number) && number >= 0) return { tag: 'batch', val: BigInt(number) };
    return named ? { tag: 'id', val: id } : undefined;
  }
}

function bodyOf(message) {
  let body;
  try {
    [body] = JSON.parse(message.arguments);
  } catch (error) {
    throw { tag: 'invalid-input', val: `the arguments of ${message.event} are not a JSON array: ${error.message}` };
  }
  return typeof body === 'object' && body !== null ? body : {};
}

function processed(body, fragment, attachments) {
  const audio = attachments[body.data?.num];
  if (audio === undefined) {
    return { tag: 'failed', val: { fragment, reason: 'the reply holds no audio', retryable: false } };
  }
  const metadata = typeof body.metadata === 'object' && body.metadata !== null ? body.metadata : {};
  return { tag: 'processed', val: { fragment, audio, metadata: JSON.stringify(metadata) } };
}
