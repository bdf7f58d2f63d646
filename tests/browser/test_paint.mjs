// What the page costs before it shows something, and whether anything moves once it is shown.
import {writeFileSync} from 'node:fs';
import path from 'node:path';
import assert from 'node:assert/strict';
import {choose, folder, newPage, panelsReady, problems, ready, run as runAll, test, train, world} from '../lib/browser.mjs';

const KB = 1000;
const WHO = ['The cat', 'An old dog', 'A captain', 'Zoë'], WHAT = ['sat on', 'looked at', 'sang of'], WHERE = ['mat', 'sea', 'deck']; // of a small book

/** What was asked for before the first paint, the page itself among it. */
function beforeFirstPaint() {
  const [{startTime: painted}] = performance.getEntriesByName('first-contentful-paint');
  const asked = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].filter(({startTime}) => startTime < painted);
  return {names: asked.map(({name}) => name), bytes: asked.reduce((sum, {transferSize}) => sum + transferSize, 0)};
}

/** One visit of the first page: what was asked for before it showed anything. */
async function visit(viewport) {
  const at = await newPage(undefined, {viewport});
  await at.goto(world.origin);
  await ready(at);
  const asked = await at.evaluate(beforeFirstPaint);
  const later = await at.evaluate(() => performance.getEntriesByType('resource').map(({name}) => name).filter((name) => name.includes('/later')));
  assert.deepEqual(later, []); // nobody came near the panels
  await panelsReady(at);
  await at.context().close();
  return asked;
}

test('the first paint takes at most ten requests and 100 KB, and no charts', async () => {
  for (const viewport of [{width: 1440, height: 900}, {width: 390, height: 844}]) {
    const visits = []; // a frame that comes late has waited for nothing: what it takes is what the best of three took
    while (visits.length < 3) visits.push(await visit(viewport));
    const {names, bytes} = visits.reduce((best, one) => (one.names.length < best.names.length ? one : best));
    console.log(`# ${viewport.width} pixels: ${names.length} requests, ${bytes} bytes before the first paint`);
    assert.ok(names.length <= 10 && bytes <= 100 * KB, `${names.length} requests, ${bytes} bytes: ${names}`);
  }
});

/** How far what stands on the page moves by itself, once the person has gone on to another question and down to the spotlight. */
async function shiftOf(address, viewport) {
  const at = await newPage(undefined, {viewport});
  await at.addInitScript(() => {
    window.shift = window.since = 0;
    new PerformanceObserver((list) => {
      for (const one of list.getEntries()) if (!one.hadRecentInput && one.startTime >= window.since) window.shift += one.value;
    }).observe({type: 'layout-shift', buffered: true});
  });
  await at.goto(address);
  await ready(at);
  await at.waitForTimeout(500);
  const loading = await at.evaluate(() => window.shift);
  await choose(() => at.keyboard.press('n'), at); // another answer may have more or fewer strips: the person moved it
  await at.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 50))));
  await at.evaluate(() => { // what is told of late counts when it was
    window.shift = 0;
    window.since = performance.now();
  });
  await panelsReady(at);
  await at.evaluate(() => document.querySelector('#missed').scrollIntoView());
  await at.waitForSelector('#missed .again');
  await at.evaluate(() => document.querySelector('#spotlight').scrollIntoView());
  await at.waitForTimeout(500);
  const shift = loading + await at.evaluate(() => window.shift);
  await at.context().close();
  return shift;
}

test('nothing moves but by the person', async () => {
  for (const run of world.runs)
    for (const viewport of [{width: 1440, height: 900}, {width: 1024, height: 768}, {width: 390, height: 844}]) {
      const shift = await shiftOf(`${world.origin}/r/${run}`, viewport);
      console.log(`# ${run} at ${viewport.width}: moved by ${shift.toFixed(4)}`);
      assert.ok(shift <= 0.02, `${run} at ${viewport.width}: ${shift}`);
    }
});

test('nothing was wrong on the console', () => {
  assert.deepEqual(problems, []);
});

await runAll(() => {
  const book = path.join(folder, 'book.txt');
  writeFileSync(book, Array.from({length: 240}, (_, i) => `${WHO[i * 7 % 4]} ${WHAT[i * 5 % 3]} the ${WHERE[i * 11 % 3]}. `).join(''));
  return [train('strokes', '--data', 'strokes', '--hidden', '40,24', '--steps', '60', '--batch', '32', '--lr', '0.05'),
    train('letters', '--data', `book=${book}`, '--tokens', 'characters', '--gate-errors', '--hidden', '16', '--steps', '80', '--lr', '1')];
}, () => {});
