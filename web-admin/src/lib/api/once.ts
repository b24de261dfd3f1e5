// What is asked of the node is done once, even where its answer is lost on the way.

/** How long it takes until a lost request is sent again. Units: milliseconds. */
const PAUSE = 1_000;
/** What strangers ask has nobody for whom the node could keep it. */
const STRANGERS = [
  '/api/v1/session',
  '/api/v1/session/passkey',
  '/api/v1/session/passkey/begin',
  '/api/v1/set-up',
  '/api/v1/vault/unlock',
];

/** A fresh text that nobody guesses. Shape: 32 hexadecimal digits. */
function fresh(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Sends a request. One that changes something gets a key of its own, by which the node knows it again, and is sent once
 * more where no answer came.
 */
export async function sendOnce(
  request: Request,
  send: (request: Request) => Promise<Response> = fetch,
  pause = PAUSE,
): Promise<Response> {
  const reads = request.method === 'GET' || request.method === 'HEAD';
  if (reads || STRANGERS.includes(new URL(request.url).pathname)) return send(request);
  request.headers.set('idempotency-key', fresh());
  const again = request.clone();
  try {
    return await send(request);
  } catch (cause) {
    if (request.signal.aborted) throw cause;
    await new Promise((over) => setTimeout(over, pause));
    return send(again);
  }
}
