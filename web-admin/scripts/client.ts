// Generates the types of the API from the node's OpenAPI document; `--check` fails where the kept copy is stale.
import { readFile, writeFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';

const source = new URL('../../orchestrator/openapi.json', import.meta.url);
const kept = new URL('../src/lib/api/schema.d.ts', import.meta.url);

const head = '// Generated from orchestrator/openapi.json by `npm run client`. Not to be edited.\n';
const generated = head + astToString(await openapiTS(source, { alphabetize: true }));

if (process.argv.includes('--check')) {
  const present = await readFile(kept, 'utf8').catch(() => '');
  if (present !== generated) {
    console.error('client: src/lib/api/schema.d.ts is stale: run `npm run client` and commit what it writes');
    process.exit(1);
  }
} else {
  await writeFile(kept, generated);
}
