import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';
import { mockBackEnd } from './src/lib/mock/plugin.ts';

// A node to talk to while pages are written, such as http://127.0.0.1:4420; without one the mock back end answers.
const node = process.env.FLASH_NODE_URL;

/** Whether a module is of what nearly every page needs, such as Svelte and our own components. */
function isShared(module: string): boolean {
  if (/node_modules\/uplot|src\/lib\/mock|messages\/(?!en)/.test(module)) return false;
  return /node_modules\/(?!@sveltejs\/kit)|src\/lib\/|messages\/en/.test(module);
}

export default defineConfig({
  plugins: [
    sveltekit({
      // Every address is answered with the one page; what stands on it is decided in the browser.
      adapter: adapter({ fallback: 'index.html', precompress: true }),
      // Hashes only: no inline script or style but SvelteKit's own first lines.
      csp: {
        mode: 'hash',
        directives: {
          'default-src': ['none'],
          'script-src': ['self'],
          'style-src': ['self'],
          // The one style attribute: SvelteKit's announcer of pages, which only screen readers meet.
          'style-src-attr': ['unsafe-hashes', 'sha256-S8qMpvofolR8Mpjy4kQvEm7m1q8clzU4dfDH0AmvZjo='],
          'img-src': ['self', 'data:'],
          'font-src': ['self'],
          'connect-src': ['self'],
          'manifest-src': ['self'],
          'base-uri': ['none'],
          'form-action': ['self'],
        },
      },
    }),
    ...(node ? [] : [mockBackEnd()]),
  ],
  environments: {
    client: {
      build: {
        rolldownOptions: {
          // What pages share is one file: the first page waits for files in turn more than for bytes. SvelteKit's first lines
          // stay apart: they tell the rest which version of the pages this is, before any of it runs.
          output: {
            codeSplitting: {
              groups: [
                { name: 'first', test: /client\/payload\.js|preload-helper/, priority: 1 },
                { name: 'shared', test: isShared },
              ],
            },
          },
        },
      },
    },
  },
  server: node
    ? { proxy: { '/api': { target: node, changeOrigin: true, headers: { origin: node } } } }
    : undefined,
  test: { include: ['tests/**/*.test.ts'] },
});
