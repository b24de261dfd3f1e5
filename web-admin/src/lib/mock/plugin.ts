// Puts the mock back end behind Vite's servers, so that the browser meets it as it meets the node: same origin, real
// streams, nothing of it in what is built.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as NodeStream } from 'node:stream/web';
import { getResponse } from 'msw';
import type { Connect, Plugin } from 'vite';
import { down, handlers } from './handlers.ts';

async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) headers.set(name, String(value));
  const url = `http://${incoming.headers.host ?? 'localhost'}${incoming.url ?? '/'}`;
  const body = pieces.length ? Buffer.concat(pieces) : null;
  const request = new Request(url, { method: incoming.method, headers, body });
  const response = await getResponse(handlers, request);
  if (!response) {
    outgoing.writeHead(404, { 'content-type': 'application/json' });
    outgoing.end(
      JSON.stringify({
        code: 'not_mocked',
        message: `no mock answers ${incoming.method} ${incoming.url}`,
        hint: '',
      }),
    );
    return;
  }
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (!response.body) {
    outgoing.end();
    return;
  }
  // A reader who leaves ends the stream; that is no fault.
  await pipeline(Readable.fromWeb(response.body as NodeStream), outgoing).catch(() => undefined);
}

const middleware: Connect.NextHandleFunction = (request, response, next) => {
  if (!/^\/(api|mock)\//.test(request.url ?? '')) return next();
  // A node that was stopped answers nothing; another scene begins anew.
  if (down() && request.url?.startsWith('/api/')) return void request.destroy();
  answer(request, response).catch(next);
};

export function mockBackEnd(): Plugin {
  return {
    name: 'mock-back-end',
    configureServer: (server) => void server.middlewares.use(middleware),
    configurePreviewServer: (server) => void server.middlewares.use(middleware),
  };
}
