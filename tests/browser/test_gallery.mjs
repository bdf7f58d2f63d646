// The gallery: any of many samples at once, in an order, found by name, chosen by what is called what. Prints TAP.
import assert from 'node:assert/strict';
import path from 'node:path';
import {execFileSync} from 'node:child_process';
import {api, axeSource, choose, folder, idAt, problems, ready, root, run as runAll, test, train, world} from '../lib/browser.mjs';

let page, run, files;

const open = async (where, id = run) => {
  await page.goto(`${world.origin}/r/${id}${where}`);
  await ready();
};
/** What stands in sight, by position. */
const inSight = () => page.$$eval('button.thumb', (all) => {
  const {top, bottom} = document.querySelector('#gallery').getBoundingClientRect();
  return all.filter((one) => one.getBoundingClientRect().bottom > top && one.getBoundingClientRect().top < bottom)
    .map(({dataset}) => [Number(dataset.position), Number(dataset.sample)]);
});
const settled = () => page.waitForFunction(() => document.querySelector('button.thumb') && !document.querySelector('.thumb.coming'));

test('a link to a sample far down shows and marks it, and only what can be seen exists', async () => {
  await open('/q/train/strokes/4321?split=train');
  await page.waitForSelector('.thumb[aria-current]');
  await settled();
  const [position] = (await inSight()).find(([, sample]) => sample === 4321);
  assert.equal(position, 4321);
  assert.ok((await page.$$('.thumb')).length < 300);
  assert.equal(await page.textContent('#total'), '6,000');
});

test('any place is scrolled to at once, and shows what is there', async () => {
  for (const share of [0.5, 1, 0, 0.83]) {
    await page.$eval('#gallery', (gallery, to) => gallery.scrollTo(0, to * (gallery.scrollHeight - gallery.clientHeight)), share);
    await page.waitForTimeout(100);
    await settled();
    const shown = await inSight();
    assert.ok(shown.length >= 20);
    for (const [position, sample] of shown) assert.equal(sample, position); // of the training split, as stored
    assert.ok(Math.abs(shown[0][0] - share * 6000) < 150, `${share}: ${shown[0][0]}`);
  }
});

test('every order is that of the API, and its neighbours are those of previous and next', async () => {
  for (const sort of ['least-sure', 'most-sure', 'loss', 'margin']) {
    const {samples} = await api(`/samples?split=test&sort=${sort}&limit=40`);
    await open(`/q/test/strokes/${samples[0].index}?split=test&sort=${sort}`);
    await settled();
    await page.waitForFunction((first) => document.querySelector('[data-position="0"]')?.dataset.sample === String(first), samples[0].id);
    for (let i = 0; i < 12; i++) assert.equal(await page.getAttribute(`[data-position="${i}"]`, 'data-sample'), String(samples[i].id));
    await choose(() => page.click('[data-position="3"]'));
    await choose(() => page.click('#next'));
    assert.equal(await page.getAttribute('.thumb[aria-current]', 'data-position'), '4');
    await choose(() => page.click('#previous'));
    assert.equal(await page.getAttribute('.thumb[aria-current]', 'data-position'), '3');
  }
});

test('the keys go through all of it', async () => {
  await open('/q/train/strokes/7?split=train');
  await page.waitForSelector('.thumb[aria-current]');
  await page.focus('.thumb[aria-current]');
  const focused = () => page.evaluate(() => Number(document.activeElement.dataset.position));
  const press = async (key, to) => {
    await page.keyboard.press(key);
    await page.waitForFunction((n) => Number(document.activeElement.dataset.position) === n, to);
  };
  await press('ArrowRight', 8);
  await press('ArrowDown', 13);
  await press('End', 5999);
  await press('ArrowLeft', 5998);
  await press('Home', 0);
  await page.keyboard.press('PageDown');
  await page.waitForFunction(() => Number(document.activeElement.dataset.position) > 30);
  assert.ok(await focused() < 200);
  const here = await focused();
  await choose(() => page.keyboard.press('Enter'));
  assert.match(page.url(), new RegExp(`/train/strokes/${here}\\?`));
  await page.waitForFunction((n) => document.activeElement.dataset.position === String(n), here);
});

test('what a press will show is asked for before it is a click, and once', async () => {
  const asked = [], note = (request) => request.url().includes('/strips?') && asked.push(request.url());
  page.on('request', note);
  const seen = await inSight(), [[, id], , , [, other]] = seen.slice(seen.length >> 1), {x, y} = await page.locator(`button.thumb[data-sample="${id}"]`).boundingBox();
  await page.mouse.move(x + 5, y + 5);
  await page.mouse.down();
  await page.waitForTimeout(100); // a press takes as long
  assert.equal(asked.length, 1);
  assert.ok(asked[0].endsWith(`sample=${id}`), asked[0]);
  await choose(() => page.mouse.up());
  assert.equal(idAt(), id);
  assert.equal(asked.length, 1, 'it was asked again');
  const there = await page.locator(`button.thumb[data-sample="${other}"]`).boundingBox(), url = page.url();
  await page.mouse.move(there.x + 5, there.y + 5);
  await page.mouse.down();
  await page.mouse.move(5, 5); // it becomes no click
  await page.mouse.up();
  assert.equal(page.url(), url);
  await choose(() => page.keyboard.press('n'));
  assert.equal(asked.length, 3, 'another sample was answered with what was asked for this one');
  page.off('request', note);
});

test('a cell of the confusion matrix shows its samples', async () => {
  await open('/q/test/strokes/3');
  await page.click('#confusion');
  await page.waitForSelector('.confusion');
  const {confusions} = await api('/confusion?split=test');
  const cells = await page.$$eval('.confusion button', (all) => all.map(({dataset, textContent}) => ({target: +dataset.target, predicted: +dataset.predicted, samples: +textContent})));
  assert.deepEqual(cells, confusions);
  await page.evaluate(axeSource);
  const {violations} = await page.evaluate(() => window.axe.run({runOnly: ['wcag2a', 'wcag2aa']}));
  assert.deepEqual(violations.map(({id, nodes}) => [id, nodes[0].html]), []);
  const cell = confusions.find(({target, predicted}) => target !== predicted);
  await choose(() => page.click(`.confusion [data-target="${cell.target}"][data-predicted="${cell.predicted}"]`));
  assert.match(page.url(), new RegExp(`label=${cell.target}&predicted=${cell.predicted}`));
  await page.waitForFunction((n) => document.querySelector('#total').textContent === String(n), cell.samples);
});

test('samples are found by a piece of their file’s name, or their number', async () => {
  await open('', files);
  await page.fill('#jump', 'ODD');
  await choose(() => page.press('#jump', 'Enter'));
  assert.match(page.url(), /name=ODD/);
  const {samples, total} = await api('/samples?split=test&name=odd', files);
  assert.ok(total > 0 && samples.every((sample) => sample.path.includes('odd')));
  await page.waitForFunction((n) => document.querySelector('#total').textContent === String(n), total);
  await settled();
  assert.deepEqual(await page.$$eval('button.thumb', (all) => all.map(({dataset}) => Number(dataset.sample))), samples.map(({id}) => id));
  await page.fill('#jump', '#2');
  await choose(() => page.press('#jump', 'Enter'));
  assert.match(page.url(), /\/test\/lines\/2/);
  assert.doesNotMatch(page.url(), /name=/); // the search is over
  await page.fill('#jump', 'train/lines/5'); // as the page itself calls it
  await choose(() => page.press('#jump', 'Enter'));
  assert.match(page.url(), /\/train\/lines\/5/);
  const before = page.url();
  await page.fill('#jump', '99999');
  await page.press('#jump', 'Enter');
  await page.waitForFunction(() => /has samples 0 to/.test(document.querySelector('#notices').textContent));
  assert.equal(page.url(), before);
});

test('single keys do what is done often, are listed, and can be switched off', async () => {
  await open('/q/test/strokes/30');
  await choose(() => page.keyboard.press('n'));
  assert.match(page.url(), /\/test\/strokes\/31/);
  await page.waitForFunction(() => /called/.test(document.querySelector('#said').textContent));
  assert.match(await page.textContent('#said'), /^test\/strokes\/31: called \d, \d+\u00a0%/);
  await choose(() => page.keyboard.press('p'));
  assert.match(page.url(), /\/test\/strokes\/30/);
  await choose(() => page.keyboard.press('l'));
  assert.match(page.url(), /layer=1/);
  await choose(() => page.keyboard.press('r'));
  assert.match(page.url(), /rank=positive/);
  await choose(() => page.keyboard.press('b'));
  assert.match(page.url(), /by=sample/);
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme), before = await theme();
  await page.keyboard.press('t');
  assert.notEqual(await theme(), before);
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'jump');
  await page.keyboard.press('n');
  assert.equal(await page.inputValue('#jump'), 'n'); // letters are letters there
  await page.fill('#jump', '');
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('?');
  await page.waitForSelector('.keys');
  const listed = await page.$$eval('.keys kbd', (all) => all.map((one) => one.textContent));
  for (const key of ['n', 'p', 'l', 'r', 'b', 't', 's', '/', '?']) assert.ok(listed.includes(key), key);
  await page.click('#keys-on');
  await page.keyboard.press('Escape');
  const url = page.url();
  await page.keyboard.press('n');
  await page.waitForTimeout(200);
  assert.equal(page.url(), url);
  await page.click('#help');
  await page.click('#keys-on');
  await page.keyboard.press('Escape');
});

test('nothing is wider than a small phone, and all of it has names', async () => {
  for (const width of [320, 1440]) {
    await page.setViewportSize({width, height: 640});
    await open('/q/test/strokes/3?sort=loss');
    await settled();
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), String(width));
    await page.evaluate(axeSource);
    const {violations} = await page.evaluate(() => window.axe.run({runOnly: ['wcag2a', 'wcag2aa']}));
    assert.deepEqual(violations.map(({id, nodes}) => [id, nodes[0].html]), []);
  }
  await page.setViewportSize({width: 1440, height: 900});
});

test('scrolling through all of them leaves only what can be seen', async () => {
  await open('/q/train/strokes/0?split=train');
  await settled();
  const {frames, most} = await page.evaluate(() => new Promise((end) => {
    const gallery = document.querySelector('#gallery'), begin = performance.now(), height = gallery.scrollHeight;
    let frames = 0, most = 0, last = begin;
    const step = () => {
      const now = performance.now();
      most = Math.max(most, now - last);
      last = now;
      frames++;
      gallery.scrollTop = (now - begin) / 1500 * height;
      if (now - begin < 1500) requestAnimationFrame(step);
      else end({frames, most});
    };
    requestAnimationFrame(step);
  }));
  console.log(`# ${(frames / 1.5).toFixed(0)} frames a second, the longest ${most.toFixed(0)} ms`);
  assert.ok((await page.$$('.thumb')).length < 300);
});

test('where the vote differs from the answer is counted once, and then filters', async () => {
  await open('/q/test/strokes/5');
  await choose(() => page.selectOption('#filter-correct', 'vote=differs'));
  assert.match(page.url(), /vote=differs/);
  await page.waitForSelector('#votes-button');
  await page.click('#votes-button');
  await page.waitForFunction(() => document.querySelector('.thumb') || /No sample matches/.test(document.querySelector('#gallery').textContent));
  const {answer} = await api('/votes');
  assert.equal(await page.textContent('#total'), String(answer.differing.length));
  await settled();
  assert.deepEqual((await inSight()).map(([, sample]) => sample).slice(0, 5), answer.differing.slice(0, 5).map(({sample}) => sample));
  await choose(() => page.selectOption('#filter-correct', 'correct=false'));
  assert.ok(!page.url().includes('vote') && page.url().includes('correct=false'));
});

test('the map has every sample, rings what is asked about and what is lit, and a click on a point asks about it', async () => {
  await open('/q/test/strokes/5');
  await page.locator('#panels').scrollIntoViewIfNeeded();
  await page.waitForSelector('#map canvas');
  await page.locator('#map canvas').scrollIntoViewIfNeeded();
  const map = await api('/map'), label = await page.getAttribute('#map canvas', 'aria-label');
  assert.match(label, new RegExp(`A map of ${map.x.length.toLocaleString('en')} samples: the one that is asked about, and 20 that are lit`));
  const colours = () => page.$eval('#map canvas', (canvas) => {
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height), seen = new Set();
    let drawn = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i + 3]) {
      drawn++;
      seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
    }
    return {drawn, colours: seen.size};
  });
  const whole = await colours();
  assert.ok(whole.drawn > 2000 && whole.colours > 10, JSON.stringify(whole));
  await page.click('#map-in');
  await page.click('#map-in');
  const {width, height} = await page.locator('#map canvas').boundingBox();
  // What is asked about is now in the middle: the nearest other point is found as the page finds it.
  const [low, high] = [Math.min, Math.max].map((of) => ({x: map.x.reduce((a, b) => of(a, b)), y: map.y.reduce((a, b) => of(a, b))}));
  const half = Math.max(high.x - low.x, high.y - low.y) / 2, asked = world.details[0].datasets[0].splits.test.first_sample + 5;
  const scale = 1.6 * 1.6 * (Math.min(width, height) / 2 - 14) / half;
  const at = (i) => [width / 2 + (map.x[i] - map.x[asked]) * scale, height / 2 - (map.y[i] - map.y[asked]) * scale];
  const far = map.x.map((_, i) => i).filter((i) => Math.hypot(at(i)[0] - width / 2, at(i)[1] - height / 2) > 60)
    .find((i) => at(i)[0] > 20 && at(i)[1] > 20 && at(i)[0] < width - 60 && at(i)[1] < height - 20);
  await choose(() => page.click('#map canvas', {position: {x: at(far)[0], y: at(far)[1]}}));
  const shown = await page.evaluate(() => location.pathname.split('/q/')[1]);
  const [, split, , index] = /(\w+)\/(\w+)\/(\d+)/.exec(shown), id = world.details[0].datasets[0].splits[split].first_sample + Number(index);
  assert.ok(Math.hypot(at(id)[0] - at(far)[0], at(id)[1] - at(far)[1]) < 2, `${id} instead of ${far}`);
  await page.evaluate(axeSource);
  const {violations} = await page.evaluate(() => globalThis.axe.run('#map'));
  assert.deepEqual(violations.map(({id: rule}) => rule), []);
});

test('keys go over the map from one sample to the next, tell which, and ask about it', async () => {
  await open('/q/test/strokes/5');
  await page.locator('#panels').scrollIntoViewIfNeeded();
  await page.locator('#map-points').focus();
  const map = await api('/map'), seen = [];
  for (const [key, axis, sign] of [['ArrowRight', 'x', 1], ['ArrowUp', 'y', 1], ['ArrowLeft', 'x', -1], ['ArrowDown', 'y', -1]]) {
    const before = seen.at(-1) ?? world.details[0].datasets[0].splits.test.first_sample + 5;
    await page.keyboard.press(key);
    const sample = Number(await page.getAttribute('.preview:not([hidden])', 'data-sample'));
    if (sample === before) continue; // where the map ends
    assert.ok(sign * (map[axis][sample] - map[axis][before]) > 0, `${key}: ${before} to ${sample}`);
    seen.push(sample);
  }
  assert.ok(seen.length >= 3, String(seen));
  for (const type of ['mousemove', 'mouseleave']) // a pointer at rest, under which the page moves
    await page.dispatchEvent('#map-points', type, {movementX: 0, movementY: 0});
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  assert.equal(Number(await page.getAttribute('.preview:not([hidden])', 'data-sample')), seen.at(-1));
  const told = /^(\w+)\/strokes\/(\d+), /.exec(await page.textContent('#said'));
  assert.equal(world.details[0].datasets[0].splits[told[1]].first_sample + Number(told[2]), seen.at(-1));
  await choose(() => page.keyboard.press('Enter'));
  assert.ok(page.url().includes(`/q/${told[1]}/strokes/${told[2]}`), page.url());
});

test('nothing was wrong on the console', async () => {
  assert.deepEqual(problems, []);
});

await runAll(() => {
  const images = path.join(folder, 'lines');
  execFileSync('/usr/bin/python3', ['-c', `import sys, os
sys.path.insert(0, sys.argv[1])
import numpy as np, made_data
for label in range(2):
    os.makedirs(os.path.join(sys.argv[2], str(label)), exist_ok=True)
    for i in range(24):
        pixels = np.zeros((12, 12), np.uint8)
        pixels[(i + 6 * label) % 12] = 255 - i
        made_data.png(os.path.join(sys.argv[2], str(label), f'{"odd" if i % 2 else "even"}-{i}.png'), pixels)`, path.join(root, 'tests/lib'), images]);
  return [train('strokes', '--data', 'strokes', '--hidden', '24', '--steps', '40', '--batch', '32', '--lr', '0.02'),
    train('lines', '--data', `lines=${images}`, '--hidden', '8', '--steps', '20', '--batch', '8', '--lr', '0.02')];
}, () => {
  ({page} = world);
  [run, files] = world.runs;
});
