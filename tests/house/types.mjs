// The page's JSDoc types hold (tsc --checkJs), with the API's as its description has them. Prints TAP.
import {spawnSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import path from 'node:path';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
if (!existsSync(tsc)) {
  console.log('1..0 # SKIP typescript is missing: run ./bootstrap check, or npm ci');
} else {
  const {status, stdout} = spawnSync('npm', ['run', '--silent', 'types'], {cwd: root, encoding: 'utf8'});
  for (const line of (stdout ?? '').trim().split('\n')) if (line) console.log(`# ${line}`);
  console.log(`${status === 0 ? 'ok' : 'not ok'} 1 - the types of the page hold\n1..1`);
  process.exitCode = status === 0 ? 0 : 1;
}
