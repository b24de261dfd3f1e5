// Passkeys in a real browser with an authenticator of its own (Chromium's virtual one), on a real node that runs no
// service; what each page looks like with them is seen on the mock back end too.
import { existsSync } from 'node:fs';
import type { Page, Route } from 'playwright-core';
import { preview, type PreviewServer } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OWNER } from '#lib/mock/node.ts';
import { readCreation, readRequest, toBytes, toText, write } from '#lib/node/passkey.ts';
import { Browser, heading, type Size, type Theme } from './browser.ts';
import { Daemon, freePort, PATIENCE, PROGRAM } from './daemon.ts';

const PASSWORD = 'four plain old words';
/** How long a confirmation holds, as the node says in the session. Units: milliseconds. */
const CONFIRMED = 5 * 60_000;

const missing = existsSync(PROGRAM) ? [] : [PROGRAM];
if (missing.length) console.log(`SKIPPED: no passkey on a real node: ${missing.join(', ')} is not there`);

/** Gives a page an authenticator that verifies its user at once. */
async function authenticator(page: Page): Promise<{ keys: () => Promise<number> }> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  const keys = async (): Promise<number> => {
    const { credentials } = await devtools.send('WebAuthn.getCredentials', { authenticatorId });
    // Each can be found without a name.
    expect(credentials.every((one) => one.isResidentCredential)).toBe(true);
    return credentials.length;
  };
  return { keys };
}

describe.skipIf(missing.length > 0)('on a real node', () => {
  const node = new Daemon();
  let browser: Browser;
  let named: string;
  let numbered: string;

  beforeAll(async () => {
    browser = await Browser.start();
    const port = await freePort();
    const off = ['relay', 'mint'].map((id) => `[services.${id}]\nenabled = false\n`);
    await node.start(off.join(''), '--listen', `127.0.0.1:${port}`);
    [named, numbered] = [`http://localhost:${port}`, `http://127.0.0.1:${port}`];
  }, 2 * PATIENCE);

  afterAll(async () => {
    await browser?.close();
    await node.down();
  }, PATIENCE);

  const signOut = async (page: Page): Promise<void> => {
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await heading(page, 'Sign in').waitFor();
  };

  test(
    'a passkey is added, signs in, confirms and is deleted, and at an address there is none',
    async () => {
      const owner = await browser.visit();
      const { keys } = await authenticator(owner);
      await owner.goto(named);
      await owner.getByLabel('Set-up code', { exact: true }).fill(node.setUpCode());
      await owner.getByRole('button', { name: 'Continue' }).click();
      await owner.getByLabel('Name').fill('Olga');
      await owner.getByLabel('Password', { exact: true }).fill(PASSWORD);
      await owner.getByLabel('The same password again').fill(PASSWORD);
      await owner.getByRole('button', { name: 'Make the account' }).click();
      await owner.getByRole('link', { name: 'My account' }).first().click();

      const card = owner.getByRole('region', { name: 'Passkeys' });
      await card.getByText('with your fingerprint').waitFor();
      await card.getByRole('button', { name: 'Add a passkey' }).click();
      await card.getByText('Fill this in.').waitFor();
      await card.getByLabel('Name of the new passkey').fill('my laptop');
      await card.getByRole('button', { name: 'Add a passkey' }).click();
      await card.locator('strong', { hasText: 'my laptop' }).waitFor();
      await card.getByText('not used yet').waitFor();
      expect(await keys()).toBe(1);
      await browser.look(owner, 'passkeys-1-added');
      // The same authenticator makes no second one for the same person.
      await card.getByLabel('Name of the new passkey').fill('again');
      await card.getByRole('button', { name: 'Add a passkey' }).click();
      await card.getByText('You have added this passkey already.').waitFor();

      await signOut(owner);
      await browser.look(owner, 'passkeys-2-sign-in');
      await owner.getByRole('button', { name: 'Sign in with a passkey' }).click();
      await card.getByText(/last used/).waitFor();

      // Nobody can move the clock of a program as it is shipped: that this one question is asked is put in its mouth, as it
      // answers five minutes later (its own tests move the clock). What follows, it answers itself.
      const needed = { code: 'confirm_needed', message: '', hint: '' };
      const refuse = (route: Route): Promise<void> => route.fulfill({ status: 403, json: needed });
      await owner.route('**/api/v1/account/passkeys/*', refuse, { times: 1 });
      await card.getByRole('button', { name: 'Delete passkey' }).click();
      const sure = owner.getByRole('dialog', { name: 'Delete passkey' });
      await sure.getByText('my laptop will not sign you in').waitFor();
      await browser.look(owner, 'passkeys-3-delete');
      await sure.getByRole('button', { name: 'Delete passkey' }).click();
      const question = owner.getByRole('dialog', { name: 'Your password, please' });
      await browser.look(owner, 'passkeys-4-confirm');
      const [response] = await Promise.all([
        owner.waitForResponse('**/api/v1/session/confirm/passkey'),
        question.getByRole('button', { name: 'Use a passkey instead' }).click(),
      ]);
      expect(response.status()).toBe(200);
      const { confirmed_until } = (await response.json()) as { confirmed_until: number };
      expect(confirmed_until - Date.now()).toBeGreaterThan(CONFIRMED - PATIENCE);
      await card.getByText('with your fingerprint').waitFor();

      await signOut(owner);
      await owner.getByRole('button', { name: 'Sign in with a passkey' }).click();
      await owner.getByText('This passkey was not accepted.').waitFor();

      await owner.goto(numbered);
      await owner.getByText('To sign in with a passkey, open the node by its name').waitFor();
      expect(await owner.getByRole('button', { name: 'Sign in with a passkey' }).count()).toBe(0);
      await browser.look(owner, 'passkeys-5-address');
      await owner.getByLabel('Name', { exact: true }).fill('Olga');
      await owner.getByLabel('Password', { exact: true }).fill(PASSWORD);
      await owner.getByRole('button', { name: 'Sign in', exact: true }).click();
      await owner.getByRole('link', { name: 'My account' }).first().click();
      await card.getByText('This page was opened by an address').waitFor();
      expect(await card.getByRole('button', { name: 'Add a passkey' }).count()).toBe(0);
      const told = node.cli('audit', 'verify');
      expect(told).toMatch(/is intact/);
      expect(browser.broken).toEqual([]);
    },
    2 * PATIENCE,
  );
});

const LOOKS: [Size, Theme, string][] = [
  ['desktop', 'light', 'en-GB'],
  ['desktop', 'dark', 'nl-NL'],
  ['phone', 'light', 'es-ES'],
  ['phone', 'dark', 'en-GB'],
];

describe('on the mock back end', () => {
  let server: PreviewServer;
  let browser: Browser;
  let origin: string;

  beforeAll(async () => {
    server = await preview({ preview: { host: '127.0.0.1', port: 0 }, logLevel: 'silent' });
    const address = server.httpServer.address();
    origin = `http://localhost:${typeof address === 'object' ? address?.port : ''}`;
    browser = await Browser.start();
  }, PATIENCE);

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  test.each(LOOKS)(
    'everything is readable, %s, %s, %s',
    async (size, theme, locale) => {
      const page = await browser.visit(size, theme, locale);
      const look = (name: string): Promise<void> => browser.look(page, `${name}-${size}-${theme}`);
      await page.request.post(`${origin}/mock/sign_in`);
      await page.goto(origin);
      await authenticator(page);
      const name = locale === 'nl-NL' ? 'Inloggen' : locale === 'es-ES' ? 'Iniciar sesión' : 'Sign in';
      await heading(page, name).waitFor();
      await look('passkey-sign-in');
      // Nobody has one yet.
      await page.getByRole('button', { name: /passkey|llave/ }).click();
      await page.getByRole('alert').waitFor();
      await look('passkey-refused');
      await page.getByRole('textbox').first().fill(OWNER.name);
      await page.locator('input[type=password]').fill(OWNER.password);
      await page.getByRole('button', { name, exact: true }).click();
      await page.locator('h2').first().waitFor();
      await page.goto(`${origin}/account`);
      const card = page.locator('#passkeys');
      await card.getByRole('textbox').fill('phone');
      await look('passkeys-none');
      await card.getByRole('button').last().click();
      // Whoever has just signed in has shown the password.
      await card.locator('strong', { hasText: 'phone' }).waitFor();
      await look('passkeys-some');
      await page.context().close();
    },
    PATIENCE,
  );
});

test('a browser that reads no JSON itself is served by hand', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  for (let size = 0; size < 8; size += 1) {
    const some = bytes.slice(248 - size, 256);
    expect(toText(some.buffer)).toBe(Buffer.from(some).toString('base64url'));
    expect(toBytes(toText(some.buffer))).toEqual(some);
  }
  const id = toText(bytes.buffer);
  const listed = [{ type: 'public-key', id }];
  const made = readCreation({ challenge: id, user: { id, name: 'olga' }, excludeCredentials: listed });
  expect([made.challenge, made.user.id, made.user.name]).toEqual([bytes, bytes, 'olga']);
  expect(made.excludeCredentials?.[0]?.id).toEqual(bytes);
  const asked = readRequest({ challenge: id, allowCredentials: listed, rpId: 'localhost' });
  expect([asked.challenge, asked.allowCredentials?.[0]?.id, asked.rpId]).toEqual([bytes, bytes, 'localhost']);
  const response = { clientDataJSON: bytes.buffer, signature: bytes.buffer, userHandle: null };
  const answered = { id, rawId: bytes.buffer, type: 'public-key', response };
  expect(write(answered as unknown as PublicKeyCredential)).toEqual({
    id,
    rawId: id,
    type: 'public-key',
    clientExtensionResults: {},
    response: { clientDataJSON: id, signature: id },
  });
});
