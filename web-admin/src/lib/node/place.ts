// Owns by which way this page was opened, as far as its address tells.

/**
 * Whether an address is one of the node's own network, where its own authority vouches for it. Source: RFC 1918 for
 * addresses, RFC 6762 for `.local`; a name without a dot is this network's too.
 */
export function ownNetwork({ protocol, hostname }: Pick<Location, 'protocol' | 'hostname'>): boolean {
  if (protocol !== 'https:') return false;
  const own = /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)[\d.]+$/;
  return own.test(hostname) || hostname.endsWith('.local') || !hostname.includes('.');
}
