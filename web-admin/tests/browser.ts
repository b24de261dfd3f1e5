// Owns the browser of the tests: visits by size, theme and language, a look at a page as it stands, and what it logs.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium, type Browser as Chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';

export const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';
const PICTURES = process.env.PICTURES;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 360, height: 740 } };

export type Size = keyof typeof SIZES;
export type Theme = 'light' | 'dark';

export const heading = (page: Page, text: string) => page.getByRole('heading', { name: text, exact: true });

export class Browser {
  /** What pages logged as errors: each is a fault. */
  readonly broken: string[] = [];
  readonly #chromium: Chromium;
  /** While we look, what we put into the page is ours. */
  #looking = false;

  private constructor(own: Chromium) {
    this.#chromium = own;
  }

  static async start(): Promise<Browser> {
    if (!existsSync(BROWSER)) {
      throw new Error(`${BROWSER} is missing: install Debian's chromium, or name one in CHROMIUM`);
    }
    return new Browser(await chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox'] }));
  }

  close(): Promise<void> {
    return this.#chromium.close();
  }

  /** Opens a browser of a new visitor. */
  async visit(size: Size = 'desktop', theme: Theme = 'light', locale = 'en-GB'): Promise<Page> {
    const context = await this.#chromium.newContext({
      viewport: SIZES[size],
      colorScheme: theme,
      locale,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.on('pageerror', (error) => this.broken.push(`${page.url()}: ${error.message}`));
    page.on('console', (message) => {
      // A refusal by the node is part of the walk; the browser reports it as an error of loading.
      if (
        !this.#looking &&
        message.type() === 'error' &&
        !message.text().startsWith('Failed to load resource')
      ) {
        this.broken.push(`${page.url()}: ${message.text()}`);
      }
    });
    return page;
  }

  /** Looks at the page as it stands: no serious fault for people who cannot see it, nothing wider than the screen. */
  async look(page: Page, name: string): Promise<void> {
    this.#looking = true;
    if (PICTURES) {
      mkdirSync(PICTURES, { recursive: true });
      await page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true });
    }
    // The page's own policy forbids what we put into it, and not what the browser runs for us.
    await page.evaluate(AXE);
    const faults = await page.evaluate(async () => {
      type Axe = {
        run: () => Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }>;
      };
      const { violations } = await (globalThis as unknown as { axe: Axe }).axe.run();
      return violations
        .filter((one) => one.impact === 'serious' || one.impact === 'critical')
        .map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' ')}`);
    });
    this.#looking = false;
    expect(faults, name).toEqual([]);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(over, `${name} is wider than the screen`).toBeLessThanOrEqual(0);
  }
}
