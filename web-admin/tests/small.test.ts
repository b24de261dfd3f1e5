import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { device } from '#lib/node/device.ts';
import { graph, type Edge } from '#lib/node/graph.ts';
import { differences, label, refused, type Setting } from '#lib/node/settings.ts';
import { failure } from '#lib/api/client.ts';
import { sendOnce } from '#lib/api/once.ts';
import { Lines } from '#lib/node/lines.ts';
import { ownNetwork } from '#lib/node/place.ts';
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

describe('what changes something', () => {
  const lost = new TypeError('Failed to fetch');
  const asked = (method: string, path = 'tokens', more: RequestInit = {}): Request =>
    new Request(`http://localhost/api/v1/${path}`, { method, ...more });

  /** Loses as many answers as it is told, and keeps what was asked. */
  function network(losses: number): {
    seen: [string | null, string][];
    send: (r: Request) => Promise<Response>;
  } {
    const seen: [string | null, string][] = [];
    const send = async (request: Request): Promise<Response> => {
      seen.push([request.headers.get('idempotency-key'), await request.text()]);
      if (seen.length <= losses) throw lost;
      return new Response(null, { status: 204 });
    };
    return { seen, send };
  }

  test('is sent again with the same key and body where the answer was lost', async () => {
    const { seen, send } = network(1);
    const response = await sendOnce(asked('POST', 'tokens', { body: '{"name":"till"}' }), send, 0);
    expect(response.status).toBe(204);
    expect(seen).toHaveLength(2);
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]?.[1]).toBe('{"name":"till"}');
    expect(seen[0]?.[0]).toMatch(/^[0-9a-f]{32}$/);
    const other = network(0);
    await sendOnce(asked('POST'), other.send, 0);
    expect(other.seen[0]?.[0]).not.toBe(seen[0]?.[0]);
  });

  test('is given up after that', async () => {
    const { seen, send } = network(9);
    await expect(sendOnce(asked('DELETE'), send, 0)).rejects.toBe(lost);
    expect(seen).toHaveLength(2);
  });

  test('is not sent again where nobody wants it any more, or the node could not know it again', async () => {
    const gone = network(1);
    await expect(
      sendOnce(asked('POST', 'tokens', { signal: AbortSignal.abort() }), gone.send, 0),
    ).rejects.toBe(lost);
    expect(gone.seen).toHaveLength(1);
    for (const [method, path] of [
      ['GET', 'status'],
      ['POST', 'session'],
      ['POST', 'set-up'],
    ]) {
      const { seen, send } = network(1);
      await expect(sendOnce(asked(method!, path), send, 0)).rejects.toBe(lost);
      expect(seen).toEqual([[null, '']]);
    }
  });
});

describe('the form of the settings', () => {
  const number: Setting = {
    name: 'max_events',
    help: '',
    type: 'integer',
    default: 10,
    value: 20,
    chosen: true,
    min: 1,
    max: 100,
  };
  const text: Setting = { name: 'alias', help: '', type: 'text', default: '', value: 'a', chosen: false };

  test('names are words', () => expect(label('max_events')).toBe('Max events'));

  test('only what differs is a change, in the order of the form', () => {
    const services = [{ id: 'relay', title: 'Relay', settings: [number, text] }];
    expect(differences(services, {})).toEqual([]);
    expect(differences(services, { relay: { max_events: ' 20 ', alias: 'a' } })).toEqual([]);
    expect(differences(services, { relay: { alias: '', max_events: '21' } })).toEqual([
      { service: 'relay', setting: 'max_events', before: '20', after: '21' },
      { service: 'relay', setting: 'alias', before: 'a', after: '' },
    ]);
  });

  test.each([
    ['1', undefined],
    ['100', undefined],
    ['0', 'range'],
    ['101', 'range'],
    ['', 'number'],
    ['1.5', 'number'],
    ['1e2', 'number'],
  ])('the number %j is refused as %s', (typed, why) => expect(refused(number, typed)).toBe(why));

  test('a text is counted in letters, not in code units', () => {
    expect(refused({ ...text, max_length: 2 }, '⚡⚡')).toBeUndefined();
    expect(refused({ ...text, max_length: 2 }, '🦀🦀')).toBeUndefined();
    expect(refused({ ...text, max_length: 2 }, 'abc')).toBe('long');
  });
});

describe('the picture of who may reach whom', () => {
  const edge = (from: string, to: string): Edge => ({
    id: `${from}/x/${to}`,
    from,
    to,
    interface: 'x',
    allow: [],
    credential: null,
    way: 'between',
    network: null,
    reach: [],
  });
  const columns = (edges: Edge[]) =>
    Object.fromEntries(graph(edges).spots.map((spot) => [spot.id, spot.column]));

  test('everybody stands right of whoever calls them', () => {
    const edges = [edge('lnd', 'bitcoind'), edge('btcpay', 'lnd'), edge('btcpay', 'bitcoind')];
    expect(columns(edges)).toEqual({ btcpay: 0, lnd: 1, bitcoind: 2 });
  });

  test('two ways between the same two are one line, and a published port is none', () => {
    const door: Edge = { ...edge('anyone', 'relay'), way: 'published' };
    const found = graph([edge('electrs', 'bitcoind'), edge('electrs', 'bitcoind'), door]);
    expect(found.lines).toEqual([{ from: 'electrs', to: 'bitcoind', past: [] }]);
    expect(found.spots.map((spot) => spot.id)).toEqual(['bitcoind', 'electrs']);
  });

  test('a line past a column has a row of its own there', () => {
    const found = graph([edge('node', 'replica'), edge('node', 'redis'), edge('replica', 'redis')]);
    const line = found.lines.find((one) => one.from === 'node' && one.to === 'redis');
    const replica = found.spots.find((one) => one.id === 'replica');
    expect(line?.past).toHaveLength(1);
    expect(line?.past[0]?.column).toBe(replica?.column);
    expect(line?.past[0]?.row).not.toBe(replica?.row);
    expect(found.columns).toEqual([1, 2, 1]);
  });

  test('who calls in a circle is placed all the same', () => {
    const found = graph([edge('a', 'b'), edge('b', 'a'), edge('b', 'c')]);
    expect(found.spots).toHaveLength(3);
    const places = new Set(found.spots.map((spot) => `${spot.column} ${spot.row}`));
    expect(places.size).toBe(3);
  });

  test('nothing is a picture of nothing', () => {
    expect(graph([])).toEqual({ spots: [], lines: [], columns: [] });
  });
});

test('a page knows whether it was opened from the network of the node', () => {
  const at = (url: string): boolean => ownNetwork(new URL(url));
  for (const url of [
    'https://192.168.1.7:4443/',
    'https://10.0.0.2/',
    'https://172.20.0.2/',
    'https://shop.local:4443/',
    'https://shop:4443/',
  ]) {
    expect(at(url), url).toBe(true);
  }
  for (const url of [
    'http://127.0.0.1:4420/',
    'https://shop.example/',
    'https://172.40.0.2/',
    'https://8.8.8.8/',
    'https://10.example/',
  ]) {
    expect(at(url), url).toBe(false);
  }
});

test('a device is called what people call it', () => {
  const mozilla = 'Mozilla/5.0';
  const webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)';
  const known: [string, string][] = [
    [`${mozilla} (X11; Linux x86_64) ${webkit} HeadlessChrome/156.0.0.0 Safari/537.36`, 'Chrome Linux'],
    [
      `${mozilla} (Windows NT 10.0; Win64; x64) ${webkit} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0`,
      'Microsoft Edge Windows',
    ],
    [`${mozilla} (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0`, 'Firefox Windows'],
    [
      `${mozilla} (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1`,
      'Safari iPhone',
    ],
    [
      `${mozilla} (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/141.0.0.0 Mobile/15E148 Safari/604.1`,
      'Chrome iPhone',
    ],
    [
      `${mozilla} (Linux; Android 10; K) ${webkit} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`,
      'Samsung Internet Android',
    ],
    [
      `${mozilla} (Macintosh; Intel Mac OS X 10_15_7) ${webkit} Chrome/141.0.0.0 Safari/537.36`,
      'Chrome macOS',
    ],
  ];
  for (const [agent, name] of known) {
    const found = device(agent);
    expect(`${found?.browser} ${found?.system}`, agent).toBe(name);
  }
  for (const agent of ['', 'curl/8.5.0', 'a till', `${mozilla} (X11; Linux x86_64)`]) {
    expect(device(agent), agent).toBeUndefined();
  }
});
