import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { framing, lifecycle } from '../src/stage.js';

const AUDIO = new TextEncoder().encode('audio');
const FRAGMENT = {
  id: 'cam-7',
  streamId: 'cam',
  batch: 7n,
  ptsUs: 1_400_000n,
  durationUs: 30_000_000n,
  codec: 'aac',
  sampleRateHz: 48_000,
  channels: 2,
  contentType: 'audio/mp4',
  fileName: 'audio.fmp4',
  createdMs: 1_700_000_000_000n,
  nowMs: 1_700_000_000_001n,
  attempt: 0,
};
const decode = (event, body) => framing.decode({ event, arguments: JSON.stringify([body]), attachments: [AUDIO] }, 0n);

test('describes itself as package.json does', () => {
  const { name, version, description } = JSON.parse(readFileSync('package.json', 'utf8'));
  const described = lifecycle.describe();
  assert.deepEqual([described.name, described.version, described.summary], [name, version, description]);
  assert.deepEqual(JSON.parse(described.settingsSchema).properties.metadata.default, {});
});

test('an echo comes back as processed audio', () => {
  lifecycle.open('{"metadata":{"to":"de"}}');
  const [sent] = framing.encode(FRAGMENT, AUDIO);
  assert.deepEqual([sent.event, sent.attachments], ['fragment:data', [AUDIO]]);
  assert.equal(JSON.parse(sent.arguments)[0].fragment.metadata.to, 'de');
  const heard = framing.decode({ ...sent, event: 'fragment:processed' }, 0n);
  assert.deepEqual(heard, [{ tag: 'processed', val: { fragment: { tag: 'id', val: 'cam-7' }, audio: AUDIO, metadata: '{}' } }]);
});

test('ids that are not ours give way to the number, also after a hand-over', () => {
  lifecycle.open('');
  framing.encode(FRAGMENT, AUDIO);
  lifecycle.open('', lifecycle.snapshot());
  const of = (fragmentId) => decode('fragment:ack', { fragmentId, batchNumber: 7 });
  assert.deepEqual(of('cam-7'), [{ tag: 'acknowledged', val: { tag: 'id', val: 'cam-7' } }]);
  assert.deepEqual(of('theirs'), [{ tag: 'acknowledged', val: { tag: 'batch', val: 7n } }]);
});

test('without audio the fragment failed', () => {
  lifecycle.open('');
  const [silent] = decode('fragment:processed', { fragment: { id: 'cam-7' } });
  assert.deepEqual([silent.tag, silent.val.reason], ['failed', 'the reply holds no audio']);
  const [failed] = decode('fragment:error', { error: 'busy', retryable: true });
  assert.deepEqual(failed, { tag: 'failed', val: { fragment: undefined, reason: 'busy', retryable: true } });
});

test('what is unknown means nothing; what cannot be read is refused with the reason', () => {
  lifecycle.open('');
  assert.deepEqual(decode('weather', {}), []);
  assert.throws(() => framing.decode({ event: 'fragment:ack', arguments: '{', attachments: [] }, 0n), { tag: 'invalid-input' });
  assert.throws(() => lifecycle.open('{"metadata":1}'), { tag: 'invalid-settings' });
  assert.throws(() => lifecycle.open('', new TextEncoder().encode('?')), { tag: 'unreadable-state' });
});
