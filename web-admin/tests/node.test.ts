// Walks as a new user through a real node, from an empty data folder to the log-out: flash-node with its relay and mint.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { IntlMessageFormat } from 'intl-messageformat';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Browser, heading, type Size, type Theme } from './browser.ts';
import { Daemon, freePort, PATIENCE, PROGRAM } from './daemon.ts';

const PASSWORD = 'four plain old words';
const PASSPHRASE = 'nine green bottles on a wall';

const missing = ['flash-node', 'flash-relay', 'flash-mint']
  .map((name) => join(dirname(PROGRAM), name))
  .filter((path) => !existsSync(path));
if (missing.length) console.log(`SKIPPED: no walk through a real node: ${missing.join(', ')} is not there`);

/** A demo node with ports of its own. */
class Node extends Daemon {
  async up(): Promise<string> {
    let choices = '';
    for (const id of ['relay', 'mint']) {
      choices += `[services.${id}]\nports = { http = ${await freePort()} }\n`;
    }
    return this.start(choices);
  }

  pid(service: string): number {
    const record = readFileSync(join(this.data, 'run', service, 'child.json'), 'utf8');
    return (JSON.parse(record) as { process: { pid: number } }).process.pid;
  }

  /** What the relay says of itself. Source: NIP-11. */
  async relayName(): Promise<string> {
    const relay = this.status()?.services.find((one) => one.id === 'relay');
    const url = relay?.endpoints[0]?.url.replace('ws://', 'http://') ?? '';
    const answer = await fetch(url, { headers: { accept: 'application/nostr+json' } });
    return ((await answer.json()) as { name: string }).name;
  }
}

type Language = 'en' | 'nl' | 'es';
type Look = { size: Size; theme: Theme; language: Language };
const LOCALES = { en: 'en-GB', nl: 'nl-NL', es: 'es-ES' };

/** The owner of each walk, and of whoever is added as a cashier: everybody walks once in each look of a page. */
const WALKS: { owner: Look; other: Look }[] = [
  {
    owner: { size: 'desktop', theme: 'light', language: 'en' },
    other: { size: 'phone', theme: 'dark', language: 'nl' },
  },
  {
    owner: { size: 'phone', theme: 'dark', language: 'nl' },
    other: { size: 'desktop', theme: 'light', language: 'es' },
  },
  {
    owner: { size: 'desktop', theme: 'dark', language: 'es' },
    other: { size: 'phone', theme: 'light', language: 'en' },
  },
  {
    owner: { size: 'phone', theme: 'light', language: 'en' },
    other: { size: 'desktop', theme: 'dark', language: 'nl' },
  },
];

/** Says what pages say, in one language. */
function speaking(language: Language) {
  const text = readFileSync(`messages/${language}.json`, 'utf8');
  const messages = JSON.parse(text) as Record<string, string>;
  return (key: string, values?: Record<string, string | number>): string => {
    const message = messages[key];
    if (message === undefined) throw new Error(`nothing is said for ${key}`);
    const format = new IntlMessageFormat(message, language, undefined, { ignoreTag: true });
    return String(format.format(values));
  };
}

describe.skipIf(missing.length > 0).each(WALKS)(
  'a new user, $owner.size, $owner.theme, $owner.language',
  ({ owner: look, other }) => {
    const node = new Node();
    const say = speaking(look.language);
    const sayOther = speaking(other.language);
    let browser: Browser;
    let api: string;
    let owner: Page;
    let till: Page;

    beforeAll(async () => {
      browser = await Browser.start();
      api = await node.up();
    }, 2 * PATIENCE);

    afterAll(async () => {
      await browser?.close();
      await node.down();
    }, PATIENCE);

    const visit = (whose: Look) => browser.visit(whose.size, whose.theme, LOCALES[whose.language]);
    const picture = (page: Page, name: string) => {
      const whose = page === owner ? look : other;
      return browser.look(page, `walk-${name}-${whose.size}-${whose.theme}-${whose.language}`);
    };

    async function go(name: string): Promise<void> {
      if (look.size === 'phone') await owner.getByRole('button', { name: say('nav.menu') }).click();
      await owner
        .getByRole('navigation')
        .getByRole('link', { name: say(name), exact: true })
        .click();
    }

    /** Opens an event of which the node's own words say more, and reads them. */
    async function reads(told: RegExp): Promise<void> {
      const row = owner.getByRole('listitem').filter({ hasText: told }).first();
      await row.getByText(say('app.details'), { exact: true }).click({ timeout: PATIENCE });
      await row.getByText(told).waitFor();
    }

    test(
      'makes the first account with the code of the machine, and sees everything get ready',
      async () => {
        owner = await visit(look);
        await owner.goto(api);
        await heading(owner, say('set_up.title')).waitFor();
        await picture(owner, '1-welcome');
        await owner.getByLabel(say('set_up.code'), { exact: true }).fill(node.setUpCode());
        await owner.getByRole('button', { name: say('set_up.next') }).click();
        await owner.getByLabel(say('field.name'), { exact: true }).fill('Olga');
        await owner.getByLabel(say('field.password'), { exact: true }).fill(PASSWORD);
        await owner.getByLabel(say('field.password.again')).fill(PASSWORD);
        await picture(owner, '2-account');
        await owner.getByRole('button', { name: say('set_up.done') }).click();
        await owner.getByText(say('overview.good')).waitFor({ timeout: PATIENCE });
        await owner.getByText(say('task.no_passphrase')).waitFor();
        await picture(owner, '3-overview');
      },
      2 * PATIENCE,
    );

    test(
      'sees a service that was killed recover',
      async () => {
        process.kill(node.pid('relay'), 'SIGKILL');
        const away = ['overview.bad', 'overview.wait'].map((key) => owner.getByText(say(key, { count: 1 })));
        await away[0]!.or(away[1]!).waitFor();
        await owner.getByText(say('overview.good')).waitFor({ timeout: PATIENCE });
        await go('nav.events');
        await owner
          .getByText(say('event.failed', { service: 'Nostr relay' }))
          .first()
          .waitFor();
        await reads(/ended by signal 9/);
        await picture(owner, '4-events');
      },
      2 * PATIENCE,
    );

    test(
      'changes a setting once its plan was read',
      async () => {
        await go('nav.settings');
        const card = owner.getByRole('region', { name: 'Nostr relay' });
        await card.getByLabel(say('setting.relay.name.label'), { exact: true }).fill('The corner shop');
        await picture(owner, '5-settings');
        await owner.getByRole('button', { name: say('plan.look') }).click();
        const plan = owner.getByRole('dialog', { name: say('settings.title') });
        const away = { service: 'Nostr relay', seconds: 30 };
        await plan.getByText(say('plan.step.restart', away)).waitFor();
        await picture(owner, '6-plan');
        expect(await node.relayName()).not.toBe('The corner shop');
        await plan.getByRole('button', { name: say('settings.apply') }).click();
        await owner.getByText(say('settings.done')).waitFor({ timeout: PATIENCE });
        await picture(owner, '6-applied');
        await expect
          .poll(() => node.relayName().catch(() => ''), { timeout: PATIENCE })
          .toBe('The corner shop');
      },
      2 * PATIENCE,
    );

    test(
      "replaces the node's credential for the mint, which refuses the old one",
      async () => {
        await go('nav.connections');
        const row = owner.getByRole('row').filter({ hasText: 'books' });
        await row.getByText(say('connections.generation', { number: 1 })).waitFor();
        await picture(owner, '7-connections');
        await row.getByRole('button').click();
        const plan = owner.getByRole('dialog', { name: say('connections.replace.title') });
        const away = { service: 'Cashu mint', seconds: 60 };
        await plan.getByText(say('plan.step.restart', away)).waitFor();
        await picture(owner, '7-replace');
        await plan.getByRole('button', { name: say('connections.replace'), exact: true }).click();
        // Whoever typed the password a moment ago is not asked for it again.
        await owner.getByText(say('connections.done')).waitFor({ timeout: PATIENCE });
        await row.getByText(say('connections.generation', { number: 2 })).waitFor();
        await go('nav.events');
        await reads(/refuses generation 1/);
      },
      2 * PATIENCE,
    );

    test(
      'adds a cashier, who sees the shop alone, in another language and another look',
      async () => {
        await go('nav.people');
        await owner.getByLabel(say('field.name'), { exact: true }).first().fill('Kim');
        const names = { en: 'English', nl: 'Nederlands', es: 'Español' };
        await owner.getByLabel(say('app.language')).selectOption(names[other.language]);
        await owner.getByLabel(say('field.password'), { exact: true }).fill(PASSWORD);
        await owner.getByRole('button', { name: say('people.add') }).click();
        await owner.getByText(say('people.added', { name: 'Kim' })).waitFor();
        await picture(owner, '8-people');
        till = await visit(other);
        await till.goto(`${api}/services`);
        await till.getByLabel(sayOther('field.name'), { exact: true }).fill('Kim');
        await till.getByLabel(sayOther('field.password'), { exact: true }).fill(PASSWORD);
        await till.getByRole('button', { name: sayOther('sign_in.button'), exact: true }).click();
        if (other.size === 'phone') await till.getByRole('button', { name: sayOther('nav.menu') }).click();
        await till.getByRole('link', { name: sayOther('nav.account') }).waitFor();
        // What was asked for is not a cashier's, and nothing of it is drawn.
        const main = till.getByRole('main');
        for (const path of ['/services', '/people', '/settings', '/events', '/audit']) {
          await till.goto(`${api}${path}`);
          await heading(till, sayOther('nav.not_yours')).waitFor();
          expect((await main.getByRole('button').count()) + (await main.getByRole('textbox').count())).toBe(
            0,
          );
        }
        if (other.size === 'phone') await till.getByRole('button', { name: sayOther('nav.menu') }).click();
        const links = till.getByRole('navigation').getByRole('link');
        expect(await links.allTextContents()).toEqual([sayOther('nav.overview'), sayOther('nav.account')]);
        await links.first().click();
        await heading(till, sayOther('shop.open')).waitFor();
        await picture(till, '9-shop');
      },
      2 * PATIENCE,
    );

    test(
      'sets a passphrase and locks the node, which serves on',
      async () => {
        await go('nav.account');
        await owner.getByLabel(say('vault.new'), { exact: true }).fill(PASSPHRASE);
        await owner.getByLabel(say('vault.again'), { exact: true }).fill(PASSPHRASE);
        await owner.getByRole('button', { name: say('vault.go') }).click();
        const kept = owner.getByRole('button', { name: say('vault.kept') });
        await kept.waitFor({ timeout: PATIENCE });
        // The key alone: around it stand words of the reader's language.
        expect(await owner.locator('pre.told').innerText()).toMatch(/^[A-Z0-9]{4}(-[A-Z0-9]{4})+$/);
        await picture(owner, '10-recovery-key');
        await kept.click();
        const pids = ['relay', 'mint'].map((id) => node.pid(id));
        await owner.getByRole('button', { name: say('vault.seal') }).click();
        const sure = owner.getByRole('dialog').getByRole('button', { name: say('vault.seal') });
        await sure.waitFor();
        await picture(owner, '11-lock');
        await sure.click();
        await heading(owner, say('sealed.title')).waitFor();
        await heading(till, sayOther('sealed.title')).waitFor();
        await picture(owner, '12-sealed');
        await picture(till, '12-sealed-till');
        expect(await node.relayName()).toBe('The corner shop');
        expect(['relay', 'mint'].map((id) => node.pid(id))).toEqual(pids);
      },
      2 * PATIENCE,
    );

    test(
      'unlocks it from a phone, in Spanish, and leaves',
      async () => {
        const phone = await browser.visit('phone', 'dark', 'es-ES');
        await phone.goto(api);
        await heading(phone, 'Cerrado: el propietario debe desbloquear el nodo').waitFor();
        await phone.getByLabel('Frase de paso', { exact: true }).fill(PASSPHRASE);
        await phone.getByRole('button', { name: 'Desbloquear' }).click();
        await heading(phone, 'Iniciar sesión').waitFor({ timeout: PATIENCE });
        await browser.look(phone, `walk-13-unlocked-${look.size}-${look.theme}-${look.language}`);
        // Who was signed in before goes on without another password.
        await heading(till, sayOther('shop.open')).waitFor({ timeout: PATIENCE });
        await heading(owner, say('account.title')).waitFor({ timeout: PATIENCE });
        if (look.size === 'phone') await owner.getByRole('button', { name: say('nav.menu') }).click();
        await owner.getByRole('button', { name: say('nav.sign_out'), exact: true }).click();
        await heading(owner, say('sign_in.title')).waitFor();
        await picture(owner, '14-signed-out');
        expect(browser.broken).toEqual([]);
      },
      2 * PATIENCE,
    );
  },
);
