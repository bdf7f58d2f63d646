// Runs that PyTorch trained: a convolutional network's places, and a transformer's layers and text. Prints TAP.
import {execFileSync, spawnSync} from 'node:child_process';
import {mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import assert from 'node:assert/strict';
import {api, axeSource, folder, panelsReady, problems, ready, root, run as runAll, test} from '../lib/browser.mjs';

let origin, page, cnn, gpt, table, cut;
const PYTHON = process.env.PYTHON ?? '/usr/bin/python3';
const environment = {...process.env, PYTHONPATH: path.join(root, 'python'), PYTHONDONTWRITEBYTECODE: '1'};
try {
  execFileSync(PYTHON, ['-c', 'import torch, xxhash'], {stdio: 'ignore'});
} catch {
  console.log('1..0 # SKIP PyTorch is missing: run ./bootstrap check');
  process.exit(0);
}

/** Runs an example, small. */
function recorded(name, ...options) {
  const file = path.join(folder, `${name}.keylight`);
  execFileSync(PYTHON, [path.join(root, 'examples', `${name}.py`), file, ...options], {env: environment, stdio: ['ignore', 'ignore', 'inherit']});
  return file;
}

/** Fashion-MNIST's four files with pictures that are made up: a bright row says the class. */
function pictures() {
  const where = path.join(folder, 'fashion');
  mkdirSync(where);
  for (const [part, n] of [['train', 160], ['t10k', 24]]) {
    const labels = Buffer.alloc(8 + n), pixels = Buffer.alloc(16 + n * 784);
    labels.writeUInt32BE(0x801), labels.writeUInt32BE(n, 4);
    [0x803, n, 28, 28].forEach((number, i) => pixels.writeUInt32BE(number, 4 * i));
    for (let i = 0; i < n; i++) {
      labels[8 + i] = i % 10;
      pixels.fill(255, 16 + i * 784 + 56 * (i % 10), 16 + i * 784 + 56 * (i % 10) + 28);
    }
    writeFileSync(path.join(where, `${part}-labels-idx1-ubyte`), labels);
    writeFileSync(path.join(where, `${part}-images-idx3-ubyte`), pixels);
  }
  return where;
}

function book() {
  const where = path.join(folder, 'book');
  mkdirSync(where);
  for (let chapter = 1; chapter <= 20; chapter++)
    writeFileSync(path.join(where, `chapter_${chapter}.txt`), 'the whale swims and the ship sails after it. '.repeat(4));
  return where;
}

/** A table of two columns, recorded to its end, or as if Ctrl-C had ended it after some steps. */
function described(name, stopAfter = 0) {
  const file = path.join(folder, `${name}.keylight`);
  spawnSync(PYTHON, ['-c', `
import sys, torch, keylight
torch.manual_seed(1)
x = torch.randn(80, 2)
data = [keylight.Table([[f"person {i}", float(row[0]), float(row[1])] for i, row in enumerate(part)], (part[:, 0] > 0).long(),
                       ["name", "age", "income"], ["stays", "leaves"], part) for part in (x[:60], x[60:])]
model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with keylight.Recorder(sys.argv[1], model, optimizer, train=data[0], test=data[1]) as recorder:
    for step, samples in enumerate(torch.randperm(60).split(10)):
        if int(sys.argv[2]) and step == int(sys.argv[2]):
            raise KeyboardInterrupt
        with recorder.step(samples):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(data[0].inputs[samples]), torch.as_tensor(data[0].labels)[samples]).backward()
            optimizer.step()
`, file, String(stopAfter)], {env: environment, stdio: ['ignore', 'ignore', stopAfter ? 'ignore' : 'inherit']});
  return file;
}

async function open(of, query) {
  await page.goto(`${origin}/r/${of}/q/${query}`);
  await panelsReady();
}

test('a convolution’s spotlight boxes the most attended patch, where the API says', async () => {
  await open(cnn, 'test/fashion-cnn/3?layer=2');
  const {spotlight} = await api('/spotlight?sample=test/fashion-cnn/3&layer=2', cnn), {place} = spotlight[0];
  assert.ok(place >= 0 && place < 196);
  const box = await page.$eval('#lit-1 .patch', (one) => [one.offsetLeft / one.parentElement.offsetWidth, one.offsetTop / one.parentElement.offsetHeight]);
  const expected = [place % 14, Math.floor(place / 14)].map((at) => Math.max(0, at - 1) / 14);
  box.forEach((share, d) => assert.ok(Math.abs(share - expected[d]) < .03, `${box} ${expected}`));
  assert.equal(await page.$$eval('#spotlight .patch', (all) => all.length), spotlight.length);
  await open(cnn, 'test/fashion-cnn/3');
  assert.equal(await page.$$eval('#spotlight .patch', (all) => all.length), 0); // the last layer sees pictures whole
});

test('a click on the map asks about its place, in the address', async () => {
  await open(cnn, 'test/fashion-cnn/3?layer=2');
  const whole = await page.textContent('#lit-1 .line:nth-of-type(4)');
  const map = page.locator('#places-map'), {width, height} = await map.boundingBox();
  await map.click({position: {x: width * 4.5 / 14, y: height * 6.5 / 14}});
  await panelsReady();
  assert.match(page.url(), /place=88&layer=2/);
  assert.match(await page.textContent('#spotlight .controls'), /row 7, column 5/);
  assert.ok(await page.isVisible('#places .patch'));
  assert.notEqual(await page.textContent('#lit-1 .line:nth-of-type(4)'), whole);
  await page.keyboard.press('Escape');
  await page.click('#no-place');
  await panelsReady();
  assert.doesNotMatch(page.url(), /place=/);
});

test('the map sums to the layer’s contributions, and a layer without places says so', async () => {
  await open(cnn, 'test/fashion-cnn/5?layer=1');
  const {places, logit} = await api('/views/places?sample=test/fashion-cnn/5&layer=1', cnn);
  const all = await api(`/spotlight?sample=test/fashion-cnn/5&layer=1&rank=logit:${logit}&k=1000`, cnn);
  const [map, showings] = [places.contributions, all.spotlight.map((one) => one.contribution)].map((list) => list.reduce((sum, one) => sum + one, 0));
  assert.equal(all.spotlight.length, all.patterns);
  assert.ok(Math.abs(map - showings) < 2e-2 * (Math.abs(map) + .01), `${map} ${showings}`);
  await open(cnn, 'test/fashion-cnn/5?layer=3');
  assert.match(await page.textContent('#places'), /sees the picture whole/);
});

test('many layers are a tree of modules that can be searched', async () => {
  const {asked} = await api('', gpt);
  await open(gpt, `test/gpt/${asked[1] - (await api('', gpt)).datasets[0].splits.test.first_sample}`);
  await page.click('#layer-tree > summary');
  assert.equal(await page.$$eval('#layer-tree li button', (all) => all.filter((one) => one.checkVisibility()).length), 1); // the head; modules are folded
  await page.fill('#layer-tree input', 'blocks.1.mlp');
  const found = await page.$$eval('#layer-tree li button', (all) => all.filter((one) => one.checkVisibility()).map((one) => one.closest('[data-name]').dataset.name));
  assert.deepEqual(found, ['blocks.1.mlp.0', 'blocks.1.mlp.2']);
  await page.click('#layer-tree [data-name="blocks.1.mlp.0"] button');
  await panelsReady();
  assert.match(page.url(), /layer=7/);
  assert.match(await page.textContent('#layer-tree > summary'), /blocks\.1\.mlp\.0/);
});

test('places of the text that were recorded can be asked about, and nothing else is offered', async () => {
  const {asked, datasets: [{splits: {test: {first_sample: first}}}]} = await api('', gpt);
  await open(gpt, `test/gpt/${asked[1] - first}`);
  assert.match(await page.textContent('#filters'), /This network was recorded/);
  for (const missing of ['#typed', '#continuation button', '#heat', '#text-learning']) assert.equal(await page.$(missing), null, missing);
  assert.ok((await page.$$('.token.asked')).length >= 1);
  await page.click('.token.silent');
  await ready();
  assert.match(page.url(), new RegExp(`test/gpt/${asked[1] - first}$`));
  await page.focus('#page');
  await page.keyboard.press('ArrowRight');
  await panelsReady();
  assert.match(page.url(), new RegExp(`test/gpt/${asked[2] - first}$`));
  await open(gpt, `test/gpt/${asked[1] - first}?layer=3&rank=logit`);
  assert.match(await page.textContent('#spotlight'), /first order, through all tokens that were read/);
  await open(gpt, 'test/gpt/1');
  assert.match(await page.textContent('#notices'), /only its recorded test samples/);
});

test('samples of a table are shown as their values, everywhere', async () => {
  await open(table, 'test/people/3');
  const {strips: [{cards: [first]}]} = await api('/strips?sample=test/people/3', table);
  const values = (text) => text.split('\n').flatMap((line) => line.split('\t')).join('');
  assert.equal(await page.textContent('#strip-looks-1 .words'), values(first.sample.description));
  assert.match(await page.textContent('#answer .words.subject'), /^nameperson 3age/);
  assert.match(await page.textContent('#intro'), /Which training samples/);
  assert.equal(await page.$$eval('#views img', (all) => all.filter((one) => one.checkVisibility()).length), 0);
  await page.waitForSelector('.thumb .words');
  assert.equal(await page.textContent('#total'), '20');
  await page.hover('#totals .u-over');
  await page.waitForSelector('.preview .words');
  assert.match(await page.textContent('.preview'), /nameperson \d+age/);
  await page.click('#strip-looks-1');
  assert.match(await page.textContent('dialog[open] .pair-of-images'), /this sample/);
  await page.keyboard.press('Escape');
  await page.goto(`${origin}/r/${table}/suspects`);
  await page.waitForSelector('.suspect .words');
});

test('nothing is cut off and axe finds nothing, small and large', async () => {
  const {asked, datasets: [{splits: {test: {first_sample: first}}}]} = await api('', gpt);
  for (const width of [390, 1024, 1440]) {
    await page.setViewportSize({width, height: 844});
    for (const [of, query] of [[cnn, 'test/fashion-cnn/3?layer=1&place=300'], [gpt, `test/gpt/${asked[0] - first}?layer=2`], [table, 'test/people/2']]) {
      await open(of, query);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} ${query}`);
      await page.evaluate(axeSource);
      const {violations} = await page.evaluate(() => globalThis.axe.run(document, {resultTypes: ['violations']}));
      assert.deepEqual(violations.map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html.slice(0, 120))}`), []);
    }
  }
  await page.setViewportSize({width: 1440, height: 900});
});

test('a recording that was cut off says as of which step it is shown', async () => {
  await page.goto(`${origin}/r/${cut}`);
  await page.waitForFunction(() => /network/.test(document.querySelector('#training').textContent));
  assert.match(await page.textContent('#training'), /The training was cut off\. What you see is the network after step 3\.$/);
  assert.equal(await page.locator('#training progress').count(), 0, 'nobody knows how far it was to go');
});

test('nothing was wrong on the console', async () => assert.deepEqual(problems.filter((text) => !text.includes('as of its last checkpoint')), []));

await runAll(() => [recorded('cnn', '--data', pictures(), '--epochs', '3', '--test', '24'),
  recorded('gpt', '--data', book(), '--steps', '8', '--batch', '2', '--asked', '6'), described('people'), described('cut', 3)],
(world) => {
  ({origin, page, runs: [cnn, gpt, table, cut]} = world);
});
