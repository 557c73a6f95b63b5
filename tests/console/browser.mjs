// Scenes in a real Chromium, for tests/console/browser.rs: `node browser.mjs SCENE`. What fails, throws.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';

const { BASE, MODULES, USER_PASSWORD, APP, INSTANCE, BINDING, FAILING, BROKEN, WHY, SCREENSHOTS } = process.env;
const require = createRequire(`${MODULES}/`);
const { chromium } = require('playwright-core');
const origin = new URL(BASE).origin;
// How long anything may take: the machine may be busy.
const PATIENCE = 60_000;

const browser = await chromium.launch({
  executablePath: ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path)),
  args: ['--no-sandbox', '--disable-gpu', '--disable-lcd-text', '--disable-dev-shm-usage', '--disable-background-networking'],
  timeout: PATIENCE,
});

// A window of its own, all of whose requests are watched.
async function open(options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE);
  const left = [];
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.origin !== origin) left.push(request.url());
  });
  const page = await context.newPage();
  return { context, page, left };
}

async function signIn(page, user) {
  await page.goto(BASE);
  await page.getByLabel('User name').fill(user);
  await page.getByLabel('Password').fill(USER_PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Offering' }).waitFor();
}

async function heading(page) {
  return (await page.locator('h1').innerText()).trim();
}

const scenes = {
  // By keyboard and mouse, as an operator does it, and then as a viewer does not.
  async retry() {
    const { page, context, left } = await open();
    await signIn(page, 'anna');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
    assert.ok(await page.locator('.skip').isVisible());

    await page.getByRole('link', { name: 'Instances', exact: true }).first().click();
    await page.getByRole('searchbox').fill(APP);
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => url.searchParams.get('q') === APP);
    const rows = page.locator('tbody tr');
    const texts = await rows.allInnerTexts();
    // The same application is bound to an instance of another plan, too.
    assert.equal(texts.length, 2, texts.join('\n'));
    await page.getByRole('link', { name: 'orders' }).click();
    assert.equal(await heading(page), 'orders');
    assert.ok((await page.locator('main').innerText()).includes(INSTANCE));
    assert.ok((await page.locator('main').innerText()).includes(APP));

    await page.goto(`${BASE}/instance?id=${FAILING}`);
    await page.locator('tbody').getByRole('link', { name: 'provision' }).click();
    assert.equal(await heading(page), 'Provision in progress');
    const operation = page.url();
    await page.getByText('Attempt 1: ').waitFor();
    // An attempt may run just when the button is pressed: then the page says so, and it is pressed again.
    const until = Date.now() + PATIENCE;
    const retry = async () => {
      assert.ok(Date.now() < until, await page.locator('main').innerText());
      const button = page.getByRole('link', { name: 'Retry now' });
      if ((await button.count()) === 0) return false;
      await button.click();
      await page.getByRole('button', { name: 'Retry now' }).click();
      return (await page.getByRole('status').count()) > 0;
    };
    while (!(await retry())) await page.goto(operation);
    console.log('retried');
    rmSync(BROKEN);
    while ((await heading(page)) !== 'Provision succeeded') {
      await retry();
      await page.goto(operation);
    }
    await page.getByRole('button', { name: 'Sign out' }).click();
    assert.equal(await heading(page), 'Sign in');
    await context.close();

    const viewer = await open();
    await signIn(viewer.page, 'vera');
    await viewer.page.goto(operation);
    assert.equal(await viewer.page.locator('.acts').count(), 0);
    await viewer.page.goto(operation.replace('/operation?', '/operation/retry?'));
    assert.equal(await heading(viewer.page), 'Not allowed');
    await viewer.page.goto(`${BASE}/instance/forget?id=${INSTANCE}`);
    assert.equal(await heading(viewer.page), 'Not allowed');
    assert.deepEqual([...left, ...viewer.left], []);
  },

  // A binding is ended, and the audit says by whom; a viewer reads that, and ends none.
  async ending() {
    const { page, context, left } = await open({ viewport: { width: 390, height: 844 } });
    await signIn(page, 'anna');
    await page.goto(`${BASE}/instance?id=${INSTANCE}`);
    await page.getByRole('link', { name: `End it… the binding ${BINDING}` }).click();
    assert.equal(await heading(page), 'End this binding?');
    await page.getByRole('link', { name: 'Cancel' }).click();
    assert.equal(await heading(page), 'orders');
    await page.getByRole('link', { name: `End it… the binding ${BINDING}` }).click();
    await page.getByRole('button', { name: 'End it' }).click();
    assert.equal(await heading(page), 'Unbind succeeded');
    await page.getByRole('status').waitFor();
    console.log('ended');
    await page.getByRole('link', { name: 'Audit', exact: true }).last().click();
    assert.equal(await heading(page), 'Audit');
    const until = Date.now() + PATIENCE;
    const told = page.locator('tbody tr', { hasText: 'unbind, by an operator' });
    while ((await told.count()) === 0) {
      assert.ok(Date.now() < until, await page.locator('main').innerText());
      await page.reload();
    }
    assert.ok((await told.innerText()).includes('anna'));
    await context.close();

    const viewer = await open();
    await signIn(viewer.page, 'vera');
    await viewer.page.getByRole('link', { name: 'Audit', exact: true }).click();
    await viewer.page.getByLabel('Instance, binding or operation').fill(BINDING);
    await viewer.page.getByLabel('What').selectOption('intervened');
    await viewer.page.keyboard.press('Tab');
    await viewer.page.keyboard.press('Enter');
    await viewer.page.waitForURL((url) => url.searchParams.get('what') === 'intervened');
    const rows = await viewer.page.locator('tbody tr').allInnerTexts();
    assert.equal(rows.length, 1, rows.join('\n'));
    assert.ok(rows[0].includes('anna') && rows[0].includes('ended'), rows[0]);
    await viewer.page.goto(`${BASE}/instance?id=${INSTANCE}`);
    assert.equal(await viewer.page.getByRole('link', { name: 'End it' }).count(), 0);
    await viewer.page.goto(`${BASE}/binding/expire?id=${INSTANCE}&binding=${BINDING}`);
    assert.equal(await heading(viewer.page), 'Not allowed');
    assert.deepEqual([...left, ...viewer.left], []);
  },

  // Along all links, with all scripts let run.
  async text() {
    const { page, left } = await open({ bypassCSP: true });
    await signIn(page, 'anna');
    await page.goto(`${BASE}/instance?id=${FAILING}`);
    await page.locator('tbody').getByRole('link', { name: 'provision' }).click();
    await page.getByRole('link', { name: 'Give up' }).click();
    await page.getByLabel('Its user reads').fill(WHY);
    await page.getByRole('button', { name: 'Give up' }).click();
    await page.getByRole('status').waitFor();

    const next = [BASE, page.url(), `${BASE}/instances?q=${encodeURIComponent(WHY)}`];
    const seen = new Set();
    const marks = new Set();
    while (next.length > 0) {
      const url = next.pop();
      if (seen.has(url)) continue;
      seen.add(url);
      await page.goto(url);
      const found = await page.evaluate(() => ({
        owned: window.owned,
        scripts: document.scripts.length,
        pictures: document.querySelectorAll('img[src="x"]').length,
        handlers: [...document.querySelectorAll('*')].filter((e) => [...e.attributes].some((a) => a.name.startsWith('on'))).length,
        bad: [...document.links].filter((a) => !/^https?:/.test(a.href)).map((a) => a.href),
        text: document.documentElement.textContent,
        links: [...document.links].map((a) => a.href),
      }));
      assert.equal(found.owned, undefined, url);
      assert.equal(found.scripts + found.pictures + found.handlers, 0, url);
      assert.deepEqual(found.bad, [], url);
      for (const [, mark] of found.text.matchAll(/\[([a-z-]+)\]'"><img src=x/g)) marks.add(mark);
      for (const link of found.links) {
        if (link.startsWith(BASE) && !link.includes('#')) next.push(link);
      }
    }
    assert.ok(seen.size > 20, `only ${seen.size} pages`);
    assert.deepEqual(left, []);
    for (const mark of marks) console.log(`seen ${mark}`);
  },

  // What axe says of each page, wide and light, and small and dark; and pictures of them, if they are asked for.
  async accessible() {
    const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
    const pages = {
      'sign-in': '/sign-in',
      offering: '',
      service: '/offering?id=6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10',
      instances: '/instances',
      none: '/instances?q=none',
      instance: `/instance?id=${INSTANCE}`,
      operations: '/operations',
      operation: null,
      question: null,
      retry: null,
      forget: `/instance/forget?id=${INSTANCE}`,
      limits: '/limits',
      audit: '/audit',
      lines: `/audit?instance=${INSTANCE}&what=bind`,
      ending: `/binding/expire?id=${INSTANCE}&binding=${BINDING}`,
      document: '/document',
      lost: '/nothing',
    };
    const looks = [
      { width: 1440, height: 720, colorScheme: 'light', axe: true },
      { width: 390, height: 844, colorScheme: 'dark', axe: true },
      { width: 1440, height: 720, colorScheme: 'dark', some: true },
      { width: 390, height: 844, colorScheme: 'light', some: true },
    ];
    // Colours are the same on all pages: these have all kinds of them.
    const colourful = ['offering', 'instance', 'limits', 'audit', 'lines', 'ending'];
    const pictured = ['offering', 'instances', 'operation'];
    let looked = 0;
    const complaints = [];
    if (SCREENSHOTS) mkdirSync(SCREENSHOTS, { recursive: true });
    for (const look of looks) {
      const { page, context, left } = await open({
        viewport: { width: look.width, height: look.height },
        colorScheme: look.colorScheme,
        bypassCSP: true,
      });
      await page.goto(`${BASE}${pages['sign-in']}`);
      for (const [name, at] of Object.entries(pages)) {
        if (look.some && !SCREENSHOTS && !colourful.includes(name)) continue;
        if (name === 'offering') await signIn(page, 'anna');
        else if (name === 'operation') {
          await page.goto(`${BASE}/instance?id=${FAILING}`);
          await page.locator('tbody').getByRole('link', { name: 'provision' }).click();
          await page.getByText('Attempt 2: ').waitFor().catch(() => page.reload());
        } else if (name === 'retry') await page.goto(page.url().replace('/operation/give-up?', '/operation/retry?'));
        else if (name === 'question') await page.getByRole('link', { name: 'Give up' }).click();
        else await page.goto(`${BASE}${at}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= look.width, `${name} is ${wide} wide on ${look.width}`);
        if (look.axe || colourful.includes(name)) {
          await page.evaluate(axe);
          const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
          for (const v of violations) {
            complaints.push(`${name} ${look.width} ${look.colorScheme}: ${v.impact} ${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join(' | ')}`);
          }
          looked += 1;
        }
        if (SCREENSHOTS && pictured.includes(name)) {
          await page.mouse.move(0, 0);
          await page.screenshot({ path: `${SCREENSHOTS}/${name}-${look.width}-${look.colorScheme}.png` });
        }
      }
      assert.deepEqual(left, []);
      await context.close();
    }
    assert.deepEqual(complaints, []);
    console.log(`looked at ${looked} pages`);
  },

  // The counter-proof.
  async blind() {
    const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
    const { page, context, left } = await open({ bypassCSP: true });
    await context.route('https://elsewhere.example.com/**', (route) => route.abort());
    await page.goto(`${BASE}/sign-in`);
    await page.setContent(`<!DOCTYPE html><html lang="en"><title>x</title><main><h1>x</h1>${WHY}
      <img alt="" src="https://elsewhere.example.com/x.png"><input type="text"></main></html>`);
    await page.waitForFunction(() => window.owned);
    console.log(`a script ran: ${await page.evaluate(() => window.owned)}`);
    const until = Date.now() + PATIENCE;
    while (left.length === 0 && Date.now() < until) await page.waitForTimeout(50);
    for (const url of left) console.log(`a request left: ${url}`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    for (const v of violations) console.log(`axe found: ${v.id}`);
  },
};

try {
  await scenes[process.argv[2]]();
} finally {
  await browser.close();
}
