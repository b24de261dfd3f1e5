import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { failure } from '#lib/api/client.ts';
import { Lines } from '#lib/node/lines.ts';
import { longEnough, SHORTEST } from '#lib/node/password.ts';

test('lines are whole however the stream is cut', () => {
  const text = 'first\nsecond — ü\n\nlast';
  for (let size = 1; size <= text.length; size += 1) {
    const cut = new Lines();
    const lines: string[] = [];
    for (let at = 0; at < text.length; at += size) lines.push(...cut.take(text.slice(at, at + size)));
    expect([...lines, ...cut.end()]).toEqual(['first', 'second — ü', '', 'last']);
  }
});

test('the page asks for as many characters as the node', () => {
  const source = readFileSync(new URL('../../orchestrator/src/account/password.rs', import.meta.url), 'utf8');
  expect(source.match(/const SHORTEST: usize = (\d+);/)?.[1]).toBe(String(SHORTEST));
  expect(longEnough('ü'.repeat(SHORTEST))).toBe(true);
  expect(longEnough('😀'.repeat(SHORTEST - 1))).toBe(false);
});

test('an answer that is not in the one shape did not come from the node', () => {
  const response = new Response('', { status: 502, headers: { 'retry-after': '30' } });
  expect(failure('<html>', response)).toMatchObject({ code: 'unreachable' });
  const told = failure({ code: 'too_many_attempts', message: 'wait', hint: '' }, response);
  expect(told).toMatchObject({ code: 'too_many_attempts', wait: 30 });
});
