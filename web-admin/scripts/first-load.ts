// Measures how long a new visitor waits for the overview: an empty cache, a new browser session each time.
// usage: first-load.ts ADDRESS COOKIE TIMES, where COOKIE is NAME=VALUE of a session; prints milliseconds, one a line.
import { chromium } from 'playwright-core';

const [address, cookie, times] = process.argv.slice(2);
if (!address || !cookie || !times) {
  console.error('usage: first-load.ts ADDRESS COOKIE TIMES');
  process.exit(64);
}
const [name = '', value = ''] = cookie.split('=', 2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
for (let time = 0; time < Number(times); time += 1) {
  const context = await browser.newContext({ locale: 'en-GB' });
  await context.addCookies([{ name, value, url: address, sameSite: 'Strict' }]);
  const page = await context.newPage();
  const begun = performance.now();
  await page.goto(address, { waitUntil: 'commit' });
  // What the node says of a service is on it, not only the frame of a page.
  await page.locator('main a[href*="services/relay"]').first().waitFor();
  console.log((performance.now() - begun).toFixed(1));
  await context.close();
}
await browser.close();
