// What can be taken away and brought along: figures, numbers, code, one file, links, pictures of one's own. Prints TAP.
import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import assert from 'node:assert/strict';
import {api, axeSource, choose, folder, keylight, newPage, panelsReady, problems, ready, root, run as runAll, test, train, world}
  from '../lib/browser.mjs';

let origin, page, run, text, colour, colourFile;
const PANELS = ['classes', 'curves', 'time', 'matrix', 'learning', 'layers', 'totals', 'wall'];
const TEXT_PANELS = ['by-token', 'along', 'text-time', 'strongest', 'text-learning', 'heat'];

/** Makes a PNG of a function of x and y that gives [red, green, blue]. */
function png(name, width, height, colourAt) {
  const file = path.join(folder, name);
  const rows = JSON.stringify(Array.from({length: height}, (_, y) => Array.from({length: width}, (_, x) => colourAt(x, y))));
  execFileSync('/usr/bin/python3', ['-c', `
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np, made_data
made_data.png(sys.argv[2], np.array(json.load(sys.stdin), np.uint8))`, path.join(root, 'tests/lib'), file], {input: rows});
  return file;
}

async function open(of, query = '') {
  await page.goto(`${origin}/r/${of}/q/${query}`);
  await panelsReady();
}

/** Opens what a section offers. */
async function take(section) {
  await page.click(`#${section} .take-away`);
  await page.waitForSelector('dialog.take');
  return page.locator('dialog.take');
}

async function download(click) {
  const [file] = await Promise.all([page.waitForEvent('download'), click()]);
  return {name: file.suggestedFilename(), bytes: readFileSync(await file.path())};
}

test('every view is offered as figure, numbers and code, and its figures open', async () => {
  for (const [of, query, sections] of [[run, 'test/strokes/4', ['answer', 'strips', 'spotlight', ...PANELS]],
    [text, 'train/tale/60', ['answer', 'strips', 'spotlight', ...TEXT_PANELS]]]) {
    await open(of, query);
    for (const section of sections) {
      const dialog = await take(section);
      const names = await dialog.locator('[data-save]').evaluateAll((links) => links.map((link) => link.dataset.save));
      assert.ok(['svg', 'png'].every((end) => names.some((name) => name.endsWith(`.${end}`))), `${section}: ${names}`);
      assert.deepEqual(await dialog.locator('[data-code]').evaluateAll((codes) => codes.map((code) => code.dataset.code)), ['curl', 'command', 'Python']);
      for (const link of await dialog.locator('a[data-save]').all()) {
        const response = await fetch(await link.evaluate((anchor) => anchor.href));
        assert.equal(response.status, 200, `${section} ${link}`);
        const type = response.headers.get('Content-Type');
        assert.match(type, {svg: /svg/, png: /png/, json: /json/}[(await link.getAttribute('data-save')).split('.').pop()]);
      }
      await page.keyboard.press('Escape');
      await page.waitForSelector('dialog.take', {state: 'detached'});
    }
  }
});

test('the code runs as it stands, and says what the page shows', async () => {
  for (const [of, query, sections] of [[run, 'test/strokes/4?layer=1&rank=logit:3&by=sample', ['answer', 'strips', 'spotlight', 'time', 'wall']],
    [text, 'train/tale/60', ['strips', 'spotlight', 'heat']]]) {
    await open(of, query);
    for (const section of sections) {
      const dialog = await take(section);
      const code = Object.fromEntries(await dialog.locator('[data-code]').evaluateAll((codes) => codes.map((one) => [one.dataset.code, one.textContent])));
      const url = await dialog.locator('a[data-save$=".json"]').evaluate((anchor) => anchor.href);
      const expected = await (await fetch(url)).json();
      const got = JSON.parse(execFileSync('sh', ['-c', `${code.curl} --silent`], {encoding: 'utf8'}));
      for (const one of [expected, got]) for (const name of ['timing_ms', 'scan_ms']) delete one[name];
      assert.deepEqual(got, expected, section);
      const printed = execFileSync('/usr/bin/python3', ['-c', code.Python], {encoding: 'utf8'});
      for (const name of Object.keys(expected)) assert.ok(printed.includes(`'${name}'`), `${section}: ${printed}`);
      const figure = /--output (\S+)/.exec(code.command)?.[1];
      const said = execFileSync('sh', ['-c', code.command.replace(/^keylight/, keylight)], {cwd: folder, encoding: 'utf8'});
      if (figure) {
        assert.ok(existsSync(path.join(folder, figure)));
        execFileSync('rm', [path.join(folder, figure)]);
      } else if (section === 'spotlight') {
        const found = JSON.parse(said);
        assert.deepEqual(found.spotlight ?? found.passages, expected.spotlight ?? expected.passages);
      }
      await page.keyboard.press('Escape');
      await page.waitForSelector('dialog.take', {state: 'detached'});
    }
  }
});

test('axes have titles on the page', async () => {
  await open(run, 'test/strokes/4');
  for (const id of ['curves', 'time', 'totals', 'learning']) {
    // The titles are drawn on a canvas: there must be room for them beside the ticks (46 px) and under them (26 px).
    const room = await page.$eval(`#${id} .u-over`, (over) => [parseFloat(over.style.left), over.parentElement.clientHeight - over.clientHeight]);
    assert.ok(room[0] >= 60 && (id === 'curves' || room[1] >= 40), `${id}: ${room}`);
  }
});

test('the view is saved as one file that opens without a server', async () => {
  await page.goto(`${origin}/`); // from where the page goes on to an address further down
  await panelsReady();
  await choose(() => page.click('#next'));
  await panelsReady();
  const strips = (await api(`/strips?sample=${/\/q\/(.*)$/.exec(page.url())[1]}`)).strips;
  await page.click('#share');
  const {name, bytes} = await download(() => page.click('#share-save'));
  await page.keyboard.press('Escape');
  assert.match(name, /^[\w.-]+\.html$/);
  const file = path.join(folder, 'saved.html');
  writeFileSync(file, bytes);
  const context = await world.browser.newContext({javaScriptEnabled: false, offline: true, viewport: {width: 1440, height: 900}});
  const saved = await context.newPage();
  const asked = [];
  saved.on('request', (request) => asked.push(request.url().slice(0, 40)));
  await saved.goto(`file://${file}`);
  assert.equal(await saved.$eval('.strip-cards', (list) => getComputedStyle(list).display), 'grid');
  for (const strip of strips) {
    assert.equal(await saved.textContent(`#strip-${strip.id} h3`), strip.title);
    assert.equal(await saved.textContent(`#strip-${strip.id} > p`), strip.sentence);
    assert.equal(await saved.locator(`#strip-${strip.id} img`).count(), strip.cards.length);
  }
  const pictures = await saved.$$eval('img', (images) => images.map((image) => [image.src.slice(0, 10), image.complete && image.naturalWidth > 0]));
  assert.ok(pictures.length > 60 && pictures.every(([source, whole]) => source === 'data:image' && whole), JSON.stringify(pictures.find(([, whole]) => !whole)));
  assert.ok((await saved.locator('#time details tbody tr').count()) > 10, 'numbers behind the charts');
  assert.ok((await saved.textContent('body')).includes(page.url()));
  assert.equal(await saved.locator('script, select').count(), 0);
  assert.ok((await saved.textContent('#header')).includes(await page.$eval('#header select', ({selectedOptions}) => selectedOptions[0].text)));
  assert.deepEqual(asked.filter((url) => !url.startsWith('file:') && !url.startsWith('data:')), []);
  await context.close();
});

test('where nothing can be copied, what to copy stands selected in the dialog', async () => {
  await open(run, 'test/strokes/4');
  await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true}));
  await page.click('#share');
  await page.click('#share-copy');
  assert.match(await page.textContent('dialog.share [role="status"]'), /does not let this page copy/);
  assert.equal(await page.evaluate(() => getSelection().toString() || document.activeElement.value), page.url());
  await page.keyboard.press('Escape');
  const dialog = await take('spotlight');
  const shown = await dialog.locator('[data-code="curl"]').textContent();
  await dialog.locator('button[aria-label="Copy the curl"]').click();
  assert.match(await dialog.locator('[role="status"]').textContent(), /does not let this page copy/);
  assert.equal(await page.evaluate(() => getSelection().toString()), shown);
  await page.reload();
  await panelsReady();
});

test('a figure is of what the page shows', async () => {
  for (const [query, section, figure, rank] of [['of=negative&rank=against', 'time', 'time', 'negative'], ['taught=steps&rank=against', 'matrix', 'matrix-steps', null]]) {
    await open(run, `test/strokes/4?${query}`);
    const dialog = await take(section), command = await dialog.locator('[data-code="command"]').textContent();
    const url = new URL(await dialog.locator('a[data-save$=".svg"]').evaluate((anchor) => anchor.href));
    assert.ok(url.pathname.endsWith(`/figures/${figure}.svg`), url.href);
    assert.ok(command.includes(`--view ${figure} `) && (rank === null ? !command.includes('--rank') : command.includes(`--rank ${rank}`)), command);
    assert.equal(url.searchParams.get('rank'), rank ?? 'abs');
    assert.ok(command.startsWith('keylight figure strokes.keylight '), command);
    await page.keyboard.press('Escape');
  }
});

test('the card of a view is downloaded, and is what the link previews', async () => {
  await open(run, 'test/strokes/4');
  await page.click('#share');
  const {bytes} = await download(() => page.click('dialog.share [data-save$="card.png"]'));
  assert.equal(bytes.readUInt32BE(16), 1200);
  assert.equal(bytes.readUInt32BE(20), 630);
  await page.keyboard.press('Escape');
  const content = await (await fetch(page.url())).text();
  const image = new URL(/property="og:image" content="([^"]+)"/.exec(content)[1], page.url());
  assert.deepEqual(Buffer.from(await (await fetch(image)).arrayBuffer()), bytes);
});

test('old addresses still open, and get the sample’s name', async () => {
  await open(run, '6004?layer=1');
  assert.equal(new URL(page.url()).pathname, `/r/${run}/q/test/strokes/4`);
  await page.goto(`${origin}/r/${run}/q/6004?with=6005`);
  await ready();
  assert.equal(new URL(page.url()).searchParams.get('with'), 'test/strokes/5');
  await page.goto(`${origin}/r/${run}/q/test/strokes/99999`);
  await ready();
  assert.match(await page.textContent('#notices'), /no sample test\/strokes\/99999/);
});

const subjectPixels = (at = page) => at.$eval('canvas.subject', (canvas) => [...canvas.getContext('2d')
  .getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 === 0));

test('a picture of one’s own is fitted to the training images, asked about, and in the link', async () => {
  await open(run, 'test/strokes/4');
  await page.click('#draw');
  await page.waitForSelector('dialog.draw[data-ready]');
  // 56 x 56, a light bar on dark, to be halved: each pixel is the mean of four
  await page.setInputFiles('#draw-file', png('bar.png', 56, 56, (x, y) => Array(3).fill(x >= 20 && x < 31 && y > 8 && y < 48 ? 240 : 8)));
  await page.waitForFunction(() => /as the network gets it/.test(document.querySelector('#draw-hint').textContent));
  assert.doesNotMatch(await page.textContent('#draw-hint'), /exchanged/);
  await choose(() => page.click('#draw-ask'));
  const pixels = await subjectPixels();
  assert.equal(pixels[14 * 28 + 12], 240);
  assert.equal(pixels[14 * 28 + 15], 124, 'half covered: the mean');
  assert.equal(pixels[0], 8);
  const response = await fetch(`${origin}/api/v1/runs/${run}/strips`, {method: 'POST', headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({pixels})});
  const {strips} = await response.json();
  assert.deepEqual(await page.$$eval('#strip-for .strip-card', (cards) => cards.map((card) => Number(card.dataset.sample))),
    strips[1].cards.map((card) => card.sample.id));
  const other = await newPage();
  await other.goto(page.url());
  await ready(other);
  assert.deepEqual(await subjectPixels(other), pixels, 'the link has it to the last bit');
  await other.context().close();
});

test('a dark picture on light is turned round where the training images are light on dark, and that is said', async () => {
  await open(run, 'test/strokes/4');
  await page.click('#draw');
  await page.waitForSelector('dialog.draw[data-ready]');
  await page.setInputFiles('#draw-file', png('ink.png', 28, 28, (x, y) => Array(3).fill(x >= 10 && x < 16 && y > 4 && y < 24 ? 5 : 250)));
  await page.waitForFunction(() => /dark and light are exchanged/.test(document.querySelector('#draw-hint').textContent));
  await choose(() => page.click('#draw-ask'));
  assert.equal((await subjectPixels())[14 * 28 + 12], 250);
});

test('pictures can be dropped and pasted anywhere', async () => {
  const bytes = [...readFileSync(png('dropped.png', 28, 28, (x) => Array(3).fill(9 * x)))];
  for (const kind of ['drop', 'paste']) {
    await open(run, 'test/strokes/4');
    await page.evaluate(([type, data]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(data)], 'a.png', {type: 'image/png'}));
      document.body.dispatchEvent(type === 'drop' ? new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}) :
        new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true, cancelable: true}));
    }, [kind, bytes]);
    await page.waitForFunction(() => /as the network gets it/.test(document.querySelector('#draw-hint')?.textContent ?? ''));
    await choose(() => page.click('#draw-ask'));
    assert.equal((await subjectPixels())[27], 243, kind);
  }
});

test('what is no picture is said', async () => {
  await open(run, 'test/strokes/4');
  await page.click('#draw');
  await page.waitForSelector('dialog.draw[data-ready]');
  const file = path.join(folder, 'none.png');
  writeFileSync(file, 'no picture');
  await page.setInputFiles('#draw-file', file);
  await page.waitForFunction(() => /no picture/.test(document.querySelector('#draw-hint').textContent));
  await page.keyboard.press('Escape');
});

test('the pad begins on the training images’ ground, has a pen of any size, and strokes are taken back', async () => {
  await open(run, 'test/strokes/4');
  await page.click('#draw');
  await page.waitForSelector('dialog.draw[data-ready]');
  const ink = () => page.$eval('.pad', (pad) => [...pad.getContext('2d').getImageData(0, 0, 28, 28).data].filter((byte, i) => i % 4 === 0 && byte > 100).length);
  assert.equal(await ink(), 0);
  const box = await page.locator('.pad').boundingBox();
  const stroke = async (y) => {
    await page.mouse.move(box.x + 40, box.y + y);
    await page.mouse.down();
    await page.mouse.move(box.x + 200, box.y + y, {steps: 5});
    await page.mouse.up();
  };
  await stroke(60);
  const thin = await ink();
  assert.ok(thin > 10);
  await page.fill('#draw-size', '3');
  await stroke(220);
  assert.ok(await ink() - thin > 1.5 * thin, 'a wide pen covers more');
  await page.click('#draw-undo');
  assert.equal(await ink(), thin);
  await page.click('#draw-clear');
  assert.equal(await ink(), 0);
  await page.locator('.pad').focus();
  await page.keyboard.press('Control+z');
  assert.equal(await ink(), thin);
  await page.keyboard.press('Escape');
});

test('colour pictures are asked about, and too large ones stay in the tab', async () => {
  await page.goto(`${origin}/r/${colour}`);
  await ready();
  await page.click('#draw');
  await page.waitForSelector('dialog.draw[data-ready]');
  assert.equal(await page.locator('#draw-undo').count(), 0, 'nothing is drawn by hand');
  await page.setInputFiles('#draw-file', png('red.png', 90, 90, (x) => [x < 45 ? 230 : 20, 30, 60]));
  await page.waitForFunction(() => /as the network gets it/.test(document.querySelector('#draw-hint').textContent));
  await choose(() => page.click('#draw-ask'));
  assert.ok(page.url().length < 300, 'the link does not hold it');
  const said = await page.textContent('.predicted');
  const at = await page.$eval('canvas.subject', (canvas) => [...canvas.getContext('2d').getImageData(0, 0, 1, 1).data]);
  assert.deepEqual(at, [230, 30, 60, 255]);
  await page.reload();
  await ready();
  assert.equal(await page.textContent('.predicted'), said, 'the tab remembers it');
  const other = await newPage();
  await other.goto(page.url());
  await ready(other);
  assert.match(await other.textContent('#notices'), /no picture in it, because it was too large/);
  await other.context().close();
});

test('axe finds nothing wrong in the dialogs', async () => {
  const at = await newPage(undefined, {bypassCSP: true, viewport: {width: 390, height: 844}});
  await at.goto(`${origin}/r/${run}/q/test/strokes/4`);
  await panelsReady(at);
  await at.addScriptTag({content: axeSource});
  for (const [button, dialog] of [['#strips .take-away', '.take'], ['#share', '.share'], ['#draw', '.draw[data-ready]']]) {
    await at.click(button);
    await at.waitForSelector(`dialog${dialog}`);
    const {violations} = await at.evaluate(() => window.axe.run());
    assert.deepEqual(violations.map(({id, nodes}) => `${id}: ${nodes[0].html.slice(0, 160)}`), [], dialog);
    assert.ok(await at.evaluate(() => document.documentElement.scrollWidth) <= 390);
    await at.keyboard.press('Escape');
    await at.waitForSelector('dialog', {state: 'detached'});
  }
  await at.context().close();
});

test('nothing was wrong on the console', async () => {
  assert.deepEqual(problems, []);
});

await runAll(() => {
  const book = path.join(folder, 'tale.txt');
  writeFileSync(book, Array.from({length: 80}, (_, i) => `The ${['cat', 'dog', 'whale'][i % 3]} sat on the ${['mat', 'sea'][i % 2]}. `).join(''));
  for (const name of ['red', 'blue']) {
    mkdirSync(path.join(folder, 'photos', name), {recursive: true});
    for (let i = 0; i < 12; i++)
      png(`photos/${name}/${i}.png`, 16, 16, (x, y) => name === 'red' ? [200 + i, 8 * y, 20] : [20, 8 * x, 200 + i]);
  }
  colourFile = train('photos', '--data', `photos=${folder}/photos`, '--image-size', '72', '--hidden', '8', '--steps', '20', '--batch', '4', '--lr', '0.02');
  return [
    train('strokes', '--data', 'strokes', '--hidden', '24,12', '--steps', '40', '--batch', '32', '--lr', '0.05', '--name', 'strokes'),
    train('tale', '--data', `tale=${book}`, '--tokens', 'characters', '--hidden', '12', '--embedding', '6', '--batch', '4', '--unroll', '8',
      '--steps', '30', '--lr', '1', '--name', 'tale'),
    colourFile,
  ];
}, (world_) => {
  ({origin, page} = world_);
  [run, text, colour] = world_.runs;
});
