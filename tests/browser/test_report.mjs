// The report as a page of its own: opened from the disk, without a server. Prints TAP.
import {execFileSync} from 'node:child_process';
import path from 'node:path';
import assert from 'node:assert/strict';
import {pathToFileURL} from 'node:url';
import {axeSource, folder, keylight, problems, root, run as runAll, test, train, world} from '../lib/browser.mjs';

const file = path.join(folder, 'report.html');
let report;

async function open(options = {}) {
  const page = await (await world.browser.newContext({viewport: {width: 1440, height: 900}, ...options})).newPage();
  page.on('pageerror', (error) => problems.push(`page: ${error}`));
  page.on('console', (message) => message.type() === 'error' && problems.push(`console: ${message.text()}`));
  page.on('request', (request) => {
    if (!/^(file|data):/.test(request.url())) problems.push(`a request left for ${request.url()}`);
  });
  await page.goto(pathToFileURL(file).href);
  await page.waitForSelector('#report .chart canvas');
  return page;
}

test('the page says what --json says, with its chart and its pictures', async () => {
  const page = await open();
  assert.equal(await page.textContent('h1'), 'a </script><b>run</b>');
  const rows = await page.$$eval('#report section:nth-of-type(2) tbody tr', (trs) =>
    trs.map((tr) => [...tr.cells].map((cell) => cell.textContent)));
  const share = (value) => value === null ? '–' : `${(100 * value).toFixed(1)}\u00a0%`;
  assert.deepEqual(rows, report.vote.map((vote) => [String(vote.layer), share(vote.target_when_right),
    share(vote.target_when_wrong), share(vote.output_when_wrong), String(vote.counts.right), String(vote.counts.wrong)]));
  assert.equal(await page.$$eval('.most img', (images) => images.filter((image) => image.naturalWidth > 0).length),
    report.most_attended.length);
  await page.click('details.numbers summary');
  await page.waitForSelector('details.numbers tbody tr');
  assert.equal(await page.$$eval('details.numbers tbody tr', (trs) => trs.length),
    new Set(report.curve.map(({step}) => step)).size);
  assert.equal(await page.$$eval('#report section', (sections) => sections.length), 7); // with two data sets two more votes
  await page.context().close();
});

test('axe finds nothing wrong in it, and it is not wider than a phone', async () => {
  for (const colorScheme of ['dark', 'light']) {
    const page = await open({viewport: {width: 390, height: 844}, colorScheme});
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), colorScheme);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 390);
    await page.addScriptTag({content: axeSource});
    const {violations} = await page.evaluate(() => window.axe.run());
    assert.deepEqual(violations.map((violation) => [violation.id, violation.nodes[0].html.slice(0, 200)]), []);
    await page.context().close();
  }
});

test('nothing was wrong on the console, and nothing was fetched', async () => {
  assert.deepEqual(problems, []);
});

await runAll(() => {
  execFileSync('/usr/bin/python3', ['-c', 'import sys; sys.path.insert(0, sys.argv[1]); import made_data\n' +
    'made_data.idx(sys.argv[2] + "/a", 1); made_data.idx(sys.argv[2] + "/b", 2, train=40)',
  path.join(root, 'tests/lib'), folder]);
  const run = train('run', '--data', `a=${folder}/a`, '--data', `b=${folder}/b`, '--steps', '60', '--batch', '7',
    '--hidden', '10', '--name', 'a </script><b>run</b>');
  execFileSync(keylight, ['report', run, '--samples', '10', '--html', file]);
  report = JSON.parse(execFileSync(keylight, ['report', run, '--samples', '10', '--json'], {encoding: 'utf8'}));
  return [run];
}, () => {});
