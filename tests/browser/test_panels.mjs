// Every panel of the page: its numbers against the API's (which tests/server/test_views.py recomputes
// from the file), on a continual run of two data sets. Prints TAP.
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import assert from 'node:assert/strict';
import {decodePixels} from '../../web/pixels.js';
import {api, nameOf, axeSource, choose, folder, newPage, panelsReady, problems, ready, root, run as runAll, test, train}
  from '../lib/browser.mjs';

let origin, page, run, other, separate, plain;
const SAMPLE = 60 + 7;

/** The rows of the CSV that the n-th button of a section saves, without the head. */
async function csv(section) {
  const [download] = await Promise.all([page.waitForEvent('download'),
    page.click(`${section} .head button:text-is("CSV")`)]);
  return readFileSync(await download.path(), 'utf8').trim().split('\r\n').slice(1).map((line) => line.split(','));
}

async function open(address, query = '') {
  await page.goto(`${origin}${address}${query}`);
  await panelsReady();
}

const close = (got, expected, tolerance = 1e-4) => assert.ok(
  Math.abs(got - expected) <= tolerance * (1 + Math.abs(expected)), `${got} is not ${expected}`);

test('the strongest of every class are the API’s, and a curve shows its training image', async () => {
  await open(`/r/${run}/q/${SAMPLE}`, '?layer=2');
  const {curves} = await api(`/attention?sample=${SAMPLE}&layer=2&views=curves`);
  const rows = await csv('#curves');
  assert.equal(rows.length, curves.reduce((sum, curve) => sum + curve.attention.length, 0));
  let at = 0;
  for (const curve of curves)
    curve.attention.forEach((attention, rank) => {
      const row = rows[at++];
      assert.equal(row[0], curve.dataset);
      assert.equal(Number(row[2]), rank + 1);
      close(Number(row[3]), attention);
      assert.equal(Number(row[5]), curve.sample[rank]);
    });
  const plot = page.locator('#curves .plot').first();
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  await page.mouse.move(box.x + 96, box.y + 60);
  await page.waitForSelector('.preview:not([hidden])');
  const shown = Number(await page.getAttribute('.preview', 'data-sample'));
  assert.ok(curves.some((curve) => curve.sample.includes(shown)));
  await page.mouse.move(5, 5);
});

test('charts have their numbers as a table', async () => {
  await page.click('#time details.numbers summary');
  await page.waitForSelector('#time details.numbers tbody tr'); // the browser tells of the opening later
  const {time} = await api(`/attention?sample=${SAMPLE}&layer=2&views=time`);
  const rows = await page.$$eval('#time details.numbers tbody tr', (trs) => trs.length);
  assert.equal(rows, time.first_steps.length);
});

test('totals by class and data set are the API’s, with mean over deviation', async () => {
  const {by_class: totals} = await api(`/attention?sample=${SAMPLE}&layer=2`);
  const rows = await csv('#classes');
  totals.forEach((total, i) => {
    close(Number(rows[i][3]), total.sum_abs);
    close(Number(rows[i][4]), total.sum_positive);
    close(Number(rows[i][5]), total.sum_negative);
  });
  const text = await page.textContent('#classes > p:last-child');
  for (const name of ['a', 'b']) {
    const sums = totals.filter((total) => total.dataset === name).map((total) => total.sum_abs);
    const mean = sums.reduce((x, y) => x + y) / sums.length;
    const ratio = mean / Math.sqrt(sums.reduce((x, y) => x + (y - mean) ** 2, 0) / sums.length);
    assert.ok(text.includes(`${ratio.toPrecision(3)} times their standard deviation`), `${text} has no ${ratio}`);
    const share = 100 * sums.reduce((x, y) => x + y) / totals.reduce((sum, total) => sum + total.sum_abs, 0);
    assert.ok(text.includes(`${name} has ${share.toFixed(1)}`), text);
  }
});

test('where attention and contributions come from stands beside the answer', async () => {
  const {by_class: totals, predicted} = await api(`/attention?sample=${SAMPLE}&layer=2`);
  const rows = await page.$$eval('.origins tbody tr', (trs) => trs.map((tr) => [tr.cells[0].textContent,
    parseFloat(tr.cells[1].textContent), Number(tr.cells[2].dataset.value)]));
  const all = totals.reduce((sum, total) => sum + total.sum_abs, 0);
  rows.forEach(([name, share, value], i) => {
    const mine = totals.filter((total) => total.dataset === 'ab'[i]);
    assert.equal(name, 'ab'[i]);
    assert.ok(Math.abs(share - 100 * mine.reduce((sum, total) => sum + total.sum_abs, 0) / all) < 0.06);
    close(value, mine.reduce((sum, total) => sum + total.contributions[predicted], 0));
  });
});

test('attention over time is the API’s, splits by data set, and the switch stands in it', async () => {
  const {time} = await api(`/attention?sample=${SAMPLE}&layer=2&views=time`);
  const rows = await csv('#time');
  assert.equal(rows.length, 8 * time.first_steps.length);
  rows.forEach((row, i) => {
    const bin = Math.floor(i / 8), number = i % 8;
    assert.equal(Number(row[0]), time.first_steps[bin]);
    close(Number(row[3]), time.sum_abs[number][bin]);
    close(Number(row[4]), time.sum_positive[number][bin]);
  });
  await choose(() => page.click('#time button:text-is("by data set")'));
  await panelsReady();
  assert.match(page.url(), /over=dataset/);
  await page.click('#time details.numbers summary');
  await page.waitForSelector('#time details.numbers tbody tr'); // the browser tells of the opening later
  const cells = await page.$$eval('#time details.numbers tbody tr', (trs) => trs.map((tr) =>
    [...tr.children].map((cell) => cell.textContent)));
  const sums = [0, 0].map((_, d) => time.first_steps.map((_, bin) =>
    time.sum_abs.slice(4 * d, 4 * d + 4).reduce((sum, list) => sum + list[bin], 0)));
  cells.forEach((cell, bin) => {
    assert.equal(cell.length, 3);
    for (const d of [0, 1]) close(Number(cell[1 + d]), sums[d][bin], 0.006);
  });
  const late = time.first_steps.findIndex((step) => step > 60); // nothing of the first data set after the switch
  assert.ok(sums[0].slice(late).every((sum) => sum === 0) && sums[1].slice(0, late - 1).every((sum) => sum === 0));
  assert.ok(sums[0][0] > 0 && sums[1].at(-1) > 0);
  await choose(() => page.click('#time button:text-is("positive")'));
  assert.match(page.url(), /of=positive/);
});

test('who taught which logit: by class, data set and time, every column sums to the correction', async () => {
  await open(`/r/${run}/q/${SAMPLE}`);
  const answer = await api(`/attention?sample=${SAMPLE}`);
  const matrix = () => page.$$eval('#matrix tbody tr', (trs) => trs.map((tr) =>
    [...tr.querySelectorAll('td')].map((cell) => Number(cell.dataset.value))));
  const check = async (rows) => {
    const values = await matrix();
    assert.equal(values.length, rows);
    answer.correction.forEach((correction, output) =>
      close(values.reduce((sum, row) => sum + row[output], 0), correction, 1e-4));
    return values;
  };
  const values = await check(8);
  values.forEach((row, number) => row.forEach((value, output) => close(value, answer.by_class[number].contributions[output])));
  await choose(() => page.click('#matrix button:text-is("by data set")'));
  await panelsReady();
  await check(2);
  await choose(() => page.click('#matrix button:text-is("by time")'));
  await panelsReady();
  await check(10);
  assert.match(page.url(), /taught=steps/);
});

test('how the answer was learned is the API’s, and the partial sums end at the logits', async () => {
  const {learning, logits, time} = await api(`/attention?sample=${SAMPLE}&views=learning,time`);
  const rows = await csv('#learning');
  const network = rows.filter((row) => row[0] === 'network');
  assert.equal(network.length, 4 * learning.steps.length);
  network.forEach((row, i) => {
    assert.equal(Number(row[1]), learning.steps[Math.floor(i / 4)]);
    close(Number(row[3]), learning.logits[Math.floor(i / 4)][i % 4]);
  });
  const sums = rows.filter((row) => row[0] === 'last_layer_partial_sum');
  assert.equal(sums.length, 4 * time.first_steps.length);
  assert.equal(Number(sums.at(-1)[1]), 130);
  sums.slice(-4).forEach((row, output) => close(Number(row[3]), logits[output], 1e-3));
  const text = await page.textContent('#learning > p');
  const step = (n) => n.toLocaleString('en-US');
  assert.ok(text.includes(step(learning.last_changed)) || learning.last_changed === 0, text);
});

test('all layers are shown at once, each as the API has it, and a click goes there', async () => {
  for (const layer of [1, 2, 3]) {
    const answer = await api(`/attention?sample=${SAMPLE}&layer=${layer}&k=5`);
    const multiple = page.locator(`.multiple[data-layer="${layer}"]`);
    assert.equal(await multiple.locator('.mini').count(), 5);
    const heights = await multiple.locator('.bars i').evaluateAll((bars) => bars.map((bar) => parseFloat(bar.style.height)));
    const most = Math.max(...answer.by_class.map((total) => total.sum_abs));
    answer.by_class.forEach((total, i) => close(heights[i], 100 * total.sum_abs / most, 1e-3));
  }
  await choose(() => page.click('#multiple-1'));
  assert.match(page.url(), /layer=1/);
});

test('another way to sum is another question to all layers', async () => {
  await choose(() => page.click('#spotlight .choice[aria-label="By"] button:text-is("sample")'));
  await panelsReady();
  const {spotlight} = await api(`/attention?sample=${SAMPLE}&layer=2&by=sample&k=5`);
  const images = await page.$$eval('.multiple[data-layer="2"] .mini', (list) => list.map((one) => one.title));
  spotlight.forEach((lit, i) => assert.ok(images[i].includes(`#${lit.sample.index}, score ${lit.score.toPrecision(3)}`), images[i]));
  await choose(() => page.click('#spotlight .choice[aria-label="By"] button:text-is("pattern")'));
});

test('totals per training image are the API’s, sorted', async () => {
  await panelsReady();
  const {samples} = await api(`/attention?sample=${SAMPLE}&layer=1&views=samples`);
  const rows = await csv('#totals');
  assert.equal(rows.length, samples.id.length);
  const byId = new Map(samples.id.map((id, i) => [id, i]));
  let before = Infinity;
  for (const row of rows) {
    const i = byId.get(Number(row[2]));
    assert.equal(Number(row[3]), samples.repetitions[i]);
    close(Number(row[6]), samples.score[i]);
    assert.ok(Number(row[6]) <= before);
    before = Number(row[6]);
  }
});

test('the wall lights every training image by its total; a cell shows and asks', async () => {
  const {samples} = await api(`/attention?sample=${SAMPLE}&layer=1&views=samples`);
  const mean = samples.score.reduce((x, y) => x + y) / samples.score.length;
  const deviation = Math.sqrt(samples.score.reduce((x, y) => x + (y - mean) ** 2, 0) / samples.score.length);
  const members = samples.id.filter((_, i) => samples.class[i] === 2);
  const lights = members.map((id) => Math.max(0, Math.min(1, (samples.score[samples.id.indexOf(id)] - mean) / deviation / 6)));
  const pixels = await page.$eval('.block[data-number="2"] canvas', (canvas) =>
    [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 === 0));
  const [dark, lit] = [0xf1, 0x7a]; // red of --cell and --lit in the light theme, which is the browser's
  lights.forEach((light, cell) => assert.ok(Math.abs(pixels[cell] - (dark + (lit - dark) * light)) <= 1.5));
  await choose(() => page.click('#wall button:text-is("8×")'));
  await panelsReady();
  const canvas = page.locator('.block[data-number="2"] canvas');
  await canvas.scrollIntoViewIfNeeded();
  await canvas.hover({position: {x: 4, y: 4}});
  await page.waitForSelector('.preview:not([hidden])');
  assert.equal(Number(await page.getAttribute('.preview', 'data-sample')), members[0]);
  await canvas.focus();
  await page.keyboard.press('ArrowRight');
  await choose(() => page.keyboard.press('Enter'));
  assert.match(page.url(), new RegExp(`/q/${nameOf(members[1])}\\?`));
});

test('what is common is told under each image', async () => {
  await open(`/r/${run}/q/${SAMPLE}`);
  await page.waitForSelector('#spotlight[data-common=known]');
  const {samples} = await api('/common?layer=3&rank=abs&by=pattern');
  const shares = new Map(samples.map(({id, share}) => [id, share]));
  const cards = await page.$$eval('.card', (list) => list.map((card) =>
    [Number(card.dataset.sample), Number(card.querySelector('.common').dataset.share)]));
  for (const [id, share] of cards) close(share, shares.get(id) ?? 0);
  // Of a hundred training images many are common: the page says so.
  const often = cards.slice(0, 10).filter(([, share]) => share >= 0.05).length;
  assert.equal((await page.textContent('.common-note')).length > 0, often > 5);
});

test('what a rank is called is not cut off on its cards', async () => {
  for (const name of ['lowered its loss', 'would be missed', 'would not be missed', 'argues for, all layers']) {
    await choose(() => page.click(`.choice[aria-label="Rank by"] button:text-is("${name}")`));
    const labels = await page.$$eval('#spotlight .line.named > .soft', (spans) =>
      spans.map((span) => ({text: span.textContent, cut: span.scrollWidth - span.clientWidth})));
    assert.ok(labels.length > 0);
    for (const label of labels)
      assert.deepEqual(label, {text: name, cut: 0});
  }
});

test('the rank by effect on the loss says what it is, and shows its score', async () => {
  await choose(() => page.click('button:text-is("lowered its loss")'));
  const {spotlight} = await api(`/attention?sample=${SAMPLE}&rank=proponents`);
  assert.deepEqual(await page.$$eval('.card', (cards) => cards.map((card) => Number(card.dataset.sample))),
    spotlight.map((lit) => lit.sample.id));
  assert.match(await page.textContent('.difference'), /first order, summed over all layers/);
  await choose(() => page.click('button:text-is("|attention|")'));
  assert.match(await page.textContent('.difference'), /Neither tells what retraining/);
});

test('parts of the memory are removed and put back, and the answer without them is the API’s', async () => {
  await open(`/r/${run}/q/${SAMPLE}`);
  await choose(() => page.selectOption('select[aria-label="Remove a data set"]', 'dataset:b'));
  await choose(() => page.selectOption('select[aria-label="Remove the top of the spotlight"]', 'top:5'));
  await page.fill('#remove-from', '3');
  await page.fill('#remove-to', '9');
  await choose(() => page.click('#remove-steps'));
  assert.match(page.url(), /remove=dataset:b,top:5,steps:3-9/);
  const check = async (remove) => {
    const {removed} = await api(`/attention?sample=${SAMPLE}&remove=${remove}`);
    const shown = await page.$$eval('.before-after .without', (cells) => cells.map((cell) => Number(cell.dataset.value)));
    shown.forEach((value, output) => close(value, removed.logits[output]));
    assert.match(await page.textContent('.without-result'), new RegExp(`${removed.patterns} of 910 patterns`));
    assert.match(await page.textContent('.without-result'), /read no probability out of them/);
  };
  await check('dataset:b,top:5,steps:3-9');
  await choose(() => page.click('button.term:has-text("first 5")'));
  await check('dataset:b,steps:3-9');
  await page.hover('.cards li:first-child');
  await choose(() => page.click('.cards li:first-child .take-out'));
  assert.match(page.url(), /sample:\d+/);
  await page.reload();
  await ready();
  await check(new URL(page.url()).searchParams.get('remove'));
});

test('removing nothing leaves the logits, removing everything the initial guess', async () => {
  const answer = await api(`/attention?sample=${SAMPLE}`);
  await open(`/r/${run}/q/${SAMPLE}`, '?remove=');
  const shown = () => page.$$eval('.before-after .without', (cells) => cells.map((cell) => Number(cell.dataset.value)));
  (await shown()).forEach((value, output) => close(value, answer.logits[output]));
  await choose(() => page.click('#remove-all'));
  const {removed} = await api(`/attention?sample=${SAMPLE}&remove=all`);
  assert.equal(removed.patterns, 910);
  (await shown()).forEach((value, output) => close(value, removed.logits[output]));
});

test('two samples are compared under the same controls, at an address of their own', async () => {
  await page.goto(`${origin}/r/${run}/q/${SAMPLE}`);
  await ready();
  await page.selectOption('select[aria-label="Compare"]', 'pick');
  await choose(() => page.click('.thumb:nth-child(3)'));
  assert.match(page.url(), /with=test\/\w+\/\d+/);
  const withId = new URL(page.url()).searchParams.get('with');
  const check = async (layer) => {
    for (const [side, id] of [['a', SAMPLE], ['b', withId]]) {
      const answer = await api(`/attention?sample=${id}&layer=${layer}`);
      assert.deepEqual(await page.$$eval(`[data-side="${side}"] .card`, (cards) => cards.map((card) =>
        [Number(card.dataset.sample), Number(card.dataset.attention)])),
      answer.spotlight.map((lit) => [lit.sample.id, lit.attention]));
    }
  };
  await check(3);
  await choose(() => page.click('#compare .choice[aria-label="Layer"] button:text-is("1")'));
  await check(1);
  await choose(() => page.click('#swap'));
  assert.match(page.url(), new RegExp(`/q/${withId}\\?.*with=${nameOf(SAMPLE)}`));
  await choose(() => page.click('#end-compare'));
  await page.waitForSelector('#answer .predicted');
});

test('the same sample is compared in two runs', async () => {
  await page.goto(`${origin}/r/${run}/q/${SAMPLE}`);
  await ready();
  await choose(() => page.selectOption('select[aria-label="Compare"]', {label: 'the same image in joint'}));
  assert.match(page.url(), new RegExp(`with=${other}/${nameOf(SAMPLE, other)}`));
  const theirs = await api(`/attention?sample=${SAMPLE}`, other);
  assert.equal((await page.$$('[data-side="b"] .card')).length, theirs.spotlight.length);
  assert.deepEqual(await page.$$eval('[data-side="b"] .card', (cards) => cards.map((card) => Number(card.dataset.attention))),
    theirs.spotlight.map((lit) => lit.attention));
  const sources = await page.$$eval('[data-side="b"] .card img', (images) => images.map((image) => image.getAttribute('src')));
  assert.ok(sources.every((source) => source.includes(other)));
});

test('an image of the other run is asked about there, and swapping takes what fits', async () => {
  const sample = Number(await page.$eval('[data-side="b"] .card', (card) => card.dataset.sample));
  await choose(() => page.click('[data-side="b"] .card'));
  assert.equal(new URL(page.url()).pathname, `/r/${other}/q/${nameOf(sample, other)}`);
  await page.goto(`${origin}/r/${run}/q/${SAMPLE}?layer=3&rank=logit:3&class=7&remove=class:3&with=${plain}/60`);
  await ready();
  assert.equal(await page.$$eval('[data-side="b"] .card', (cards) => cards.length), 20);
  assert.equal(await page.textContent('#compare-title'), 'Two samples side by side');
  await choose(() => page.click('#swap')); // the other run has one layer, three outputs and one data set
  const url = new URL(page.url());
  assert.equal(url.pathname, `/r/${plain}/q/${nameOf(60, plain)}`);
  assert.equal(url.searchParams.get('rank'), 'logit');
  for (const name of ['layer', 'class', 'remove']) assert.equal(url.searchParams.get(name), null);
  assert.equal(url.searchParams.get('with'), `${run}/${nameOf(SAMPLE)}`);
});

test('a drawing is of a data set, and cannot be swapped', async () => {
  const second = 84 + 40 + 3;
  await page.goto(`${origin}/r/${run}/q/${second}`);
  await ready();
  await page.click('#draw');
  await page.waitForSelector('dialog.draw[data-ready]');
  await page.click('#draw-from');
  const posted = page.waitForRequest((request) => request.method() === 'POST');
  await choose(() => page.click('#draw-ask'));
  assert.equal((await posted).postDataJSON().dataset, 'b');
  assert.equal(new URL(page.url()).searchParams.get('as'), 'b');
  assert.match(await page.textContent('.verdict'), /as an image of b/);
  const drawn = await page.$$eval('.logits tbody tr td:last-child', (cells) => cells.map((cell) => Number(cell.textContent.replace('−', '-'))));
  const pixels = decodePixels(new URL(page.url()).searchParams.get('pixels'), 36);
  const {logits} = await (await fetch(`${origin}/api/v1/runs/${run}/attention`, {method: 'POST',
    headers: {'Content-Type': 'application/json'}, body: JSON.stringify({pixels, dataset: 'b'})})).json();
  drawn.forEach((logit, output) => assert.ok(Math.abs(logit - logits[output]) < 0.006, `${drawn} is not ${logits}`));
  assert.equal(await page.$('select[aria-label="Compare"]'), null);
});

test('picking ends with another view, and a suspect is asked about by itself', async () => {
  await page.goto(`${origin}/r/${run}/q/${SAMPLE}`);
  await ready();
  await page.selectOption('select[aria-label="Compare"]', 'pick');
  await choose(() => page.selectOption('#filter-correct', 'correct=true')); // a filter may help to find it
  assert.notEqual(await page.getAttribute('body', 'data-picking'), null);
  await choose(() => page.click('#show-suspects'));
  await choose(() => page.click('#suspect-2'));
  assert.equal(new URL(page.url()).searchParams.get('with'), null);
  assert.equal(await page.getAttribute('body', 'data-mode'), 'query');
});

test('labels are filtered within a data set, also where outputs are separate', async () => {
  await page.goto(`${origin}/r/${separate}/q/${SAMPLE}`);
  await ready();
  const {outputs} = await api('', separate);
  assert.deepEqual(outputs, ['a', 'b'].flatMap((name) => [0, 1, 2, 3].map((label) => `${label} (${name})`)));
  await choose(() => page.selectOption('#filter-dataset', 'b'));
  await choose(() => page.selectOption('#filter-label', {label: '3'}));
  const {total} = await api('/samples?split=test&dataset=b&label=3', separate);
  await page.waitForFunction((n) => document.querySelector('#total').textContent === String(n), total);
  assert.ok(total > 0);
});

test('suspicious labels are listed as the API ranks them, and one can be asked about', async () => {
  await page.goto(`${origin}/r/${other}`);
  await ready();
  await choose(() => page.click('#show-suspects'));
  assert.equal(new URL(page.url()).pathname, `/r/${other}/suspects`);
  const {suspects, auc, total} = await api('/suspects?limit=60', other);
  assert.deepEqual(await page.$$eval('.suspect', (cards) => cards.map((card) => [Number(card.dataset.sample), Number(card.dataset.score)])),
    suspects.map((one) => [one.sample.id, one.score]));
  assert.ok((await page.textContent('.auc')).includes(auc.score.toFixed(3)));
  for (let shown = suspects.length; shown < total; shown += 60) {
    await page.click('#more-suspects');
    await page.waitForFunction((n) => document.querySelectorAll('.suspect').length >= n, Math.min(total, shown + 60));
  }
  await page.waitForFunction((n) => document.querySelectorAll('.suspect').length === n, total);
  const rows = await csv('#suspects');
  assert.equal(rows.length, total);
  close(Number(rows[0][11]), suspects[0].score);
  await choose(() => page.click('#suspect-1'));
  assert.match(page.url(), new RegExp(`/q/${nameOf(suspects[0].sample.id)}`));
});

test('addresses that cannot be fall back with a notice', async () => {
  for (const [query, says] of [['?remove=class:99', 'remove is a list of'], ['?with=99999', 'with is a sample'],
    ['?over=month', 'over is class or dataset'], ['?zoom=9', 'zoom is 1 to 8'], ['?rank=effect:9', 'rank is'],
    ['?taught=me', 'taught is class'],
    ['?remove=sample:61', 'remove is a list of']]) {
    await page.goto(`${origin}/r/${run}/q/${SAMPLE}${query}`);
    await ready();
    assert.ok((await page.textContent('#notices')).includes(says), query);
    assert.equal(new URL(page.url()).search, '');
  }
});

test('axe finds nothing wrong in the panels, the comparison and the suspects', async () => {
  for (const colorScheme of ['dark', 'light']) {
    const at = await newPage(undefined, {colorScheme, bypassCSP: true});
    for (const address of [`/r/${run}/q/${SAMPLE}?remove=top:5`, `/r/${run}/q/${SAMPLE}?with=68`, `/r/${other}/suspects`]) {
      await at.goto(origin + address);
      await (address.includes('remove') ? panelsReady(at) : ready(at));
      await at.addScriptTag({content: axeSource});
      const {violations} = await at.evaluate(() => window.axe.run());
      assert.deepEqual(violations.map((violation) => [violation.id, violation.nodes[0].html.slice(0, 200)]), [], address);
    }
    await at.context().close();
  }
});

test('nothing was wrong on the console', async () => {
  assert.deepEqual(problems, []);
});

await runAll(() => {
  execFileSync('/usr/bin/python3', ['-c', 'import sys; sys.path.insert(0, sys.argv[1]); import made_data\n' +
    'made_data.idx(sys.argv[2] + "/a", 1); made_data.idx(sys.argv[2] + "/b", 2, train=40); ' +
    'made_data.idx(sys.argv[2] + "/c", 3, classes=3)',
  path.join(root, 'tests/lib'), folder]);
  const both = ['--data', `a=${folder}/a`, '--data', `b=${folder}/b`, '--steps', '130', '--batch', '7', '--lr', '0.03',
    '--clip', '1', '--hidden', '14,10'];
  return [train('continual', ...both, '--schedule', 'sequential', '--switch', '60', '--name', 'continual'),
    train('joint', ...both, '--label-noise', '0.1', '--name', 'joint'),
    train('separate', ...both, '--heads', 'separate', '--name', 'separate'),
    train('plain', '--data', `c=${folder}/c`, '--steps', '20', '--batch', '7', '--hidden', 'none', '--name', 'plain')];
}, (world) => {
  ({origin, page} = world);
  [run, other, separate, plain] = world.runs;
});
