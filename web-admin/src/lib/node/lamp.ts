// Owns the one lamp and the one sentence that a service has for people who run a shop.
// A pure function of the status: what it does not know it says so.
import type { NodeStatus, ServiceStatus } from '#lib/api/client.ts';
import type { Key } from '#lib/text/text.svelte.ts';

export type Lamp = 'good' | 'wait' | 'bad' | 'off' | 'unknown';
export type Light = { lamp: Lamp; sentence: Key };

/** How pressing a lamp is: the first of these is shown first. */
const ORDER: Lamp[] = ['bad', 'unknown', 'wait', 'off', 'good'];

/** Reads a service's lamp and sentence from its state and its three signals. */
export function light(service: ServiceStatus): Light {
  switch (service.state) {
    case 'needs_you':
      return { lamp: 'bad', sentence: 'sentence.needs_you' };
    case 'stopping':
      return { lamp: service.wanted ? 'wait' : 'off', sentence: 'sentence.stopping' };
    case 'backing_off':
      return { lamp: 'bad', sentence: 'sentence.bad' };
    case 'held_back':
    case 'absent':
    case 'exited':
      return still(service);
    case 'unknown':
      return { lamp: 'unknown', sentence: 'sentence.unknown' };
  }
  const { ready, synced, alive } = service;
  if (ready.ok === true) {
    return synced.ok === false
      ? { lamp: 'good', sentence: 'sentence.catching_up' }
      : { lamp: 'good', sentence: 'sentence.good' };
  }
  if (ready.code === 'syncing' && synced.ok === false) {
    return { lamp: 'wait', sentence: 'sentence.syncing' };
  }
  if (ready.code === 'restarting') return { lamp: 'wait', sentence: 'sentence.restarting' };
  if (ready.code === 'starting' || ready.code === 'initialising' || service.state === 'prepared') {
    return { lamp: 'wait', sentence: 'sentence.starting' };
  }
  if (ready.ok === null || ready.ok === undefined) return { lamp: 'unknown', sentence: 'sentence.unknown' };
  return alive.ok === false
    ? { lamp: 'bad', sentence: 'sentence.bad' }
    : synced.ok === false
      ? { lamp: 'wait', sentence: 'sentence.starting' }
      : { lamp: 'bad', sentence: 'sentence.bad' };
}

/** What goes by itself, or with the vault's passphrase, which is asked for elsewhere. */
const WAITS = /^(waits|sealed|stopping)$/;

/** Reads a service that does not run and should: what it waits for, or what is in its way. */
function still({ state, ready, next, wanted }: ServiceStatus): Light {
  // What only a person can take out of its way the node says what to do about.
  if (next) return { lamp: 'bad', sentence: 'sentence.blocked' };
  if (ready.code === 'not_on_this_network') return { lamp: 'off', sentence: 'sentence.not_here' };
  if (ready.code === 'image_pulling') return { lamp: 'wait', sentence: 'sentence.fetching' };
  if (ready.code === 'starting') return { lamp: 'wait', sentence: 'sentence.starting' };
  if (state === 'held_back' || WAITS.test(ready.code))
    return { lamp: 'wait', sentence: 'sentence.held_back' };
  if (!wanted || ready.ok === null || ready.ok === undefined)
    return { lamp: 'off', sentence: 'sentence.off' };
  return { lamp: 'bad', sentence: 'sentence.bad' };
}

/** Whether nothing of what is there is wanted any more: all of it is about to stop. */
export const stops = ({ services }: NodeStatus): boolean =>
  services.length > 0 && services.every(({ wanted }) => !wanted);

/** Sums the whole node up in one lamp, and counts the services that have it. What is off on purpose counts for nothing. */
export function whole(status: NodeStatus): { lamp: Lamp; count: number } {
  const lamps = status.services.map((service) => light(service).lamp);
  const worst = ORDER.find((lamp) => lamp !== 'off' && lamps.includes(lamp));
  if (!worst) return { lamp: lamps.length ? 'off' : 'unknown', count: lamps.length };
  return { lamp: worst, count: lamps.filter((lamp) => lamp === worst).length };
}

/** When all that catches up will have done so, as far as the node can tell; nothing where one cannot be told. */
export function usableAt(status: NodeStatus): number | undefined {
  const behind = status.services.filter((service) => light(service).sentence === 'sentence.syncing');
  const moments = behind.map((service) => service.synced_at ?? Infinity);
  const last = Math.max(...moments);
  return Number.isFinite(last) ? last : undefined;
}

/** Sorts services by how pressing their lamp is, then by title. */
export function byNeed(services: ServiceStatus[]): ServiceStatus[] {
  const rank = (service: ServiceStatus): number => ORDER.indexOf(light(service).lamp);
  return [...services].sort((a, b) => rank(a) - rank(b) || a.title.localeCompare(b.title));
}
