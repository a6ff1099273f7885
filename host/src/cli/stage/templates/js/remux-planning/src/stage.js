// {{name}}: a remux-planning stage for Outboard. This file contains only the contract's calls; the rule is in
// planner.js. A call returns the contract's error by throwing an object `{ tag, val }`; any other exception is printed
// and becomes a trap.
import { Planner } from './planner.js';
import { told } from './calls.js';
import * as settings from './settings.js';
import * as snapshot from './snapshot.js';

const NAME = '{{name}}';

const SETTINGS = {
  mark_after: {
    type: 'integer',
    title: 'Mark after',
    description: 'Batches in a row without processed audio from which on they are marked for the operator.',
    minimum: 1,
    maximum: 100,
    default: 1,
  },
};

// Each instance serves one pipeline, so its state can be kept here.
let planner;

export const lifecycle = told({
  describe() {
    return {
      name: NAME,
      version: '0.1.0',
      summary: '{{summary}}',
      settingsSchema: settings.schema(NAME, SETTINGS),
    };
  },

  open(text, state) {
    const { mark_after: markAfter } = settings.read(text, SETTINGS);
    planner = new Planner(markAfter, state === undefined ? undefined : snapshot.read(state));
  },

  snapshot() {
    return snapshot.write(planner?.state);
  },
});

export const remuxPlanning = told({
  plan(facts) {
    if (!planner) throw { tag: 'other', val: 'not opened' };
    return planner.plan(facts);
  },
});
