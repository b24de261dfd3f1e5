// Owns what a browser is called to a person, read off what it says of itself (RFC 9110, User-Agent).

/** The first that fits counts: most browsers also carry the names of those they want to be taken for. */
const BROWSERS: [RegExp, string][] = [
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/\bEdgA?\/|\bEdgiOS\//, 'Microsoft Edge'],
  [/\bOPR\/|\bOPT\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(Headless)?Chrom(e|ium)\/|\bCriOS\//, 'Chrome'],
  [/\bVersion\/.*\bSafari\//, 'Safari'],
];
const SYSTEMS: [RegExp, string][] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
];

/** Names browser and system; nothing where either is not known. */
export function device(agent: string): { browser: string; system: string } | undefined {
  const browser = BROWSERS.find(([is]) => is.test(agent))?.[1];
  const system = SYSTEMS.find(([is]) => is.test(agent))?.[1];
  return browser && system ? { browser, system } : undefined;
}
