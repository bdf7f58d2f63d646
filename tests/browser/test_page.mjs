// A person's journey through the page, in a real browser against the real server. Prints TAP.
import {readFileSync} from 'node:fs';
import assert from 'node:assert/strict';
import {api, axeSource, choose, idAt, nameOf, newPage, panelsReady, problems, ready, run as runAll, test, train} from '../lib/browser.mjs';

let server, origin, browser, context, page, run, secondRun;

/** What the spotlight shows, as numbers. */
const lit = (at = page) => at.$$eval('.card', (cards) => cards.map((card) =>
  [Number(card.dataset.sample), Number(card.dataset.attention)]));

/** What the API says the spotlight of the present address is. */
async function expectedLit(at = page) {
  const url = new URL(at.url());
  const query = new URLSearchParams({sample: String(idAt(at)), k: '20'});
  for (const name of ['layer', 'rank', 'by', 'class', 'k'])
    if (url.searchParams.has(name)) query.set(name, url.searchParams.get(name));
  const answer = await api(`/attention?${query}`);
  return answer.spotlight.map((item) => [item.sample.id, item.attention]);
}

test('the first page explains a wrong test sample, at an address that can be shared', async () => {
  await page.goto(origin);
  await ready();
  assert.match(page.url(), new RegExp(`^${origin}/r/${run}/q/test/strokes/\\d+$`));
  const sample = await api(`/samples/${idAt()}`);
  assert.equal(sample.correct, false);
  assert.equal(await page.textContent('.predicted'), String(sample.predicted));
});

test('the gallery shows the samples of the API and the filter keeps the wrong ones', async () => {
  await choose(() => page.selectOption('#filter-correct', 'correct=false'));
  assert.match(page.url(), /correct=false/);
  const wrong = await api('/samples?split=test&correct=false&limit=96');
  await page.waitForFunction((first) => document.querySelector('.thumb')?.dataset.sample === String(first), wrong.samples[0].id);
  const shown = await page.$$eval('button.thumb', (thumbs) => thumbs.map((thumb) => Number(thumb.dataset.sample)));
  assert.deepEqual(shown, wrong.samples.slice(0, shown.length).map((sample) => sample.id));
  assert.ok(shown.length > 20);
  assert.equal(await page.textContent('#total'), wrong.total.toLocaleString('en-US'));
  assert.equal(await page.$$eval('.thumb:not(.wrong)', (thumbs) => thumbs.length), 0);
});

test('a click on a sample shows its answer, as the API has it', async () => {
  await page.waitForSelector('.thumb:nth-child(3)');
  await choose(() => page.click('.thumb:nth-child(3)'));
  const id = await page.$eval('.thumb[aria-current]', (thumb) => Number(thumb.dataset.sample));
  const answer = await api(`/attention?sample=${id}&k=20`);
  assert.equal(await page.textContent('.predicted'), String(answer.predicted));
  const rows = await page.$$eval('.logits tbody tr', (trs) => trs.map((tr) =>
    [...tr.querySelectorAll('td.number')].map((td) => Number(td.textContent.replace('−', '-')))));
  rows.forEach(([guess, correction, logit], output) => {
    assert.ok(Math.abs(guess - answer.initial_guess[output]) < 0.006);
    assert.ok(Math.abs(correction - answer.correction[output]) < 0.006);
    assert.ok(Math.abs(logit - answer.logits[output]) < 0.006);
  });
  assert.deepEqual(await lit(), await expectedLit());
});

test('images are lit by how far they stand above the mean, as the legend says', async () => {
  const id = idAt();
  const {scores, spotlight} = await api(`/attention?sample=${id}&k=20`);
  const lights = await page.$$eval('.card', (cards) => cards.map((card) =>
    Number(getComputedStyle(card).getPropertyValue('--light'))));
  lights.forEach((light, i) => {
    const deviations = (spotlight[i].score - scores.mean) / scores.deviation;
    assert.ok(Math.abs(light - Math.max(0, Math.min(1, deviations / 6))) < 0.002);
  });
  assert.match(await page.textContent('div.legend'), /\+6 σ and more/);
});

test('layer, rank, grouping, class and length are switched, and each stands in the address', async () => {
  const steps = [
    [() => page.click('.choice[aria-label="Layer"] button:text-is("1")'), /layer=1/],
    [() => page.click('.choice[aria-label="By"] button:text-is("sample")'), /by=sample/],
    [() => page.click('.choice[aria-label="Rank by"] button:text-is("negative")'), /rank=negative/],
    [() => page.click('.choice[aria-label="Rank by"] button:text-is("cosine")'), /rank=cosine/],
    [() => page.click('.choice[aria-label="Rank by"] button:text-is("lowered its loss")'), /rank=proponents/],
    [() => page.click('.choice[aria-label="Rank by"] button:text-is("argues for")'), /rank=logit/],
    [() => page.selectOption('select[aria-label="Contribution to"]', '3'), /rank=logit:3/],
    [() => page.selectOption('select[aria-label="Training class"]', '5'), /class=5/],
    [() => page.click('#more'), /k=50/],
    [() => page.click('.choice[aria-label="Layer"] button:text-is("2")'), /layer=2/],
  ];
  for (const [action, address] of steps) {
    await choose(action);
    assert.match(page.url(), address);
    assert.deepEqual(await lit(), await expectedLit());
  }
});

test('totals by class are those of the API, and the matrix sums to the correction', async () => {
  await page.goto(`${origin}/r/${run}/q/6004`);
  await panelsReady();
  const answer = await api('/attention?sample=6004');
  const all = answer.by_class.reduce((sum, total) => sum + total.sum_abs, 0);
  const shares = await page.$$eval('.totals tbody tr', (trs) => trs.map((tr) =>
    parseFloat(tr.querySelector('td.number').textContent)));
  shares.forEach((share, label) =>
    assert.ok(Math.abs(share - 100 * answer.by_class[label].sum_abs / all) < 0.06));
  const cells = await page.$$eval('.matrix tbody tr', (trs) => trs.map((tr) => tr.querySelectorAll('td').length));
  assert.deepEqual(cells, Array(10).fill(10));
  answer.correction.forEach((correction, output) => assert.ok(Math.abs(correction -
    answer.by_class.reduce((sum, total) => sum + total.contributions[output], 0)) < 1e-3 * (1 + Math.abs(correction))));
});

test('an address that is none shows the page, with a notice', async () => {
  problems.splice(0);
  await page.goto(`${origin}/nonsense/here`);
  await ready();
  assert.match(await page.textContent('#notices'), /none of keylight/);
  assert.ok(await page.locator('.card').count() > 0);
  assert.ok(problems.every((problem) => /404/.test(problem)), String(problems)); // the browser tells of the status
  problems.splice(0);
  await page.goto(`${origin}/r/${run}/q/6004`);
  await panelsReady();
});

test('two hundred clicks leave no charts, canvases or memory behind', async () => {
  const session = await page.context().newCDPSession(page);
  const measure = async () => {
    await session.send('HeapProfiler.collectGarbage');
    const {nodes, jsEventListeners} = await session.send('Memory.getDOMCounters');
    const {usedSize} = await session.send('Runtime.getHeapUsage');
    return {nodes, listeners: jsEventListeners, heap: usedSize, canvases: await page.locator('canvas').count()};
  };
  let clicks = 0;
  const click = async (n) => {
    for (let i = 0; i < n; i++) {
      await choose(() => page.click(`[data-position="${clicks++ % 12}"]`));
      await panelsReady();
    }
  };
  await page.goto(`${origin}/r/${run}/q/6012`); // whose neighbours are in sight
  await panelsReady();
  await click(13);
  const before = await measure();
  await click(204); // ends on the same sample
  const after = await measure();
  await page.goto(`${origin}/r/${run}/q/6004`);
  await panelsReady();
  console.log(`# a heap of ${before.heap} bytes became ${after.heap}`);
  assert.equal(after.canvases, before.canvases);
  assert.ok(after.nodes < before.nodes * 1.1 + 500, `${before.nodes} nodes became ${after.nodes}`);
  assert.ok(after.listeners < before.listeners * 1.1 + 100, `${before.listeners} listeners became ${after.listeners}`);
  assert.ok(after.heap < before.heap + 4e6, `${before.heap} bytes became ${after.heap}`);
});

test('a click on a training image makes it the query', async () => {
  const [[sample]] = await lit();
  await choose(() => page.click('.card'));
  assert.match(page.url(), new RegExp(`/q/${nameOf(sample)}$`));
  assert.match(await page.textContent('.verdict'), /train\/.+\/\d+/);
});

test('back, forward and reload keep the view', async () => {
  const here = page.url(), spotlight = await lit();
  await page.goBack();
  await ready();
  assert.match(page.url(), /\/q\/test\/strokes\/4$/);
  await page.goForward();
  await ready();
  assert.equal(page.url(), here);
  assert.deepEqual(await lit(), spotlight);
  await page.reload();
  await ready();
  assert.deepEqual(await lit(), spotlight);
});

test('a shared link opens the very same view in another browser profile', async () => {
  await page.goto(`${origin}/r/${run}/q/6010?layer=2&rank=positive&by=sample&correct=true&label=7`);
  await ready();
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], {origin});
  await page.click('#share');
  assert.equal(await page.inputValue('#share-link'), page.url());
  await page.click('#share-copy');
  await page.waitForSelector('dialog.share [role="status"]:has-text("copied")');
  await page.keyboard.press('Escape');
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(link, page.url());
  const other = await newPage();
  await other.goto(link);
  await ready(other);
  assert.equal(other.url(), link);
  assert.deepEqual(await lit(other), await lit());
  assert.equal(await other.textContent('#answer'), await page.textContent('#answer'));
  const pictures = (at) => at.$$eval('.card img', (images) => images.map((image) => image.src));
  assert.deepEqual(await pictures(other), await pictures(page));
  assert.equal(await other.$eval('#filter-label', (select) => select.value), '7');
  assert.equal(await other.$eval('#filter-correct', (select) => select.value), 'correct=true');
  await other.context().close();
});

test('a link that is shared from further down opens there', async () => {
  await page.goto(`${origin}/r/${run}/q/6010?rank=positive`);
  await ready();
  await page.evaluate(() => document.querySelector('#spotlight').scrollIntoView());
  await page.keyboard.press('s');
  const link = await page.inputValue('#share-link');
  assert.equal(link, `${page.url()}#spotlight`);
  await page.keyboard.press('Escape');
  const other = await newPage();
  await other.goto(link);
  await ready(other);
  await other.waitForSelector('#strip-missed-1');
  const top = await other.$eval('#spotlight', (section) => section.getBoundingClientRect().top);
  assert.ok(Math.abs(top) < 150, String(top));
  await choose(() => other.keyboard.press('n'), other);
  assert.ok(!other.url().includes('#'));
  await other.context().close();
});

test('an address that means nothing falls back, and says so', async () => {
  for (const [address, says] of [
    [`/r/${run}/q/6001?layer=9`, /layer is 1 to 3 here/], [`/r/${run}/q/6001?rank=best&k=-1`, /rank is abs/],
    [`/r/${run}/q/9999999`, /no sample 9999999/], ['/r/0123456789abcdef/q/5', /does not have run/],
    [`/r/${run}/q/6001?colour=%3Cb%3Ered`, /does not know/]]) {
    await page.goto(origin + address);
    await ready();
    assert.match(await page.textContent('#notices'), says);
    assert.equal(await page.$('#notices b'), null);
    assert.ok((await lit()).length > 0);
  }
  await choose(() => page.click('.choice[aria-label="Layer"] button:text-is("1")'));
  assert.equal(await page.textContent('#notices'), '', 'notices go with their address');
});

test('answers that come late and out of order never stand under another address', async () => {
  const other = await newPage();
  const slow = async (route) => {
    await new Promise((resolve) => setTimeout(resolve, route.request().url().includes(run) ? 600 : 50));
    await route.continue().catch(() => {});
  };
  await other.route('**/api/v1/runs/**', slow);
  await other.goto(`${origin}/r/${run}/q/6002`);
  await ready(other);
  await other.selectOption('select[aria-label="Run"]', secondRun);
  await other.selectOption('select[aria-label="Run"]', run);
  await other.selectOption('select[aria-label="Run"]', secondRun);
  await other.waitForFunction((id) => location.pathname.startsWith(`/r/${id}/q/`) &&
    document.body.dataset.state === 'ready', secondRun);
  await other.unroute('**/api/v1/runs/**', slow);
  await other.waitForLoadState('networkidle');
  assert.match(await other.title(), /second/);
  const sources = await other.$$eval('.card img, img.subject', (images) => images.map((image) => image.src));
  assert.ok(sources.every((source) => source.includes(secondRun)));
  await other.context().close();
});

test('everything can be reached and done with the keyboard', async () => {
  await page.goto(`${origin}/r/${run}/q/6000`);
  await ready();
  await page.waitForSelector('.thumb[aria-current]');
  await page.focus('.thumb[aria-current]');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  const focused = await page.evaluate(() => document.activeElement.dataset.sample);
  assert.notEqual(focused, '6000');
  await choose(() => page.keyboard.press('Enter'));
  assert.match(page.url(), new RegExp(`/q/${nameOf(focused)}$`));
  await page.focus('.choice[aria-label="Layer"] button:first-child');
  await choose(() => page.keyboard.press('Enter'));
  assert.match(page.url(), /layer=1/);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), '1');
  for (const label of ['Training class', 'Contribution to']) {
    if (label === 'Contribution to') await choose(() => page.click('.choice[aria-label="Rank by"] button:text-is("argues for")'));
    await page.focus(`select[aria-label="${label}"]`);
    await choose(() => page.keyboard.press('ArrowDown'));
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), label);
  }
  await page.fill('#jump', '42');
  await choose(() => page.press('#jump', 'Enter'));
  assert.match(page.url(), /\/q\/test\/strokes\/42/);
  await page.click('#help');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', {state: 'detached'});
  await choose(() => page.click('#next'));
  assert.match(page.url(), /\/q\/test\/strokes\/43/);
});

test('what is shown can be saved as CSV', async () => {
  const [download] = await Promise.all([page.waitForEvent('download'),
    page.click('button[aria-label="Save the spotlight as CSV"]')]);
  const lines = readFileSync(await download.path(), 'utf8').trim().split('\r\n');
  const expected = await expectedLit();
  assert.equal(lines.length, expected.length + 1);
  const columns = lines[0].split(',');
  lines.slice(1).forEach((line, i) =>
    assert.equal(Number(line.split(',')[columns.indexOf('attention')]), expected[i][1]));
});

test('a drawing is asked about, and its link opens it elsewhere', async () => {
  await page.goto(`${origin}/r/${run}/q/6003?layer=1`);
  await ready();
  await page.click('#draw');
  await page.waitForSelector('dialog.draw[data-ready]');
  await page.click('#draw-from');
  await page.waitForFunction(() => document.querySelector('.pad').getContext('2d')
    .getImageData(0, 0, 28, 28).data.some((byte, i) => i % 4 === 0 && byte > 200));
  const box = await page.locator('.pad').boundingBox();
  await page.mouse.move(box.x + 20, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + 60, box.y + 20, {steps: 4});
  await page.mouse.up();
  await choose(() => page.click('#draw-ask'));
  assert.match(page.url(), /\/q\/drawing\?pixels=[\w-]{1046}&layer=1$/);
  const pixels = await page.$eval('canvas.subject', (canvas) => [...canvas.getContext('2d')
    .getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0));
  assert.ok(pixels[28 + 3] > 0, 'the stroke is on the image');
  const response = await fetch(`${origin}/api/v1/runs/${run}/attention`, {method: 'POST',
    headers: {'Content-Type': 'application/json'}, body: JSON.stringify({pixels, layer: 1, k: 20})});
  const answer = await response.json();
  assert.deepEqual(await lit(), answer.spotlight.map((item) => [item.sample.id, item.attention]));
  assert.equal(await page.textContent('.predicted'), String(answer.predicted));
  const other = await newPage();
  await other.goto(page.url());
  await ready(other);
  assert.deepEqual(await lit(other), await lit());
  await other.context().close();
  await choose(() => page.click('.card'));
  assert.doesNotMatch(page.url(), /pixels/);
  await page.goto(`${origin}/r/${run}/q/drawing?pixels=AAAA`);
  await ready();
  assert.match(await page.textContent('#notices'), /pixels is a picture of 784 numbers/);
});

test('no sample matching is said, and the filter can be taken away', async () => {
  await page.goto(`${origin}/r/${run}/q/6000?correct=true&label=1&predicted=2`);
  await ready();
  await page.waitForFunction(() => /No sample matches/.test(document.querySelector('#gallery').textContent));
});

test('the run is told of, and how much of it is in memory', async () => {
  await page.goto(origin);
  await ready();
  await page.click('#about-run');
  await page.waitForFunction(() => document.querySelector('dialog')?.textContent?.includes(' at most'));
  const {memory_bytes: bytes} = await api('');
  assert.match(await page.textContent('dialog'), new RegExp(`${(bytes / 1e6).toFixed(0)} MB for all layers; of all runs, .* are copied into the server’s memory now, [\\d.]+ [GM]B at most`));
  await page.keyboard.press('Escape');
});

test('axe finds nothing wrong, in both themes and three sizes', async () => {
  for (const colorScheme of ['dark', 'light']) {
    for (const [width, height] of [[1440, 900], [1024, 768], [390, 844]]) {
      const at = await newPage(undefined, {viewport: {width, height}, colorScheme, bypassCSP: true});
      await at.goto(`${origin}/r/${run}/q/6004`);
      await ready(at);
      assert.equal(await at.evaluate(() => document.documentElement.dataset.theme), colorScheme);
      assert.ok(await at.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
        `${width} px: the page is wider than the window`);
      await at.addScriptTag({content: axeSource});
      const {violations} = await at.evaluate(() => window.axe.run());
      assert.deepEqual(violations.map((violation) =>
        `${violation.id}: ${violation.nodes.map((node) => node.html.slice(0, 160)).slice(0, 3).join(' | ')}`), [],
      `${colorScheme}, ${width} px`);
      await at.context().close();
    }
  }
});

test('nothing was wrong on the console, and nothing was asked of another server', async () => {
  assert.deepEqual(problems, []);
});

test('a server that went away is said, with a way to try again', async () => {
  await page.goto(`${origin}/r/${run}/q/6001`);
  await ready();
  server.process.kill('SIGTERM');
  await new Promise((resolve) => server.process.once('exit', resolve));
  await page.click('.choice[aria-label="Layer"] button:text-is("1")');
  await page.waitForFunction(() => document.body.dataset.state === 'error');
  assert.match(await page.textContent('[role="alert"]'), /does not answer/);
  assert.ok(await page.$('#retry'));
});

await runAll(() => [
  train('strokes', '--data', 'strokes', '--hidden', '40,24', '--steps', '60', '--batch', '32', '--lr', '0.05'),
  train('second', '--data', 'strokes', '--hidden', 'none', '--steps', '30', '--batch', '32', '--name', 'second'),
], (world) => {
  ({server, origin, browser, context, page} = world);
  [run, secondRun] = world.runs;
});
