// The one way to the node: typed by the generated document, with every failure as one `Failure`.
import createClient from 'openapi-fetch';
import { sendOnce } from './once';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Account = Schemas['Account'];
export type AuditRow = Schemas['AuditRow'];
export type NodeEvent = Schemas['Event'];
export type NodeStatus = Schemas['NodeStatus'];
export type Role = Schemas['Role'];
export type ServiceStatus = Schemas['ServiceStatus'];
export type Session = Schemas['Session'];
export type SessionView = Schemas['SessionView'];
export type Shop = Schemas['Shop'];
export type Signal = Schemas['Signal'];

/** What went wrong: the node's own code, or `unreachable` where it did not answer in its own words. */
export class Failure extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly hint = '',
    /** How long the node asks us to wait. Units: seconds. */
    readonly wait?: number,
  ) {
    super(message);
    this.name = 'Failure';
  }
}

const client = createClient<paths>({
  baseUrl: typeof location === 'undefined' ? 'http://localhost' : location.origin,
  credentials: 'same-origin',
  fetch: (request) => sendOnce(request),
});

export const api = {
  get: client.GET,
  post: client.POST,
  patch: client.PATCH,
  delete: client.DELETE,
};

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** Waits for an answer and returns what it holds. Errors: a `Failure`, whatever happened. */
export async function answer<T>(asked: Promise<Answer<T>>): Promise<T> {
  let got: Answer<T>;
  try {
    got = await asked;
  } catch (cause) {
    throw cause instanceof Failure ? cause : new Failure('unreachable', 'the node does not answer');
  }
  if (got.response.ok) return got.data as T;
  throw failure(got.error, got.response);
}

/** A part of a list; `next` names the following one. */
type Page<T> = { items: T[]; next?: string | null };

/** Reads a list to its end, page after page. Errors: a `Failure`. */
export async function every<T>(page: (after?: string) => Promise<Answer<Page<T>>>): Promise<T[]> {
  const all: T[] = [];
  let after: string | undefined;
  do {
    const got = await answer(page(after));
    all.push(...got.items);
    after = got.next ?? undefined;
  } while (after);
  return all;
}

/** Reads the one error shape; what is not in that shape did not come from the node. */
export function failure(body: unknown, response: Response): Failure {
  const wait = Number(response.headers.get('retry-after') ?? NaN);
  if (typeof body === 'object' && body !== null && 'code' in body && 'message' in body) {
    const { code, message, hint } = body as Schemas['ErrorBody'];
    return new Failure(code, message, hint, Number.isFinite(wait) ? wait : undefined);
  }
  return new Failure('unreachable', `the answer was ${response.status}`);
}
