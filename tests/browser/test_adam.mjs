// A run that Adam trained shows everything that one that SGD trained shows; what takes long says how far it is. Prints TAP.
import {writeFileSync} from 'node:fs';
import path from 'node:path';
import assert from 'node:assert/strict';
import {api, choose, folder, panelsReady, problems, ready, run as runAll, test, train} from '../lib/browser.mjs';

let origin, page, sgd, adam, adamw, text;
const PANELS = ['classes', 'curves', 'time', 'matrix', 'learning', 'layers', 'totals', 'wall'];

async function open(of, query) {
  await page.goto(`${origin}/r/${of}/q/${query}`);
  await panelsReady();
}

/** What is on the page, without its numbers and names. */
async function shape() {
  return page.evaluate(() => ({
    headings: [...document.querySelectorAll('#views h2, #views h3')].filter((one) => one.offsetParent && !one.closest('.argument')).map((one) => one.textContent.replace(/[\d,.]+/g, 'N')),
    buttons: [...document.querySelectorAll('#views button[id]:not([id^="strip-"]):not([id^="lit-"]):not([id^="open-"])')].map((one) => one.id),
    charts: document.querySelectorAll('#panels .u-over').length,
    strips: [...document.querySelectorAll('.argument')].map((one) => one.id).filter((id) => id !== 'strip-label'),
  }));
}

test('everything is there', async () => {
  await open(sgd, 'test/strokes/4');
  await page.waitForSelector('#retrain-missed');
  const expected = await shape();
  assert.ok(expected.charts >= 4 && expected.strips.length === 3 && expected.buttons.length > 10, JSON.stringify(expected));
  for (const of of [adam, adamw]) {
    await open(of, 'test/strokes/4');
    await page.waitForSelector('#retrain-missed');
    assert.deepEqual(await shape(), expected);
    assert.doesNotMatch(await page.textContent('body'), /not defined|no exact dual form|attention only/);
  }
});

test('guess and correction are the logit, and the matrix sums to the correction', async () => {
  for (const of of [adam, adamw]) {
    await open(of, 'test/strokes/4');
    const answer = await api('/answer?sample=test/strokes/4', of);
    answer.logits.forEach((logit, j) => assert.ok(Math.abs(answer.initial_guess[j] + answer.correction[j] - logit) < 5e-2 * (1 + Math.abs(logit)), `${j}: ${logit}`));
    const cells = await page.$$eval('#matrix tbody tr', (rows) => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => Number(cell.dataset.value))));
    answer.correction.forEach((correction, j) =>
      assert.ok(Math.abs(cells.reduce((sum, row) => sum + row[j], 0) - correction) < 1e-3 * (1 + Math.abs(correction)), `${j}: ${correction}`));
  }
});

test('a card’s arithmetic comes to what the strip says it adds', async () => {
  await open(adam, 'test/strokes/4');
  const [, strip] = (await api('/strips?sample=test/strokes/4', adam)).strips;
  await page.click('#strip-for-1');
  await page.waitForSelector('#why-total');
  assert.ok(Math.abs(Number(await page.getAttribute('#why-total', 'data-value')) - strip.cards[0].contribution) < 1e-4);
  await page.keyboard.press('Escape');
});

test('every rank is asked for in every layer, and hidden layers have contributions', async () => {
  for (const rank of ['logit', 'against', 'effect', 'proponents', 'opponents'])
    for (const layer of [1, 2, 3]) {
      await open(adam, `test/strokes/4?rank=${rank}&layer=${layer}`);
      const {spotlight} = await api(`/spotlight?sample=test/strokes/4&rank=${rank}&layer=${layer}`, adam);
      assert.equal(await page.locator('.card').count(), spotlight.length);
      assert.ok(spotlight.every((lit, i) => lit.contribution !== null && (i === 0 || lit.score <= spotlight[i - 1].score)), rank);
    }
});

test('a class is taken out of the memory of every layer', async () => {
  await open(adamw, 'test/strokes/4?remove=class:3');
  const {removed} = await api('/removal?sample=test/strokes/4&remove=class:3', adamw);
  assert.ok(removed.patterns > 50);
  assert.match(await page.textContent('#removal'), /stored trajectory without these/);
  assert.equal(await page.locator('#removal .before-after tbody tr').count(), 10);
  for (const id of PANELS) assert.ok(await page.locator(`#${id} h2`).count() > 0, id);
});

test('text has the same, through the gates, too', async () => {
  for (const query of ['train/tale/60', 'train/tale/60?layer=1&rank=logit', 'train/tale/60?rank=proponents']) {
    await open(text, query);
    assert.equal(await page.locator('.argument').count() >= 3, true);
    assert.ok(await page.locator('.passage').count() > 0, query);
    assert.doesNotMatch(await page.textContent('body'), /not defined|no exact dual form|attention only/);
  }
});

test('a plain click sweeps no hidden layer: its panels ask for attention alone', async () => {
  const asked = [];
  const note = (request) => asked.push(new URL(request.url()));
  page.on('request', note);
  await open(adam, 'test/strokes/7');
  page.off('request', note);
  const hidden = asked.filter((url) => url.pathname.endsWith('/spotlight') && ['1', '2'].includes(url.searchParams.get('layer')));
  assert.equal(hidden.length, 2);
  assert.ok(hidden.every((url) => url.searchParams.get('contributions') === 'no'));
  const [whole, alone] = await Promise.all(['yes', 'no'].map((told) => api(`/spotlight?sample=test/strokes/7&layer=1&contributions=${told}`, adam)));
  assert.ok(whole.spotlight.every((lit) => lit.contribution !== null));
  assert.deepEqual(alone.spotlight, whole.spotlight.map((lit) => ({...lit, contribution: null})));
});

test('what takes longer than a second says how far it is, and the first screen does not wait for it', async () => {
  let done = 0, release = () => {};
  const held = new Promise((resolve) => {
    release = resolve;
  });
  await page.route('**/progress', (route) => route.fulfill({json: {sweep: {layer: 2, done: done += 0.25}}}));
  await page.route('**/spotlight?*', async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(`${origin}/r/${adam}/q/test/strokes/9?rank=effect`);
  await page.waitForFunction(() => /Going through the history of layer 2: \d+ %/.test(document.getElementById('progress').textContent));
  await page.waitForSelector('#strip-for-1');
  assert.match(await page.textContent('.verdict'), /test\/strokes\/9/);
  assert.equal(await page.locator('.card').count(), 0);
  release();
  await panelsReady();
  assert.ok(await page.locator('.card').count() > 0);
  await page.waitForSelector('#progress', {state: 'hidden'});
  await page.unroute('**/progress');
  await page.unroute('**/spotlight?*');
  assert.deepEqual(await api('/progress', adam), {sweep: null});
  assert.deepEqual(await api('/progress', sgd), {sweep: null});
});

test('the chosen training is told', async () => {
  await open(adamw, 'test/strokes/4');
  await choose(() => page.selectOption('#select-Run', adam));
  await ready();
  await page.click('.stats');
  assert.match(await page.textContent('dialog'), /adam/);
  await page.keyboard.press('Escape');
});

test('nothing was wrong on the console', async () => {
  assert.deepEqual(problems, []);
});

await runAll(() => {
  const book = path.join(folder, 'tale.txt');
  writeFileSync(book, Array.from({length: 80}, (_, i) => `The ${['cat', 'dog', 'whale'][i % 3]} sat on the ${['mat', 'sea'][i % 2]}. `).join(''));
  const images = ['--data', 'strokes', '--hidden', '24,12', '--steps', '60', '--batch', '32'];
  return [train('sgd', ...images, '--lr', '0.05'),
    train('adam', ...images, '--lr', '0.003', '--optimiser', 'adam', '--weight-decay', '0.001'),
    train('adamw', ...images, '--lr', '0.003', '--optimiser', 'adamw', '--weight-decay', '0.1'),
    train('tale', '--data', `tale=${book}`, '--tokens', 'characters', '--hidden', '12', '--embedding', '6', '--batch', '4', '--unroll', '8',
      '--steps', '60', '--lr', '0.01', '--optimiser', 'adam', '--gate-errors')];
}, (world) => {
  ({origin, page, runs: [sgd, adam, adamw, text]} = world);
});
