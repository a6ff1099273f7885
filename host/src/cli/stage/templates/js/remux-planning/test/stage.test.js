import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { lifecycle, remuxPlanning } from '../src/stage.js';

const AUDIO = {
  codec: 'aac',
  firstPtsUs: 1_400_000n,
  durationUs: 30_000_000n,
  packets: 1406n,
  sampleRateHz: 48_000,
  channels: 2,
  packetUs: 21_333n,
};
const RETURNED = {
  container: 'fmp4',
  codec: 'aac',
  durationUs: 30_000_000n,
  packets: 1406n,
  sampleRateHz: 48_000,
  channels: 2,
  copyable: true,
  metadata: '{}',
};
const LATE = { tag: 'absent', val: { tag: 'late' } };
const returned = (more = {}) => ({ tag: 'returned', val: { ...RETURNED, ...more } });
const facts = (reply, more = {}) => ({
  batch: 0n,
  audio: AUDIO,
  reply,
  timeLeftMs: 1000n,
  policy: { maxStretchPermille: 250, maxOffsetUs: 0n, maxGainCentibel: 0 },
  ...more,
});
const plan = (reply, more) => remuxPlanning.plan(facts(reply, more));

test('describes itself as package.json does', () => {
  const { name, version, description } = JSON.parse(readFileSync('package.json', 'utf8'));
  const described = lifecycle.describe();
  assert.deepEqual([described.name, described.version, described.summary], [name, version, description]);
  assert.equal(JSON.parse(described.settingsSchema).properties.mark_after.default, 1);
});

test('processed audio is copied where it fits and encoded where it nearly does', () => {
  lifecycle.open('');
  assert.deepEqual([plan(returned()).audio.tag, plan(returned()).coding.tag], ['processed', 'copy']);
  for (const nearly of [{ durationUs: 29_000_000n }, { channels: 1 }]) {
    const { audio, coding, fit } = plan(returned(nearly));
    assert.deepEqual([audio.tag, coding.tag, fit], ['processed', 'encode', 'trim-or-pad']);
  }
});

test('without usable audio the original goes on air', () => {
  lifecycle.open('');
  for (const reply of [returned({ durationUs: 20_000_000n }), returned({ durationUs: 0n }), LATE]) {
    assert.equal(plan(reply).audio.tag, 'original');
  }
  assert.equal(plan(LATE, { audio: undefined }).audio.tag, 'none');
});

test('the count of originals goes on in another instance', () => {
  lifecycle.open('{"mark_after":2}');
  assert.equal(plan(LATE).marked, false);
  lifecycle.open('{"mark_after":2}', lifecycle.snapshot());
  assert.equal(plan(LATE).marked, true);
  plan(returned());
  assert.equal(plan(LATE).marked, false);
});

test('settings and state that cannot be used are refused with the reason', () => {
  assert.throws(() => lifecycle.open('{"mark_after":0}'), { tag: 'invalid-settings' });
  assert.throws(() => lifecycle.open('', new TextEncoder().encode('?')), { tag: 'unreadable-state' });
});
