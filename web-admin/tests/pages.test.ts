// Walks through the built pages in a real browser, on the mock back end: each page at desktop and phone size, light and
// dark, with axe looking for faults; and what a person does there.
import type { Server } from 'node:http';
import type { Page } from 'playwright-core';
import { preview, type PreviewServer } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CASHIER, OWNER, PASSPHRASE, SETUP_CODE, type Scene } from '#lib/mock/node.ts';
import { Browser, heading, type Size, type Theme } from './browser.ts';

let server: PreviewServer;
let browser: Browser;
let origin: string;

beforeAll(async () => {
  server = await preview({ preview: { host: '127.0.0.1', port: 0 }, logLevel: 'silent' });
  const address = server.httpServer.address();
  origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  browser = await Browser.start();
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await server?.close();
});

const visit: Browser['visit'] = (...as) => browser.visit(...as);
const look: Browser['look'] = (...at) => browser.look(...at);

async function begin(page: Page, scene: Scene): Promise<void> {
  await page.request.post(`${origin}/mock/${scene}`);
}

const LOOKS: [Size, Theme][] = [
  ['desktop', 'light'],
  ['desktop', 'dark'],
  ['phone', 'light'],
  ['phone', 'dark'],
];
/** How long a page may take to show something on a machine that does other things too. Units: milliseconds. */
const PATIENCE = 20_000;

const PLACES: [string, Scene, string, string][] = [
  ['set-up', 'new', '/', 'Welcome'],
  ['sign-in', 'sign_in', '/', 'Sign in'],
  ['sealed', 'sealed', '/', 'Closed: the owner must unlock the node'],
  ['overview', 'good', '/', 'Services'],
  ['overview-trouble', 'trouble', '/', 'Services'],
  ['services', 'trouble', '/services', 'Services'],
  ['service', 'good', '/services/lnd', 'Lightning'],
  ['service-needs-you', 'trouble', '/services/mint', 'eCash mint'],
  ['service-missing', 'good', '/services/nothing', 'There is no such service.'],
  ['settings', 'good', '/settings', 'Settings'],
  ['connections', 'good', '/connections', 'Connections'],
  ['access', 'good', '/access', 'Ways in'],
  ['access-trouble', 'trouble', '/access', 'Ways in'],
  ['events', 'good', '/events', 'Events'],
  ['people', 'good', '/people', 'People'],
  ['audit', 'good', '/audit', 'Audit log'],
  ['account', 'good', '/account', 'My account'],
  ['missing', 'good', '/nowhere', 'There is no such page.'],
  ['design', 'good', '/design', 'Design'],
];

describe.each(LOOKS)('%s, %s', (size, theme) => {
  test.each(PLACES)(
    '%s is readable',
    async (name, scene, path, title) => {
      const page = await visit(size, theme);
      await begin(page, scene);
      await page.goto(origin + path);
      await heading(page, title).first().waitFor();
      expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe(theme);
      await look(page, `${name}-${size}-${theme}`);
      await page.context().close();
    },
    60_000,
  );
});

test('a node with nothing on it says so', async () => {
  const page = await visit();
  await begin(page, 'empty');
  await page.goto(origin);
  await page.getByText('Nothing runs on this node yet.').waitFor();
  await page.context().close();
}, 60_000);

test('the first owner is made, signs out and in again, in Dutch', async () => {
  const page = await visit('phone', 'light', 'nl-NL');
  await begin(page, 'new');
  await page.goto(origin);
  await heading(page, 'Welkom').waitFor();
  expect(await page.evaluate(() => document.documentElement.lang)).toBe('nl');
  await page.getByLabel('Installatiecode', { exact: true }).fill('WRONG');
  await page.getByRole('button', { name: 'Verder' }).click();
  await expect.poll(() => focused(page), { timeout: PATIENCE }).toBe('username');
  await page.getByLabel('Naam').fill('Anna');
  await page.getByLabel('Wachtwoord', { exact: true }).fill('kort');
  await page.getByRole('button', { name: 'Account maken' }).click();
  await page.getByText('De twee wachtwoorden verschillen.').waitFor();
  await page.getByLabel('Wachtwoord', { exact: true }).fill('een lange zin');
  await page.getByLabel('Hetzelfde wachtwoord nog eens').fill('een lange zin');
  await page.getByRole('button', { name: 'Account maken' }).click();
  await page.getByText('Die code klopt niet').waitFor();
  await page.getByLabel('Installatiecode', { exact: true }).fill(SETUP_CODE);
  await page.getByRole('button', { name: 'Verder' }).click();
  // What was typed before is still there.
  await page.getByRole('button', { name: 'Account maken' }).click();
  await page.getByText('Alles werkt').waitFor();
  await page.getByRole('button', { name: 'Menu' }).click();
  await page.getByRole('button', { name: 'Uitloggen' }).click();
  await heading(page, 'Inloggen').waitFor();
  await page.getByLabel('Naam').fill('Anna');
  await page.getByLabel('Wachtwoord', { exact: true }).fill('een verkeerde zin');
  await page.getByRole('button', { name: 'Inloggen' }).click();
  await page.getByText('Naam of wachtwoord klopt niet.').waitFor();
  await page.getByLabel('Wachtwoord', { exact: true }).fill('een lange zin');
  await page.getByRole('button', { name: 'Inloggen' }).click();
  await page.getByText('Alles werkt').waitFor();
  await page.context().close();
}, 60_000);

test('a service that fails and recovers shows without a reload', async () => {
  const page = await visit();
  await begin(page, 'good');
  await page.goto(origin);
  await page.getByText('Everything works').waitFor();
  const down = {
    state: 'backing_off',
    ready: { ok: false, code: 'not_running', text: 'relay is not running' },
  };
  await page.request.patch(`${origin}/mock/services/relay`, { data: down });
  await page.getByText('One service does not work').waitFor();
  const up = { state: 'running', ready: { ok: true, code: 'ok', text: 'relay serves' } };
  await page.request.patch(`${origin}/mock/services/relay`, { data: up });
  await page.getByText('Everything works').waitFor();
  // What only a person can mend is no less than what the node tries again by itself.
  const taken = { ok: false, code: 'port_taken', text: 'port 7447 is taken by another program' };
  const blocked = {
    state: 'absent',
    alive: taken,
    ready: taken,
    next: 'port 7447 is taken: stop that program',
  };
  await page.request.patch(`${origin}/mock/services/relay`, { data: blocked });
  await page.getByText('One service does not work').waitFor();
  const todo = page.getByText('Nostr relay cannot start: something is in its way.');
  await todo.waitFor();
  await look(page, 'blocked');
  await todo.getByRole('link').click();
  await page.getByText('Another program uses the port that Nostr relay needs.').waitFor();
  await look(page, 'service-blocked');
  await page.context().close();
}, 60_000);

test('a cashier is added by whoever shows the password, and sees the shop alone', async () => {
  const page = await visit();
  await begin(page, 'good');
  await page.goto(`${origin}/people`);
  await page.getByLabel('Name').fill('kim');
  await page.getByLabel('Password', { exact: true }).fill('a fair sentence');
  await page.getByRole('button', { name: 'Add somebody' }).click();
  const question = page.getByRole('dialog');
  await question.getByLabel('Password', { exact: true }).fill('wrong');
  await question.getByRole('button', { name: 'Go on' }).click();
  await question.getByText('Name or password is wrong.').waitFor();
  await look(page, 'confirm');
  await question.getByLabel('Password', { exact: true }).fill(OWNER.password);
  await question.getByRole('button', { name: 'Go on' }).click();
  await page.getByText('kim can sign in now.').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  // The page before has fields of the same names.
  await heading(page, 'Sign in').waitFor();
  await page.getByLabel('Name').fill(CASHIER.name);
  await page.getByLabel('Password', { exact: true }).fill(CASHIER.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('link', { name: 'My account' }).waitFor();
  // The address is still that of the people's page, which a cashier may not see.
  await heading(page, 'This page is not part of your work here.').waitFor();
  expect(await page.getByText('Add somebody').count()).toBe(0);
  await look(page, 'not-yours');
  await page.getByRole('link', { name: 'To the overview' }).click();
  await heading(page, 'Open').waitFor();
  expect(await page.getByRole('navigation').getByRole('link').allTextContents()).toEqual([
    'Overview',
    'My account',
  ]);
  await look(page, 'shop');
  await page.context().close();
}, 60_000);

/** Chooses Dutch on the account page. Before the page there is a language to choose as well, for whoever waits. */
async function speakDutch(page: Page): Promise<void> {
  await heading(page, 'My account').waitFor();
  await page.getByLabel('Language').selectOption('Nederlands');
}

/** What the field that has the focus is for. */
const focused = (page: Page) =>
  page.evaluate(
    () => document.activeElement?.getAttribute('autocomplete') ?? document.activeElement?.tagName,
  );

/** Shows the owner's password where it is asked for. */
async function confirm(page: Page): Promise<void> {
  const question = page.getByRole('dialog', { name: 'Your password, please' });
  await question.getByLabel('Password', { exact: true }).fill(OWNER.password);
  await question.getByRole('button', { name: 'Go on' }).click();
}

test('somebody gets another role and a new password, and nobody may be the last owner', async () => {
  const page = await visit('phone');
  await begin(page, 'good');
  await page.goto(`${origin}/people`);
  const row = page.getByRole('listitem').filter({ hasText: CASHIER.name });
  await row.getByText('Cashier').waitFor();
  await row.getByRole('button', { name: 'Change till' }).click();
  const dialog = page.getByRole('dialog', { name: 'Change the account of till' });
  const turn = dialog.getByRole('button', { name: 'Change the role' });
  expect(await turn.isDisabled()).toBe(true);
  await dialog.getByLabel('Role').selectOption('Manager');
  await dialog.getByText('Keeps the services running').waitFor();
  await look(page, 'account-changes');
  // The node refuses what would leave it without an owner, in the dialog itself.
  await page.route('**/api/v1/accounts/*', (route) =>
    route.fulfill({ status: 409, json: { code: 'last_owner', message: 'it is the last owner', hint: '' } }),
  );
  await turn.click();
  await dialog.getByText('This is the last owner.').waitFor();
  await look(page, 'account-refused');
  await page.unroute('**/api/v1/accounts/*');
  await turn.click();
  await confirm(page);
  await page.getByText('till has another role now: Manager.').waitFor();
  await row.getByText('Manager').waitFor();
  await row.getByRole('button', { name: 'Change till' }).click();
  await dialog.getByText('Chrome on Android').waitFor();
  await look(page, 'account-sessions');
  await dialog.getByRole('button', { name: 'Sign out everywhere' }).click();
  await page.getByText('till is signed out everywhere, and can sign in again.').waitFor();
  await row.getByRole('button', { name: 'Change till' }).click();
  await dialog.getByText('Nowhere.').waitFor();
  const give = dialog.getByRole('button', { name: 'Give a new password' });
  await dialog.getByLabel('New password', { exact: true }).fill('short');
  await give.click();
  await dialog.locator('.error').waitFor();
  await dialog.getByLabel('New password', { exact: true }).fill('quite another sentence');
  await give.click();
  await page.getByText('till has a new password.').waitFor();
  expect(await dialog.count()).toBe(0);
  await page.context().close();
}, 60_000);

test('whoever could not sign out, or not choose a language, is told so', async () => {
  const page = await visit('phone');
  await begin(page, 'good');
  await page.goto(`${origin}/account`);
  const full = { code: 'disk_full', message: 'no space is left', hint: 'make room' };
  const refuse = (path: string) =>
    page.route(path, (route) =>
      route.request().method() === 'GET' ? route.fallback() : route.fulfill({ status: 409, json: full }),
    );
  await refuse('**/api/v1/account/language');
  await speakDutch(page);
  await page.getByText('The disk is full.').waitFor();
  await heading(page, 'My account').waitFor();
  expect(await page.getByLabel('Language').inputValue()).toBe('en');
  await page.unroute('**/api/v1/account/language');
  await refuse('**/api/v1/session');
  await page.goto(origin);
  await page.getByRole('button', { name: 'Menu' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('alert').getByText('The disk is full.').waitFor();
  await look(page, 'not-signed-out');
  await page.unroute('**/api/v1/session');
  await page.getByRole('alert').getByRole('button', { name: 'Try again' }).click();
  await heading(page, 'Sign in').waitFor();
  await page.context().close();
}, 60_000);

test('a program gets a key that is shown once, and loses it', async () => {
  const page = await visit();
  await begin(page, 'good');
  await page.goto(`${origin}/people`);
  const card = page.getByRole('region', { name: 'Programs' });
  await card.getByText('No program has a key.').waitFor();
  await card.getByRole('button', { name: 'Give a program a key' }).click();
  await card.getByText('Fill this in.').waitFor();
  await card.getByLabel('What it is called').fill('monitor');
  await card.getByLabel('For how long').selectOption('7 days');
  await card.getByRole('button', { name: 'Give a program a key' }).click();
  await confirm(page);
  await card.getByRole('code').filter({ hasText: 'flash_t1_shown_once' }).waitFor();
  await look(page, 'programs');
  await card.getByRole('button', { name: 'I have put it there' }).click();
  expect(await page.getByText('flash_t1_shown_once').count()).toBe(0);
  await card.getByRole('listitem').filter({ hasText: 'monitor' }).waitFor();
  await card.getByRole('button', { name: 'Remove monitor' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await card.getByText('No program has a key.').waitFor();
  await page.context().close();
}, 60_000);

test('a till whose node is locked, or who is signed out elsewhere, is told so by itself', async () => {
  const page = await visit('phone');
  for (const [scene, title] of [
    ['sealed', 'Closed: the owner must unlock the node'],
    ['sign_in', 'Sign in'],
  ] as const) {
    await begin(page, 'sign_in');
    await page.goto(origin);
    await page.getByLabel('Name').fill(CASHIER.name);
    await page.getByLabel('Password', { exact: true }).fill(CASHIER.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await heading(page, 'Open').waitFor();
    await begin(page, scene);
    await heading(page, title).waitFor();
  }
  await page.context().close();
}, 60_000);

test('a sealed node is unlocked from a phone', async () => {
  const page = await visit('phone');
  await begin(page, 'sealed');
  await page.goto(`${origin}/events`);
  await page.getByLabel('Passphrase', { exact: true }).fill('wrong');
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.getByText('That passphrase does not open the node.').waitFor();
  // A key file opens it too, and one that is none is told so.
  await page.getByRole('button', { name: 'Use a key file instead' }).click();
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.getByText('Choose this file.').waitFor();
  const file = page.getByLabel('Key file', { exact: true });
  const of = (buffer: Buffer) => ({ name: 'node.key', mimeType: 'application/octet-stream', buffer });
  await file.setInputFiles(of(Buffer.alloc(17 * 1024)));
  await page.getByText('That is no key file: it is too large.').waitFor();
  await look(page, 'key-file');
  await file.setInputFiles(of(Buffer.from('another')));
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.getByText('That key file does not open the node.').waitFor();
  await file.setInputFiles(of(Buffer.from([0, 0x6b, 0x65, 0x79, 0xff])));
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await begin(page, 'sealed');
  await page.reload();
  await page.getByLabel('Passphrase', { exact: true }).fill(PASSPHRASE);
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await page.context().close();
}, 60_000);

test('an authenticator app is set up, and its recovery codes are shown once', async () => {
  const page = await visit();
  await begin(page, 'good');
  await page.goto(`${origin}/account`);
  await page.getByRole('button', { name: 'Set it up' }).click();
  const question = page.getByRole('dialog');
  await question.getByLabel('Password', { exact: true }).fill(OWNER.password);
  await question.getByRole('button', { name: 'Go on' }).click();
  await page.getByLabel('Code', { exact: true }).fill('123456');
  await look(page, 'factor');
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('ABCD-1009').waitFor();
  await page.getByRole('button', { name: 'I have written them down' }).click();
  await page.getByText('10 recovery codes are left.').waitFor();
  expect(await page.getByText('ABCD-1009').count()).toBe(0);
  // The code is the next question of whoever signs in: the keyboard and a screen reader are there already.
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await heading(page, 'Sign in').waitFor();
  await page.getByLabel('Name').fill(OWNER.name);
  await page.getByLabel('Password', { exact: true }).fill(OWNER.password);
  await page.keyboard.press('Enter');
  await expect.poll(() => focused(page), { timeout: PATIENCE }).toBe('one-time-code');
  await page.keyboard.type('123456');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Switch it off' }).click();
  const sure = page.getByRole('dialog', { name: 'Switch it off' });
  await sure.getByText('A stolen password alone').waitFor();
  // Whoever has just signed in has shown the password.
  await sure.getByRole('button', { name: 'Switch it off' }).click();
  await page.getByRole('button', { name: 'Set it up' }).waitFor();
  await page.context().close();
}, 60_000);

test('a passphrase is set, the recovery key is shown once, and the node is locked and opened with it', async () => {
  const page = await visit();
  await begin(page, 'good');
  await page.goto(origin);
  await page.getByText('Set a passphrase before').getByRole('link').click();
  await page.getByLabel('New passphrase', { exact: true }).fill('nine green bottles');
  await page.getByLabel('The same passphrase again', { exact: true }).fill('nine green');
  await page.getByRole('button', { name: 'Set the passphrase' }).click();
  await page.getByText('The two passphrases differ.').waitFor();
  await page.getByLabel('The same passphrase again', { exact: true }).fill('nine green bottles');
  await page.getByRole('button', { name: 'Set the passphrase' }).click();
  await confirm(page);
  await page.getByText('ABCD-EFGH-JKLM').waitFor();
  await look(page, 'recovery-key');
  await page.getByRole('button', { name: 'I have written it down' }).click();
  expect(await page.getByText('ABCD-EFGH-JKLM').count()).toBe(0);
  await page.getByRole('button', { name: 'Lock the node' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Lock the node' }).click();
  await heading(page, 'Closed: the owner must unlock the node').waitFor();
  await page.getByRole('button', { name: 'Use the recovery key instead' }).click();
  await page.getByLabel('Recovery key', { exact: true }).fill('ABCD-EFGH-JKLM');
  await page.getByRole('button', { name: 'Unlock' }).click();
  await heading(page, 'My account').waitFor();
  // Whoever lost the passphrase sets another with what opened the node.
  await page.getByRole('button', { name: 'Use the recovery key instead' }).click();
  await page.getByLabel('Recovery key', { exact: true }).fill('ABCD-EFGH-JKLM');
  await page.getByLabel('New passphrase', { exact: true }).fill('ten green bottles');
  await page.getByLabel('The same passphrase again', { exact: true }).fill('ten green bottles');
  await look(page, 'passphrase-by-recovery-key');
  await page.getByRole('button', { name: 'Change the passphrase' }).click();
  await page.getByText('The passphrase is changed.').waitFor();
  await page.context().close();
}, 60_000);

test('a log is filtered by what is typed', async () => {
  const page = await visit();
  await begin(page, 'good');
  await page.goto(`${origin}/services/lnd`);
  const log = page.getByRole('log');
  await expect.poll(() => log.textContent(), { timeout: PATIENCE }).toContain('line 39');
  await page.getByLabel('Only lines that contain').fill('LINE 17');
  await expect.poll(() => log.textContent(), { timeout: PATIENCE }).toBe('2026-01-05T09:27:00Z lnd: line 17');
  await page.getByLabel('Only lines that contain').fill('nowhere');
  await page.getByText('No line contains that.').waitFor();
  await page.context().close();
}, 60_000);

test('how full the machine was is drawn', async () => {
  const page = await visit();
  await begin(page, 'good');
  await page.goto(origin);
  const chart = page.getByRole('img', { name: 'How full disk and memory were over the last day' });
  // uPlot draws on a canvas: something of it is in the colour of the disk's line.
  await expect
    .poll(
      () =>
        chart.locator('canvas').evaluate((canvas: HTMLCanvasElement) => {
          const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
          let blue = 0;
          for (let at = 0; at < pixels.length; at += 4) {
            if ((pixels[at + 2] ?? 0) > 150 && (pixels[at] ?? 255) < 80 && (pixels[at + 3] ?? 0) > 200)
              blue++;
          }
          return blue;
        }),
      { timeout: PATIENCE },
    )
    .toBeGreaterThan(200);
  expect(await page.getByRole('meter', { name: 'Disk' }).getAttribute('aria-valuenow')).toBe('61');
  await begin(page, 'trouble');
  await page.reload();
  await page.getByText('A disk is nearly full.').waitFor();
  await page.getByText('eCash mint needs you').getByRole('link').click();
  await heading(page, 'eCash mint').waitFor();
  await page.context().close();
}, 60_000);

test('settings are changed once their plan was read, all with one plan', async () => {
  const page = await visit('phone');
  await begin(page, 'good');
  await page.goto(`${origin}/settings`);
  const cache = page.getByLabel('Cache memory', { exact: true });
  await cache.fill('3');
  await page.getByText('A whole number from 4 to 16,384 MiB.', { exact: true }).waitFor();
  expect(await page.getByRole('button', { name: 'See what it will do' }).isDisabled()).toBe(true);
  await cache.fill('900');
  await page.getByLabel('Only through Tor', { exact: true }).selectOption('Yes');
  await page.getByText('2 changes, not applied yet').waitFor();
  await page.getByRole('button', { name: 'See what it will do' }).click();
  const plan = page.getByRole('dialog');
  const told = plan.getByText('restart lnd: its settings changed');
  await told.waitFor({ state: 'attached' });
  const away = 'is restarted and is away for a moment. It gets up to 30 seconds to finish what it does.';
  expect(await plan.getByRole('listitem').allTextContents()).toEqual([
    'Bitcoin Core: Cache memory 450 → 900',
    'Lightning: Only through Tor No → Yes',
    `Bitcoin Core ${away}`,
    `Lightning ${away}`,
  ]);
  expect(await told.isVisible()).toBe(false);
  await plan.getByText('Details', { exact: true }).click();
  await told.waitFor();
  await look(page, 'settings-plan');
  // Nothing happens before it is applied.
  await page.keyboard.press('Escape');
  await page.reload();
  expect(await page.getByLabel('Cache memory', { exact: true }).inputValue()).toBe('450');
  await page.getByLabel('Cache memory', { exact: true }).fill('900');
  await page.getByRole('button', { name: 'See what it will do' }).click();
  await plan.getByRole('button', { name: 'Apply' }).click();
  await confirm(page);
  await page.getByText('It is applied.').waitFor();
  expect(await page.getByLabel('Cache memory', { exact: true }).inputValue()).toBe('900');
  await page.reload();
  await expect
    .poll(() => page.getByLabel('Cache memory', { exact: true }).inputValue(), { timeout: PATIENCE })
    .toBe('900');
  await page.context().close();
}, 60_000);

test('what the node says in English is said in the language of the reader, and its own words stand behind it', async () => {
  const page = await visit('phone');
  await begin(page, 'good');
  await page.goto(`${origin}/account`);
  await speakDutch(page);
  await heading(page, 'Mijn account').waitFor();
  await page.goto(`${origin}/events`);
  const row = page.getByRole('listitem').filter({ hasText: 'Nostr relay is onverwacht gestopt.' });
  const told = row.getByText('ended by signal 9; tries again in 1 s');
  expect(await told.isVisible()).toBe(false);
  await row.getByText('Details', { exact: true }).click();
  await told.waitFor();
  expect(await row.getByRole('link', { name: 'Nostr relay' }).getAttribute('href')).toBe('/services/relay');
  // What these pages do not know is told in the node's words.
  await page.getByText('eCash mint polished its windows').waitFor();
  await look(page, 'events-nl');
  await page.goto(`${origin}/audit`);
  const line = page.getByRole('row').filter({ hasText: 'owner heeft ingelogd.' });
  await line.getByText('Details', { exact: true }).click();
  await line.getByText('owner signed in from 192.168.1.20').waitFor();
  await page.getByText('Iemand aan de machine').waitFor();
  await look(page, 'audit-nl');
  await page.goto(`${origin}/settings`);
  await page.getByLabel('Alleen via Tor', { exact: true }).waitFor();
  await page.getByText('Of elke verbinding via Tor gaat, waar Tor draait.').waitFor();
  await page.getByLabel('Fee rate', { exact: true }).waitFor();
  await page.getByText('What a payment through this node costs.').waitFor();
  await look(page, 'settings-nl');
  await begin(page, 'trouble');
  await page.goto(`${origin}/account`);
  await speakDutch(page);
  await heading(page, 'Mijn account').waitFor();
  await page.goto(`${origin}/services/mint`);
  await page.getByText('Lees hieronder wat de dienst het laatst zei').waitFor();
  await look(page, 'service-trouble-nl');
  await begin(page, 'good');
  await page.goto(`${origin}/account`);
  await speakDutch(page);
  await heading(page, 'Mijn account').waitFor();
  await page.goto(`${origin}/connections`);
  await page.getByText(/ is ook bereikbaar voor Bitcoin Core en Lightning, omdat/).waitFor();
  await page.getByText('services are out in the moonlight').waitFor();
  await look(page, 'connections-nl');
  await page.context().close();
}, 60_000);

test('events are read backwards, as far as the node keeps them', async () => {
  const page = await visit('phone');
  await begin(page, 'trouble');
  await page.goto(`${origin}/events`);
  const rows = page.getByRole('main').getByRole('listitem');
  await expect.poll(() => rows.count(), { timeout: PATIENCE }).toBe(200);
  const older = page.getByRole('button', { name: 'Older events' });
  await older.click();
  await older.waitFor({ state: 'detached' });
  expect(await rows.count()).toBeGreaterThan(260);
  await page.context().close();
}, 60_000);

test('a password between two services is replaced by whoever shows the own one', async () => {
  const page = await visit();
  await begin(page, 'good');
  await page.goto(`${origin}/connections`);
  const row = page.getByRole('row').filter({ hasText: 'rpc' }).filter({ hasText: 'Lightning' });
  await row.getByText('number 1').waitFor();
  await row.getByRole('button', { name: 'Replace Lightning → Bitcoin Core' }).click();
  const plan = page.getByRole('dialog', { name: 'Replace a password' });
  await plan.getByText(/^Lightning is restarted/).waitFor();
  await look(page, 'replace-plan');
  await plan.getByRole('button', { name: 'Replace', exact: true }).click();
  await confirm(page);
  await page.getByText('It is replaced.').waitFor();
  await row.getByText('number 2').waitFor();
  const compare = page.getByRole('region', { name: 'Check what runs' });
  await compare.getByRole('button', { name: 'Check now' }).click();
  await compare.getByText('What runs is what was accepted.').waitFor();
  await begin(page, 'trouble');
  await page.reload();
  await compare.getByRole('button', { name: 'Check now' }).click();
  await compare.getByText('One thing is not as it should be.').waitFor();
  await compare.getByText('mint: it has a capability that nobody gave it', { exact: true }).waitFor();
  await compare.getByText('Details').click();
  await compare.getByText('400 days old').waitFor();
  await look(page, 'compare');
  // One that only its provider can make has no button.
  const macaroon = page.getByRole('row').filter({ hasText: 'rest' });
  expect(await macaroon.getByRole('button').count()).toBe(0);
  await page.context().close();
}, 60_000);

test('what was written into files at the machine is applied once its plan was read', async () => {
  const page = await visit();
  await begin(page, 'good');
  await page.goto(`${origin}/services`);
  await page.getByRole('button', { name: 'See what it will do' }).click();
  const plan = page.getByRole('dialog', { name: 'Changed files' });
  await plan.getByText(/^eCash mint is restarted/).waitFor();
  await look(page, 'files-plan');
  // Somebody goes on writing meanwhile: what nobody read is not applied.
  await page.request.post(`${origin}/mock/edited/relay`);
  await plan.getByRole('button', { name: 'Apply' }).click();
  await confirm(page);
  await plan.getByText('Somebody else changed this meanwhile.').waitFor();
  await plan.getByText(/^Nostr relay is restarted/).waitFor();
  await look(page, 'files-changed');
  await plan.getByRole('button', { name: 'Apply' }).click();
  await page.getByText('It is applied.').waitFor();
  await page.getByRole('button', { name: 'See what it will do' }).click();
  await plan.getByText('Nothing would change.').waitFor();
  expect(await plan.getByRole('button', { name: 'Apply' }).count()).toBe(0);
  // A mistake is told with its line, and what is applied is what was before.
  await begin(page, 'trouble');
  await page.goto(`${origin}/services`);
  await page.getByRole('button', { name: 'See what it will do' }).click();
  await plan.getByText('node.toml:9:1').waitFor();
  await look(page, 'files-mistake');
  expect(await plan.getByRole('button', { name: 'Apply' }).count()).toBe(0);
  await page.context().close();
}, 60_000);

test('a service is switched to another version once its plan was read', async () => {
  const page = await visit();
  await begin(page, 'good');
  await page.goto(`${origin}/services/mint`);
  await page.getByText('On this machine, 184 MB').waitFor();
  await page.getByLabel('Run another one').fill('mint:latest');
  await page.getByRole('button', { name: 'See what it will do' }).click();
  const plan = page.getByRole('dialog', { name: 'Version' });
  await plan.getByText('The node does not take that value.').waitFor();
  await plan.getByText('Details').click();
  await plan.getByText('that is no digest').waitFor();
  await plan.getByRole('button', { name: 'Cancel' }).click();
  const digest = `sha256:${'ab'.repeat(32)}`;
  await page.getByLabel('Run another one').fill(digest);
  await page.getByRole('button', { name: 'See what it will do' }).click();
  await plan.getByText(/^eCash mint is restarted/).waitFor();
  await plan.getByRole('button', { name: 'Switch' }).click();
  await confirm(page);
  await page.getByText('It is switched.').waitFor();
  await page.getByText('Not on this machine yet').waitFor();
  await page.getByRole('region', { name: 'Version' }).getByText('Details').click();
  await page.getByText(digest, { exact: true }).waitFor();
  await page.context().close();
}, 60_000);

test('a service is left out, and its data are deleted once its name was typed', async () => {
  const page = await visit('phone');
  await begin(page, 'good');
  const dialog = page.getByRole('dialog', { name: 'Leave this service out' });
  await page.goto(`${origin}/services/bitcoind`);
  await page.getByRole('button', { name: 'Leave this service out' }).click();
  await dialog.getByText('electrs: it needs').waitFor();
  expect(await dialog.getByRole('button', { name: 'Leave it out' }).count()).toBe(0);
  await page.goto(`${origin}/services/mint`);
  await page.getByRole('button', { name: 'Leave this service out' }).click();
  await dialog.getByText('[services.mint]').waitFor();
  await dialog.getByText(/^eCash mint is stopped and left out; its data stay/).waitFor();
  await look(page, 'remove');
  await dialog.getByRole('button', { name: 'Leave it out' }).click();
  await confirm(page);
  await page.getByText('eCash mint is left out. Its data stay.').waitFor();
  await heading(page, 'eCash mint').waitFor();
  // Whoever comes back later finds it.
  await page.goto(`${origin}/services`);
  const left = page.getByRole('region', { name: 'Left out' });
  await left.getByText('Details').click();
  await left.getByText('/srv/flash/volumes/mint').waitFor();
  // It is asked for when something comes or goes, and not all the time.
  let asked = 0;
  const count = (request: { url(): string }) =>
    void (asked += request.url().endsWith('/api/v1/removed') ? 1 : 0);
  page.on('request', count);
  await page.request.patch(`${origin}/mock/services/relay`, { data: { started_at: 1 } });
  await page.waitForTimeout(1000);
  page.off('request', count);
  expect(asked).toBeLessThan(2);
  await look(page, 'left-out');
  await left.getByRole('link', { name: 'eCash mint' }).click();
  const purge = page.getByRole('button', { name: 'Delete the data for ever' });
  const name = page.getByLabel('Type its name again: mint');
  for (const typed of ['', 'Mint', 'mint ']) {
    await name.fill(typed);
    expect(await purge.isDisabled()).toBe(true);
  }
  await name.fill('mint');
  await look(page, 'purge');
  await purge.click();
  await page.getByText('The data of mint are deleted.').waitFor();
  // Nothing else of it is left, and the node says so.
  await page.reload();
  await heading(page, 'There is no such service.').waitFor();
  await name.fill('mint');
  await purge.click();
  await page.getByText('That service is not there any more.').waitFor();
  await page.context().close();
}, 60_000);

test('a newer list of weaknesses is imported where its makers signed it', async () => {
  const page = await visit('phone');
  await begin(page, 'good');
  await page.goto(`${origin}/services`);
  const card = page.getByRole('region', { name: 'Known weaknesses' });
  await card.getByText('number 3; it came with this version').waitFor();
  await card.getByText('2 that are not about this node').click();
  await card.getByText('Import a newer list').click();
  await card.getByRole('button', { name: 'Import' }).click();
  expect(await card.getByText('Choose this file.').count()).toBe(2);
  const [list, signature] = [card.getByLabel(/^The list/), card.getByLabel(/^Its signature/)];
  const file = (name: string, text: string) => ({
    name,
    mimeType: 'application/octet-stream',
    buffer: Buffer.from(text),
  });
  // Sent as text, each quote of it takes two bytes.
  await signature.setInputFiles(file('advisories.toml.minisig', 'forged'));
  for (const large of ['x'.repeat(70_000), '"'.repeat(40_000)]) {
    await list.setInputFiles(file('film.mp4', large));
    await card.getByRole('button', { name: 'Import' }).click();
    await card.getByText('larger than the node takes (65.5 kB)').waitFor();
    await list.setInputFiles(file('empty.toml', ''));
    await card.getByRole('button', { name: 'Import' }).click();
    await card.getByText('larger than the node takes').waitFor({ state: 'detached' });
  }
  const newer = [
    ...['serial = 4', 'issued = "2026-01-02"', '[[advisory]]', 'id = "FLASH-2026-0001"'],
    ...['service = "relay"', 'severity = "high"', 'text = "It loses notes."', 'action = "Run 1.1."'],
  ];
  await list.setInputFiles(file('advisories.toml', newer.join('\n')));
  await signature.setInputFiles(file('advisories.toml.minisig', 'forged'));
  await card.getByRole('button', { name: 'Import' }).click();
  await card.getByText('The makers of this node did not sign this list.').waitFor();
  await look(page, 'advisories-refused');
  await signature.setInputFiles(file('advisories.toml.minisig', 'untrusted comment: signature'));
  await card.getByRole('button', { name: 'Import' }).click();
  await card.getByText('The newer list is known from now on.').waitFor();
  await card.getByText('The list of January 2, 2026, number 4; it was imported.').waitFor();
  const one = card.getByRole('listitem').filter({ hasText: 'It loses notes.' });
  await one.getByText('Serious').waitFor();
  await one.getByRole('link', { name: 'Nostr relay' }).waitFor();
  await look(page, 'advisories');
  await page.context().close();
}, 60_000);

test('a node that is stopped here is not told to be lost', async () => {
  const page = await visit();
  await begin(page, 'good');
  await page.goto(`${origin}/services`);
  await page.getByRole('button', { name: 'Stop the node' }).click();
  const dialog = page.getByRole('dialog', { name: 'Stop the node' });
  await dialog.getByText('flash-node up').waitFor();
  await look(page, 'stop');
  await dialog.getByRole('button', { name: 'Stop the node' }).click();
  await confirm(page);
  await page.getByText('The node is stopping: first every service, then itself.').waitFor();
  const over = page.getByText('You stopped the node.');
  await over.waitFor();
  expect(await page.getByText('No connection to the node.').count()).toBe(0);
  await look(page, 'stopped');
  // Once it was started again the page goes on.
  await begin(page, 'good');
  await over.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Stop the node' }).waitFor();
  await page.context().close();
}, 60_000);

test('a page that loses its node says since when what it shows is, and goes on by itself', async () => {
  const page = await visit();
  await begin(page, 'good');
  await page.goto(origin);
  await page.getByText('Everything works').waitFor();
  await page.locator('.plot canvas').waitFor();
  await page.route('**/api/**', (route) => route.abort());
  (server.httpServer as Server).closeAllConnections();
  const lost = page.getByText(/^No connection to the node. What you see is from /);
  await lost.waitFor();
  await page.getByText('Everything works').waitFor();
  await look(page, 'offline');
  await page.unroute('**/api/**');
  await lost.waitFor({ state: 'detached' });
  await page.getByText('Everything works').waitFor();
  await page.context().close();
}, 60_000);

test('a page that waits shows that it does, and one that failed shows why and tries again', async () => {
  const page = await visit();
  await begin(page, 'good');
  let release = (): void => undefined;
  const held = new Promise<void>((done) => (release = done));
  await page.route('**/api/v1/settings', async (route) => {
    await held;
    await route.continue();
  });
  const waiting = page.getByText('Loading…', { exact: true });
  await page.goto(`${origin}/settings`);
  await waiting.first().waitFor({ state: 'attached' });
  await look(page, 'loading');
  release();
  await page.getByRole('region', { name: 'Bitcoin Core' }).waitFor();
  expect(await waiting.count()).toBe(0);
  let broken = true;
  await page.route('**/api/v1/edges', (route) =>
    broken
      ? route.fulfill({ status: 500, json: { code: 'internal', message: 'a fault' } })
      : route.continue(),
  );
  await page.goto(`${origin}/connections`);
  const again = page.getByRole('button', { name: 'Try again' });
  await again.waitFor();
  await look(page, 'error');
  broken = false;
  await again.click();
  await page.getByRole('row').filter({ hasText: 'Lightning' }).first().waitFor();
  expect(await again.count()).toBe(0);
  await page.context().close();
}, 60_000);

/** Presses Tab until what is called so has the focus, and looks that it can be seen there. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let steps = 0; steps < 80; steps += 1) {
    await page.keyboard.press('Tab');
    const [called, seen] = await page.evaluate(() => {
      const at = document.activeElement as HTMLElement;
      const label = at instanceof HTMLInputElement ? at.labels?.[0]?.textContent : at.textContent;
      return [
        (at.ariaLabel ?? label ?? '').trim(),
        [at, at.parentElement!].some((one) => getComputedStyle(one).outlineStyle !== 'none'),
      ] as const;
    });
    if (called === name) {
      expect(seen, `the focus on ${name} is seen`).toBe(true);
      return;
    }
  }
  throw new Error(`no key leads to ${name}`);
}

test('whoever has no mouse signs in, changes a setting, and comes back from a dialog', async () => {
  const page = await visit();
  await begin(page, 'sign_in');
  await page.goto(origin);
  await heading(page, 'Sign in').waitFor();
  await tabTo(page, 'Name');
  await page.keyboard.type(OWNER.name);
  await tabTo(page, 'Password');
  await page.keyboard.type(OWNER.password);
  await page.keyboard.press('Enter');
  await page.getByText('Everything works').waitFor();
  await tabTo(page, 'Settings');
  await page.keyboard.press('Enter');
  await heading(page, 'Settings').waitFor();
  await tabTo(page, 'Cache memory');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('900');
  await tabTo(page, 'See what it will do');
  await page.keyboard.press('Enter');
  const plan = page.getByRole('dialog', { name: 'Settings' });
  await plan.getByText(/^Bitcoin Core is restarted/).waitFor();
  // The focus does not leave a dialog, and goes back to what opened it.
  for (let steps = 0; steps < 6; steps += 1) {
    await page.keyboard.press('Tab');
    const inside = await page.evaluate(() => {
      const at = document.activeElement;
      return at === document.body || at?.closest('dialog') !== null;
    });
    expect(inside).toBe(true);
  }
  await page.keyboard.press('Escape');
  await plan.waitFor({ state: 'hidden' });
  expect(await page.evaluate(() => document.activeElement?.textContent?.trim())).toBe('See what it will do');
  await page.context().close();
}, 60_000);

test('whoever opens the node from its own network is told how to trust it, before signing in', async () => {
  const page = await visit('phone');
  await begin(page, 'sign_in');
  const address = 'https://shop.local:4443';
  await page.route(`${address}/**`, async (route) => {
    const url = route.request().url().replace(address, origin);
    await route.fulfill({ response: await route.fetch({ url }) });
  });
  await page.goto(`${address}/`);
  await page.getByText('Does this device warn about this page?').click();
  const link = page.getByRole('link', { name: "Download the node's certificate" });
  await link.waitFor();
  expect(await link.getAttribute('href')).toBe('/authority.crt');
  await look(page, 'trust');
  await page.goto(origin);
  await heading(page, 'Sign in').waitFor();
  expect(await page.getByText('Does this device warn').count()).toBe(0);
  await page.context().close();
}, 60_000);

test('written from right to left nothing is wider than a phone', async () => {
  const page = await visit('phone');
  for (const [name, scene, path, title] of PLACES) {
    await begin(page, scene);
    await page.goto(origin + path);
    await heading(page, title).first().waitFor();
    await page.evaluate(() => (document.documentElement.dir = 'rtl'));
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(over, name).toBeLessThanOrEqual(0);
    if (name === 'overview' || name === 'service') await look(page, `${name}-right-to-left`);
  }
  await page.context().close();
}, 120_000);

test('no page threw or broke its own policy', () => {
  expect(browser.broken).toEqual([]);
});
