import { expect, test } from 'vitest';
import type { NodeStatus, ServiceStatus } from '#lib/api/client.ts';
import { byNeed, light, stops, usableAt, whole } from '#lib/node/lamp.ts';
import { MockNode } from '#lib/mock/node.ts';

const signal = (ok: boolean | null, code = 'ok') => ({ ok, code, text: '' });
const fine = new MockNode('good').services[0] as ServiceStatus;
const with_ = (change: Partial<ServiceStatus>): ServiceStatus => ({ ...fine, ...change });
const status = (...services: ServiceStatus[]): NodeStatus => ({ ...new MockNode('good').status(), services });

test.each<[string, Partial<ServiceStatus>, string, string]>([
  ['serves', {}, 'good', 'sentence.good'],
  ['serves and catches up', { synced: signal(false) }, 'good', 'sentence.catching_up'],
  ['was just started', { ready: signal(false, 'starting') }, 'wait', 'sentence.starting'],
  ['is restarted', { ready: signal(false, 'restarting') }, 'wait', 'sentence.restarting'],
  [
    'downloads what it needs',
    { ready: signal(false, 'syncing'), synced: signal(false) },
    'wait',
    'sentence.syncing',
  ],
  ['answers but does not serve', { ready: signal(false, 'refused') }, 'bad', 'sentence.bad'],
  ['does not answer', { alive: signal(false), ready: signal(false, 'silent') }, 'bad', 'sentence.bad'],
  ['cannot be asked', { ready: signal(null), alive: signal(null) }, 'unknown', 'sentence.unknown'],
  ['cannot be seen', { state: 'unknown' }, 'unknown', 'sentence.unknown'],
  ['needs somebody, whatever it answers', { state: 'needs_you' }, 'bad', 'sentence.needs_you'],
  ['ended and is tried again', { state: 'backing_off' }, 'bad', 'sentence.bad'],
  ['waits for another', { state: 'held_back', ready: signal(false) }, 'wait', 'sentence.held_back'],
  ['stops to start again', { state: 'stopping' }, 'wait', 'sentence.stopping'],
  ['was left out and is stopping', { state: 'stopping', wanted: false }, 'off', 'sentence.stopping'],
  [
    'was left out and is gone',
    { state: 'absent', wanted: false, ready: signal(false) },
    'off',
    'sentence.off',
  ],
  ['is not there', { state: 'absent', ready: signal(null, 'not_running') }, 'off', 'sentence.off'],
  ['is about to start', { state: 'absent', ready: signal(false, 'starting') }, 'wait', 'sentence.starting'],
  [
    'waits for what it needs',
    { state: 'exited', ready: signal(false, 'waits') },
    'wait',
    'sentence.held_back',
  ],
  [
    'cannot be started now',
    { state: 'exited', ready: signal(false, 'state_unwritable') },
    'bad',
    'sentence.bad',
  ],
  ['is downloaded', { state: 'absent', ready: signal(false, 'image_pulling') }, 'wait', 'sentence.fetching'],
  [
    'has its port taken',
    { state: 'absent', ready: signal(false, 'port_taken'), next: 'stop that program' },
    'bad',
    'sentence.blocked',
  ],
  [
    'misses its disk',
    { state: 'exited', ready: signal(false, 'storage_missing'), next: 'mount it' },
    'bad',
    'sentence.blocked',
  ],
  [
    'is not installed',
    { state: 'held_back', ready: signal(false, 'not_installed'), next: 'install it' },
    'bad',
    'sentence.blocked',
  ],
  [
    'does not exist on this network',
    { state: 'held_back', ready: signal(false, 'not_on_this_network') },
    'off',
    'sentence.not_here',
  ],
  ['belongs to the operator and serves', { state: 'external' }, 'good', 'sentence.good'],
])('a service that %s', (_, change, lamp, sentence) => {
  expect(light(with_(change))).toEqual({ lamp, sentence });
});

test('the node is as good as its worst service', () => {
  const bad = with_({ state: 'needs_you' });
  const waits = with_({ state: 'held_back' });
  expect(whole(status(fine, waits, bad, bad))).toEqual({ lamp: 'bad', count: 2 });
  expect(whole(status(fine, waits))).toEqual({ lamp: 'wait', count: 1 });
  expect(whole(status(fine, fine))).toEqual({ lamp: 'good', count: 2 });
});

test('a node is usable when the last of its services is, and nothing is said where one is not known', () => {
  const syncing = (synced_at?: number) =>
    with_({ ready: signal(false, 'syncing'), synced: signal(false), synced_at });
  expect(usableAt(status(fine, syncing(5), syncing(9)))).toBe(9);
  expect(usableAt(status(fine, syncing(5), syncing()))).toBeUndefined();
  expect(usableAt(status(fine))).toBeUndefined();
});

test('what is off on purpose is no fault, and what should run and does not is none of its kind', () => {
  const blocked = with_({ state: 'absent', ready: signal(false, 'port_taken'), next: 'stop it' });
  const elsewhere = with_({ state: 'held_back', ready: signal(false, 'not_on_this_network') });
  const leaving = with_({ state: 'stopping', wanted: false });
  const stopping = with_({ state: 'stopping' });
  expect(whole(status(fine, blocked))).toEqual({ lamp: 'bad', count: 1 });
  expect(whole(status(fine, stopping))).toEqual({ lamp: 'wait', count: 1 });
  expect(whole(status(fine, elsewhere, leaving))).toEqual({ lamp: 'good', count: 1 });
  expect(whole(status(elsewhere, elsewhere))).toEqual({ lamp: 'off', count: 2 });
  // What restarts is wanted again; what the whole node stops is not.
  expect(stops(status(leaving, leaving))).toBe(true);
  expect(stops(status(stopping))).toBe(false);
  expect(stops(status(leaving, fine))).toBe(false);
  expect(stops(status())).toBe(false);
});

test('a node that does not know does not say that it is good', () => {
  expect(whole(status(fine, with_({ state: 'unknown' }))).lamp).toBe('unknown');
  expect(whole(status()).lamp).toBe('unknown');
});

test('what needs somebody stands first', () => {
  const order = byNeed(new MockNode('trouble').services).map((service) => service.id);
  // Then what cannot be told, then what gets ready, each by its title.
  expect(order).toEqual(['mint', 'relay', 'bitcoind', 'electrs', 'lnd']);
});
