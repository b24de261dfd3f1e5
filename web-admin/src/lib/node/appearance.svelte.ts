// Owns light and dark: what the reader chose on this device, or what the device prefers.
export type Appearance = 'auto' | 'light' | 'dark';

const KEPT = 'flash-node.appearance';
const dark = matchMedia('(prefers-color-scheme: dark)');

class Chosen {
  chosen = $state<Appearance>('auto');

  constructor() {
    const kept = localStorage.getItem(KEPT);
    if (kept === 'light' || kept === 'dark') this.chosen = kept;
    this.#show();
    dark.addEventListener('change', () => this.#show());
  }

  choose(value: Appearance): void {
    this.chosen = value;
    localStorage.setItem(KEPT, value);
    this.#show();
  }

  #show(): void {
    const shown = this.chosen === 'auto' ? (dark.matches ? 'dark' : 'light') : this.chosen;
    document.documentElement.dataset.theme = shown;
  }
}

export const appearance = new Chosen();
