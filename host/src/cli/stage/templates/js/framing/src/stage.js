// {{name}}: a framing stage for Outboard. Only the contract's calls are here; the dialect is in framer.js.
// A call that throws an object `{ tag, val }` returns the contract's error; any other exception is printed and becomes a trap.
import { Framer } from './framer.js';
import { printingErrors } from './calls.js';
import * as settings from './settings.js';
import * as snapshot from './snapshot.js';

const NAME = '{{name}}';

const SETTINGS = {
  metadata: {
    type: 'object',
    title: 'Extra metadata',
    description: "Keys that are added to every fragment's metadata, such as languages or a voice.",
    default: {},
  },
};

// One instance serves one pipeline, so its state can be kept here.
let framer;

export const lifecycle = printingErrors({
  describe() {
    return {
      name: NAME,
      version: '0.1.0',
      summary: '{{summary}}',
      settingsSchema: settings.schema(NAME, SETTINGS),
    };
  },

  open(text, state) {
    const { metadata } = settings.read(text, SETTINGS);
    framer = new Framer(metadata, state === undefined ? undefined : snapshot.read(state));
  },

  snapshot() {
    return snapshot.write(framer?.state);
  },
});

export const framing = printingErrors({
  audioFormat: () => ({ tag: 'fmp4' }),
  // A dialect with a handshake sends it here and answers `ready: false`.
  onConnect: () => ({ messages: [], ready: true }),
  encode: (fragment, audio) => [opened().encode(fragment, audio)],
  decode: (message) => opened().decode(message),
  onDisconnect: () => {},
});

function opened() {
  if (!framer) throw { tag: 'other', val: 'not opened' };
  return framer;
}
