// The page behind a proxy that has it below a path of its own, as JupyterHub does. Prints TAP.
import {createServer, request} from 'node:http';
import assert from 'node:assert/strict';
import {panelsReady, problems, run as runAll, test, train, world} from '../lib/browser.mjs';

const PATH = '/user/ada/proxy/9300';
let proxy, origin;

async function open(address) {
  const page = await world.context.newPage();
  page.on('pageerror', (error) => problems.push(`page: ${error}`));
  page.on('console', (message) => message.type() === 'error' && problems.push(`console: ${message.text()}`));
  page.on('request', (sent) => {
    if (!sent.url().startsWith(`${origin}${PATH}/`) && !sent.url().startsWith('blob:')) problems.push(`${sent.url()} is not below the path`);
  });
  await page.goto(`${origin}${PATH}${address}`);
  return page;
}

/** Starts the proxy, once the server is there. */
async function startProxy() {
  const target = new URL(world.origin);
  proxy = createServer((asked, reply) => {
    const sent = request({host: target.hostname, port: target.port, method: asked.method, path: asked.url.slice(PATH.length) || '/',
      headers: {...asked.headers, host: target.host}}, (answer) => {
      reply.writeHead(answer.statusCode, answer.headers);
      answer.pipe(reply);
    });
    asked.pipe(sent);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${proxy.address().port}`;
}

test('the page works below the path, and its addresses stay there', async () => {
  await startProxy();
  const page = await open('/');
  await panelsReady(page);
  assert.ok(new URL(page.url()).pathname.startsWith(`${PATH}/r/${world.runs[0]}`), page.url());
  const before = page.url();
  await page.locator('.thumb').nth(2).click();
  await page.waitForFunction((url) => location.href !== url, before);
  await panelsReady(page);
  await page.waitForFunction(() => {
    const images = [...document.querySelectorAll('.card img')];
    return images.length > 0 && images.every((image) => image.naturalWidth > 0);
  });
  const again = await open(new URL(page.url()).pathname.slice(PATH.length) + new URL(page.url()).search);
  await panelsReady(again);
  await again.click('.brand');
  await again.waitForURL(new RegExp(`${PATH}/(r/.*)?$`));
});

test('an address where there is nothing gives the page there, too', async () => {
  const page = await open('/nothing/is/here');
  await page.waitForSelector('#notices .notice');
  problems.splice(0, problems.length, ...problems.filter((problem) => !problem.includes('404')));
});

test('nothing was wrong on the console, and nothing left the path', async () => {
  assert.deepEqual(problems, []);
  proxy.close();
});

await runAll(() => [train('run', '--data', 'strokes', '--limit', '300', '--steps', '40', '--hidden', '12')], () => {});
