// The frame of a test in a real browser against the real server: each test is one promise. Prints TAP.
import {spawn, execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, existsSync} from 'node:fs';
import {createRequire} from 'node:module';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import path from 'node:path';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const require = createRequire(path.join(root, 'package.json'));
export const keylight = process.env.KEYLIGHT ?? path.join(root, 'build/keylight');
const chromiumPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

/** The text of axe-core, to be run in a page. */
export let axeSource = '';
let chromium;
try {
  ({chromium} = require('playwright-core'));
  axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
} catch {
  console.log('1..0 # SKIP the browser tools are missing: run ./bootstrap check, or npm ci');
  process.exit(0);
}
if (!chromiumPath) {
  console.log('1..0 # SKIP there is no Chromium: run ./bootstrap check');
  process.exit(0);
}

/** A folder of this test's own. */
export const folder = mkdtempSync(path.join(process.cwd(), 'tests-browser-'));
/** What went wrong beside the tests: on the console, on the server's stderr, on the way elsewhere. */
export const problems = [];
/** @type {Array<[string, () => Promise<void>]>} */
const tests = [];
export const test = (name, body) => tests.push([name, body]);

/** The world: filled by run(). */
export const world = {server: null, origin: '', browser: null, context: null, page: null, runs: []};

/** Trains a run and returns its file. */
export function train(name, ...options) {
  const file = path.join(folder, `${name}.keylight`);
  execFileSync(keylight, ['train', ...options, '--output', file, '--quiet']);
  return file;
}

async function serve(...runs) {
  const process_ = spawn(keylight, ['serve', ...runs, '--port', '0'], {stdio: ['ignore', 'pipe', 'pipe']});
  process_.stderr.on('data', (text) => problems.push(`server: ${text}`));
  const [line] = await new Promise((resolve, reject) => {
    createInterface(process_.stdout).once('line', (text) => resolve([text]));
    process_.once('exit', () => reject(new Error(`the server ended before it was ready: ${problems.at(-1)}`)));
  });
  return {process: process_, origin: /http:\/\/[^/]+/.exec(line)[0]};
}

export async function newPage(fresh, options = {}) {
  const where = fresh ?? await world.browser.newContext({viewport: {width: 1440, height: 900}, ...options});
  const opened = await where.newPage();
  opened.on('console', (message) => {
    if (message.type() === 'error') problems.push(`console: ${message.text()}`);
  });
  opened.on('pageerror', (error) => problems.push(`page: ${error}`));
  opened.on('request', (request) => {
    if (!request.url().startsWith(world.origin) && !request.url().startsWith('blob:'))
      problems.push(`a request left for ${request.url()}`);
  });
  return opened;
}

/** Waits until the view of the present address is drawn. */
export async function ready(at = world.page) {
  await at.waitForFunction(() => document.body.dataset.state === 'ready' &&
    document.body.dataset.view === location.pathname + location.search);
}

/** Waits until the panels are drawn, too. */
export async function panelsReady(at = world.page) {
  await ready(at);
  await at.evaluate(() => document.querySelector('#panels').scrollIntoView());
  await at.waitForFunction(() => document.body.dataset.panels === 'ready');
}

export async function api(resource, run = world.runs[0]) {
  const response = await fetch(`${world.origin}/api/v1/runs/${run}${resource}`);
  if (response.status !== 200) throw new Error(`${resource}: ${response.status}`);
  return response.json();
}

/** The name of a sample by its id: test/strokes/4. */
export function nameOf(id, run = world.runs[0]) {
  for (const {name, splits} of world.details.find((one) => one.id === run).datasets)
    for (const [split, {first_sample: first, samples}] of Object.entries(splits))
      if (id >= first && id < first + samples) return `${split}/${name}/${id - first}`;
  throw new Error(`there is no sample ${id}`);
}

/** The id of the sample that the page asks about. */
export function idAt(at = world.page) {
  const [, run, split, name, index] = /\/r\/(\w+)\/q\/(\w+)\/([^/]+)\/(\d+)/.exec(at.url());
  return world.details.find((one) => one.id === run).datasets.find((one) => one.name === name).splits[split].first_sample + Number(index);
}

/** Does something that changes the address, and waits for its view. */
export async function choose(action, at = world.page) {
  const before = await at.evaluate(() => location.href); // url() learns of it a little later
  await action();
  await at.waitForFunction((url) => location.href !== url, before);
  await ready(at);
  const now = await at.evaluate(() => location.href);
  await at.waitForURL((url) => url.href === now);
}

/** Serves the files that prepare() gives, tells begin() of the world, runs all tests in order, ends everything. */
export async function run(prepare, begin) {
  let failed = 0;
  try {
    world.server = await serve(...prepare());
    world.origin = world.server.origin;
    world.details = (await (await fetch(`${world.origin}/api/v1/runs`)).json()).runs;
    world.runs = world.details.map((each) => each.id);
    world.browser = await chromium.launch({executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu',
      '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync']});
    world.context = await world.browser.newContext({viewport: {width: 1440, height: 900}});
    world.page = await newPage(world.context);
    world.page.setDefaultTimeout(60000); // a machine may be slow
    begin(world);
    for (const [i, [name, body]] of tests.entries()) {
      try {
        await body();
        console.log(`ok ${i + 1} - ${name}`);
      } catch (error) {
        failed++;
        console.log(`not ok ${i + 1} - ${name}`);
        for (const line of String(error.stack).split('\n').slice(0, 30)) console.log(`# ${line}`);
      }
    }
    console.log(`1..${tests.length}`);
  } finally {
    await world.browser?.close();
    world.server?.process.kill();
    rmSync(folder, {recursive: true, force: true});
  }
  process.exit(failed ? 1 : 0);
}
