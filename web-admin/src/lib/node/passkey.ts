// Owns the browser's side of a passkey: whether there can be one here, and asking an authenticator what the node asks.
// Source: Web Authentication Level 3, 5.1.8 to 5.1.10; what a browser does not read and write itself is done by hand.
import { Failure, type Schemas } from '#lib/api/client.ts';
import { here } from './session.svelte.ts';

type Json = Record<string, unknown>;

/** Whether this browser knows passkeys, in a page that it trusts. */
export const known = (): boolean => typeof PublicKeyCredential === 'function' && isSecureContext;

/** Whether a passkey can be asked for here. */
export const offered = (): boolean => known() && here.view?.passkey_name != null;

/** Reads base64url, as the node writes bytes. */
export function toBytes(text: string): Uint8Array<ArrayBuffer> {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

/** Writes base64url without padding, as the node reads bytes. */
export function toText(bytes: ArrayBuffer): string {
  const plain = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(plain).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

type Named = { id: string; type: 'public-key'; transports?: AuthenticatorTransport[] };
const named = (all: unknown): PublicKeyCredentialDescriptor[] =>
  ((all ?? []) as Named[]).map((one) => ({ ...one, id: toBytes(one.id) }));

/** Reads what the node asks of a new passkey. */
export function readCreation(options: Json): PublicKeyCredentialCreationOptions {
  const { user } = options as { user: { id: string } & Omit<PublicKeyCredentialUserEntity, 'id'> };
  return {
    ...(options as unknown as PublicKeyCredentialCreationOptions),
    challenge: toBytes(options.challenge as string),
    user: { ...user, id: toBytes(user.id) },
    excludeCredentials: named(options.excludeCredentials),
  };
}

/** Reads what the node asks of one that it knows. */
export function readRequest(options: Json): PublicKeyCredentialRequestOptions {
  return {
    ...(options as unknown as PublicKeyCredentialRequestOptions),
    challenge: toBytes(options.challenge as string),
    allowCredentials: named(options.allowCredentials),
  };
}

/** Writes what an authenticator answered. */
export function write(credential: PublicKeyCredential): Json {
  const response: Json = {};
  const bytes = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'];
  for (const name of bytes) {
    const value = (credential.response as unknown as Record<string, ArrayBuffer | null>)[name];
    if (value) response[name] = toText(value);
  }
  return {
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    clientExtensionResults: {},
    response,
  };
}

/** What a browser says where no try can succeed. Source: Web Authentication Level 3, 5.1.3 and 5.1.4. */
const NOT_HERE = ['SecurityError', 'NotSupportedError', 'ConstraintError'];

/** Runs what asks an authenticator. Errors: a `Failure` that says in our words why there is no answer. */
async function asked(ask: () => Promise<Credential | null>): Promise<Json> {
  let found: Credential | null;
  try {
    found = await ask();
  } catch (cause) {
    const { name, message } = cause instanceof DOMException ? cause : { name: '', message: '' };
    if (name === 'InvalidStateError') throw new Failure('passkey_known', 'this passkey is known already');
    // A page behind a certificate that somebody clicked away gets none, and Chromium tells that in its message alone.
    if (NOT_HERE.includes(name) || /certificate/i.test(message)) {
      throw new Failure('passkey_not_here', 'this browser allows no passkey on this page');
    }
    throw new Failure('passkey_cancelled', 'no passkey was shown');
  }
  if (!found) throw new Failure('passkey_cancelled', 'no passkey was shown');
  const credential = found as PublicKeyCredential;
  return typeof credential.toJSON === 'function'
    ? (credential.toJSON() as unknown as Json)
    : write(credential);
}

/** Has an authenticator make a passkey. */
export function create({ options }: Schemas['CeremonyView']): Promise<Json> {
  return asked(() => {
    const reads = PublicKeyCredential.parseCreationOptionsFromJSON;
    const publicKey = reads
      ? reads.call(PublicKeyCredential, options as unknown as PublicKeyCredentialCreationOptionsJSON)
      : readCreation(options);
    return navigator.credentials.create({ publicKey });
  });
}

/** Has an authenticator show a passkey, until `signal` ends that. */
export function show({ options }: Schemas['CeremonyView'], signal?: AbortSignal): Promise<Json> {
  return asked(() => {
    const reads = PublicKeyCredential.parseRequestOptionsFromJSON;
    const publicKey = reads
      ? reads.call(PublicKeyCredential, options as unknown as PublicKeyCredentialRequestOptionsJSON)
      : readRequest(options);
    return navigator.credentials.get({ publicKey, signal });
  });
}
