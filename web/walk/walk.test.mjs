// The walk: a real browser goes through the pages of the real program, as four people.
//
// FIRMWARD names the program (bin/firmward), CHROMIUM the browser, SHOTS a folder for screenshots (a new one under
// the system's temporary folder, removed at the end, unless given).
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { freePort, openHouse } from './house.mjs';

const program = resolve(process.env.FIRMWARD ?? '../bin/firmward');
const temp = mkdtempSync(join(tmpdir(), 'firmward-walk-'));
const shots = resolve(process.env.SHOTS ?? join(temp, 'shots'));
mkdirSync(shots, { recursive: true });

let house, browser, image, devices;
const tokens = {};
const wrong = []; // what must never happen on any page

before(async () => {
  assert.ok(existsSync(program), `${program} is not there: run make build`);
  house = await openHouse(program);
  for (const [name, role] of [['vera', 'viewer'], ['cara', 'operator'], ['dan', 'approver'], ['ada', 'admin']]) tokens[name] = house.firmward('tokens', 'add', name, '--role', role).trim();
  const answer = await fetch(`${house.base}/api/v1/devices?limit=1000`, { headers: { Authorization: `Bearer ${tokens.vera}` } });
  devices = (await answer.json()).items;
  image = join(temp, 'camera.bin');
  writeFileSync(image, 'no real image: the camera refuses it');
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
});

after(async () => {
  await browser?.close();
  await house?.close();
  rmSync(temp, { recursive: true, force: true });
});

// visit opens a page in a browser of its own and watches it.
async function visit(path, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on('request', (r) => new URL(r.url()).origin === house.base || wrong.push(`request to ${r.url()}`));
  page.on('pageerror', (e) => wrong.push(`${page.url()}: ${e.stack}`));
  page.on('console', (m) => {
    const refused = /status of (401|403|404|409|422|501|503)/.test(m.text()); // the browser's own note of an answer that the app shows
    if (['error', 'warning'].includes(m.type()) && !refused) wrong.push(`${page.url()}: ${m.text()}`);
  });
  await page.goto(house.base + path);
  return page;
}

async function enter(name, path = '/', options) {
  const page = await visit(path, options);
  await page.getByLabel('Your token').fill(tokens[name]);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('● live').waitFor();
  return page;
}

const go = (page, name) => page.getByRole('navigation').getByRole('link', { name, exact: true }).click();

test('a wrong token is refused in words, a right one stays in this tab alone', async () => {
  const page = await visit('/');
  await page.getByLabel('Your token').fill('fw_wrong');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').getByText('the token is not valid here').waitFor();
  await page.getByLabel('Your token').fill(tokens.vera);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Today', level: 1 }).waitFor();
  assert.deepEqual(await page.context().cookies(), []);
  assert.equal(await page.evaluate((t) => JSON.stringify(localStorage).includes(t), tokens.vera), false);
  await page.reload();
  await page.getByRole('heading', { name: 'Today', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('Your token').waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await page.context().close();
});

test('Today leads with how far it can be trusted', async () => {
  const page = await enter('vera');
  const order = await page.locator('main').getByText(/How far this list can be trusted|^Act now$|^Worth most per minute$|^Held up, and why$|^Ask a person/).allTextContents();
  assert.match(order[0], /How far/);
  assert.ok(order.length >= 5, order.join(', '));
  await page.getByText('starter set only').first().waitFor();
  const perMinute = (await page.getByRole('table').locator('tbody tr td:nth-child(6)').allTextContents()).filter(Boolean).map(Number);
  assert.ok(perMinute.length > 2 && perMinute.every((n, i) => i === 0 || n <= perMinute[i - 1]), `not sorted: ${perMinute}`);
  await page.context().close();
});

test('feeds: what is there, what is missing, and trouble where people look first', async () => {
  const ask = async (path) => (await fetch(`${house.base}/api/v1/${path}`, { headers: { Authorization: `Bearer ${tokens.vera}` } })).json();
  const { known } = await ask('feeds');
  const rows = (page) => page.getByRole('table', { name: 'Feeds' }).getByRole('row');
  const row = (page, name) => rows(page).filter({ has: page.getByText(name, { exact: true }) });
  const vera = await enter('vera');
  await vera.getByRole('link', { name: /^Short list\? Import feeds: \d+ were never imported/ }).click();
  await vera.getByRole('heading', { name: 'Feeds', level: 1 }).waitFor();
  await row(vera, 'starter').getByText('with the program').waitFor();
  for (const { name, kind } of known) if (kind !== 'starter') await row(vera, name).getByText('never imported').waitFor();
  assert.equal(await rows(vera).count(), known.length + 1);
  assert.equal(await vera.getByRole('main').getByRole('button').count(), 0, 'a viewer changes feeds');

  // A file: what is none is refused where it was chosen, and the document of today shows on both screens.
  const ada = await enter('ada', '/feeds');
  const dialog = ada.getByRole('dialog');
  const { time } = await ask('version');
  const other = join(temp, 'recipes.json');
  const ends = join(temp, 'ends.json');
  writeFileSync(other, '{"recipes": ["bread"]}');
  writeFileSync(ends, JSON.stringify({
    $schema: 'https://docs.oasis-open.org/openeox/tbd/schema/shell.json',
    statements: [{ core: { end_of_life: '2031-01-31T00:00:00Z', end_of_security_support: '2030-01-31T00:00:00Z', last_updated: time }, vendorName: 'Acme', productName: 'Bell', productVersion: '1' }],
  }));
  await ada.getByRole('button', { name: 'Import a file' }).click();
  await dialog.getByLabel('File').setInputFiles(other);
  await dialog.getByRole('button', { name: 'Import', exact: true }).click();
  await dialog.getByRole('alert').getByText('looks like none of the feeds').waitFor();
  await lookTwice(ada, 'feeds-import');
  await dialog.getByLabel('File').setInputFiles(ends);
  await dialog.getByRole('button', { name: 'Import', exact: true }).click();
  await ada.getByRole('status').getByText('openeox: 1 record from ends.json').waitFor();
  for (const page of [ada, vera]) await row(page, 'openeox').getByText('✓ fresh').waitFor();

  // Over the network: whom it asks is said before, and a feed that fails is shown at once, here and on Today.
  await ada.getByRole('button', { name: 'Follow kev' }).click();
  await dialog.getByText('This asks the internet: www.cisa.gov, and nobody else.').waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await dialog.waitFor({ state: 'detached' });
  const [address] = devices.find((d) => d.name === 'hue-1').addresses;
  house.firmward('feeds', 'set', 'kev', '--url', `http://${address}/kev.json`);
  await row(ada, 'kev').getByText(`from ${address}:80`).waitFor();
  await ada.getByRole('button', { name: 'Follow kev' }).click();
  await dialog.getByText(`This asks the internet: ${address}:80, and nobody else.`).waitFor();
  await lookTwice(ada, 'feeds-follow');
  await dialog.getByRole('button', { name: 'Follow', exact: true }).click();
  for (const page of [ada, vera]) await row(page, 'kev').getByText(/^▲ fetching failed/).waitFor();
  await row(ada, 'kev').getByText('followed, every 12 h').waitFor();
  assert.match(await rows(ada).nth(1).textContent(), /kev/, 'trouble does not stand first');
  assert.equal(await row(ada, 'kev').getByText('fresh').count(), 0);
  await lookTwice(ada, 'feeds-trouble');
  await go(vera, 'Today');
  await vera.getByText('A followed feed is in trouble, newer facts may be missing: kev').waitFor();
  await lookTwice(vera, 'today-trouble');

  await ada.getByRole('button', { name: 'Stop following kev' }).click();
  await dialog.getByRole('button', { name: 'Stop following' }).click();
  await row(ada, 'kev').getByText('fetched by hand').waitFor();
  await vera.getByText('A followed feed is in trouble').waitFor({ state: 'detached' });
  await ada.getByRole('button', { name: 'Fetch now: kev' }).click();
  await dialog.getByRole('button', { name: 'Fetch now' }).click();
  await row(ada, 'kev').getByText(/^▲ fetching failed/).waitFor();
  await vera.context().close();
  await ada.context().close();
});

test('a device is found and told', async () => {
  const page = await enter('vera');
  await go(page, 'Devices');
  const rows = page.getByRole('table', { name: 'Devices' }).getByRole('row');
  await page.getByText(`${devices.length} devices`).waitFor();
  const cameras = devices.filter((d) => d.model?.includes('P3265') && d.site === 'clinic').length;
  await page.getByLabel('Search').fill('P3265');
  await page.getByText(`${cameras} devices`).waitFor();
  assert.equal(await rows.count(), cameras + 1);
  await page.getByLabel('Site').selectOption('home');
  await page.getByText('No device fits.').waitFor();
  await page.getByLabel('Site').selectOption('clinic');
  await page.getByLabel('Owner').fill('nobody at all');
  await page.getByText('No device fits.').waitFor();
  await page.getByLabel('Owner').fill('');
  await page.getByText(`${cameras} devices`).waitFor();
  assert.match(page.url(), /text=P3265.*site=clinic|site=clinic.*text=P3265/);
  await page.getByRole('link', { name: 'cam-1', exact: true }).click();
  await page.getByRole('heading', { name: /cam-1/, level: 1 }).waitFor();
  for (const part of ['The next step', 'What it is', 'Findings', 'Rollouts', 'What happened']) await page.getByRole('heading', { name: part, exact: true }).waitFor();
  await page.getByText('How this came about').first().click();
  await page.getByText(/The starter set says/).first().waitFor();
  await page.getByText(/^The evidence: \d+ claims/).click();
  await page.getByText('axis/basic-device-info').first().waitFor();
  await page.getByText(/^Firmware: 10\.12\.\d+ → 10\.12\.\d+/).first().waitFor();
  await page.goto(`${house.base}/devices/nobody`);
  await page.getByRole('alert').getByText('There is no such thing').waitFor();
  await page.context().close();
});

test('a lamp hangs on its bridge, and the bridge bears its lamps', async () => {
  const bridge = devices.find((d) => d.name === 'hue-1');
  const page = await enter('vera', `/devices/${bridge.id}`);
  const hangs = page.getByRole('region', { name: 'What it hangs on, and what hangs on it' });
  await hangs.getByRole('listitem').filter({ hasText: /^bears Desk, Hall, Sofa \(probe:hue\)/ }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Ask it now' }).count(), 0, 'a viewer asks a device');
  await page.getByRole('listitem').filter({ hasText: 'changed by itself' }).getByText(/Firmware: \d+ → 1948086000/).waitFor();
  await page.getByText('nobody here ordered it').waitFor();
  await hangs.getByRole('link', { name: 'Sofa' }).click();
  await page.getByRole('heading', { name: /Sofa/, level: 1 }).waitFor();
  await hangs.getByText('is reached through').waitFor();
  await page.getByText('no address of its own; behind hue-1').waitFor();
  await hangs.getByRole('link', { name: 'hue-1' }).click();
  await page.getByRole('heading', { name: /hue-1/, level: 1 }).waitFor();
  await page.context().close();
});

test('an operator switches the automatic updates of a device, and it says so itself', async () => {
  const [bridge, lamp] = ['hue-1', 'Sofa'].map((name) => devices.find((d) => d.name === name));
  const page = await enter('cara', `/devices/${bridge.id}`);
  const own = page.getByRole('region', { name: 'Its own automatic updates' });
  await own.getByText('✓ on').waitFor();
  await own.getByRole('button', { name: 'Ask it now' }).click();
  await own.getByText('So it says now, and that it installs at 03:00').waitFor();
  for (const [order, said] of [['Switch them off', 'It waits for somebody'], ['Switch them on', 'It installs by itself']]) {
    await own.getByRole('button', { name: order }).click();
    await page.getByRole('dialog').getByText('The device is asked again afterwards').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: order }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await own.getByText(said).waitFor();
    await own.getByText('So it says now').waitFor();
  }
  await page.goto(`${house.base}/devices/${lamp.id}`);
  await own.getByText('So says its model card').waitFor();
  await own.getByRole('button', { name: 'Ask it now' }).click();
  await own.getByRole('alert').getByText('does not know how Sofa updates itself').waitFor();
  await page.context().close();
});

test('somebody is told, it does not arrive, and is told no more', async () => {
  const vera = await enter('vera');
  await go(vera, 'Notices');
  await vera.getByText('Nobody is told yet').waitFor();
  assert.equal(await vera.getByRole('button', { name: 'Tell somebody' }).count(), 0);
  const preview = vera.getByRole('article', { name: 'What a digest would say now' });
  await preview.waitFor();
  assert.doesNotMatch(await preview.textContent(), /•/);
  await vera.getByLabel('With names').check();
  await preview.getByText(/^• .+: /).first().waitFor();

  const page = await enter('ada', '/notices');
  await page.getByRole('button', { name: 'Tell somebody' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name', { exact: false }).first().fill('on duty');
  await dialog.getByLabel('Address').fill(`http://127.0.0.1:${await freePort()}/secret-path`);
  assert.equal(await dialog.getByLabel('Address').getAttribute('type'), 'password');
  await dialog.getByRole('button', { name: 'Add' }).click();
  await dialog.getByRole('alert').getByText("a recipient's name has letters, digits").waitFor();
  await lookTwice(page, 'notices-add');
  await dialog.getByLabel('Name', { exact: false }).first().fill('on-duty');
  await dialog.getByRole('button', { name: 'Add' }).click();
  assert.match(await dialog.getByLabel('Key').inputValue(), /^whsec_/);
  await page.keyboard.press('Escape');
  await dialog.getByRole('button', { name: 'Copy' }).click();
  await dialog.getByText(/^Copied\.|^The browser did not copy it/).waitFor();
  await lookTwice(page, 'notices-key');
  await dialog.getByRole('button', { name: 'I have kept it' }).click();
  await dialog.waitFor({ state: 'detached' });

  const row = page.getByRole('list', { name: 'Who is told' }).getByRole('listitem').filter({ hasText: 'on-duty' });
  await row.getByText('webhook at 127.0.0.1').waitFor();
  await page.getByRole('button', { name: 'Try on-duty' }).click();
  await row.getByRole('alert').getByText(/webhook at 127\.0\.0\.1: .*refused/).waitFor();
  assert.doesNotMatch(await page.content(), /secret-path|whsec_/);
  await lookTwice(page, 'notices-tried');
  await page.getByRole('button', { name: 'Remove on-duty' }).click();
  await dialog.getByRole('button', { name: 'Remove' }).click();
  await page.getByText('Nobody is told yet').waitFor();
  assert.equal(house.firmward('notices').includes('on-duty'), false);
  await vera.context().close();
  await page.context().close();
});

test('a rollout is started by one person, approved by another, and both see it live', async () => {
  const release = JSON.parse(house.firmward('releases', 'import', image, '--vendor', 'Axis', '--model', 'AXIS P3265-LV', '--hardware', '7A2', '--version', '10.12.300', '--origin', 'walk', '--json'));
  house.firmward('rollout', 'plan', release.id, '--server', house.base, '--token', tokens.cara);
  const cara = await enter('cara', '/rollouts');
  await cara.getByRole('link', { name: 'AXIS P3265-LV 10.12.300' }).click();
  await cara.getByText('the release is for hardware revision 7A2, this device is 7B0').waitFor();
  await cara.getByRole('button', { name: 'Start', exact: true }).click();
  await cara.getByRole('dialog').getByRole('button', { name: 'Start', exact: true }).click();
  await cara.getByText('0 of 1 approvals by somebody other than cara').waitFor();
  await cara.getByRole('button', { name: 'Approve', exact: true }).click();
  await cara.getByRole('dialog').getByRole('button', { name: 'Approve', exact: true }).click();
  await cara.getByRole('alert').getByText('cara is operator: this needs the role approver').waitFor();
  await cara.keyboard.press('Escape');

  await cara.getByRole('button', { name: 'Pause', exact: true }).click();
  const pause = cara.getByRole('dialog').getByRole('button', { name: 'Pause', exact: true });
  assert.ok(await pause.isDisabled(), 'a pause without a reason');
  await cara.getByRole('dialog').getByLabel('Why').fill('lunch');
  await pause.click();
  await cara.getByText('paused: lunch').waitFor();
  await cara.getByRole('button', { name: 'Resume', exact: true }).click();
  await cara.getByRole('dialog').getByRole('button', { name: 'Resume', exact: true }).click();
  await cara.getByText('0 of 1 approvals by somebody other than cara').waitFor();

  const out = cara.locator('.waves').getByRole('button', { name: /^Take .* out$/ });
  await lookTwice(cara, 'rollout-waits');
  await out.last().click();
  await cara.getByRole('dialog').getByLabel('Why').fill('a guest sleeps there');
  await cara.getByRole('dialog').getByRole('button', { name: 'Take out', exact: true }).click();
  await cara.getByText('stopped by cara: a guest sleeps there').waitFor();

  const dan = await enter('dan', new URL(cara.url()).pathname);
  await dan.getByRole('button', { name: 'Approve', exact: true }).click();
  await dan.getByRole('dialog').getByLabel('Note').fill('seen on the bench');
  await dan.getByRole('dialog').getByRole('button', { name: 'Approve', exact: true }).click();
  await dan.getByText('dan approved the start').waitFor();
  await cara.getByText('dan approved the start').waitFor(); // nobody reloaded her page
  await cara.getByText('seen on the bench').waitFor();

  // The window opens within a night. The image is none, so the canary does not succeed and nobody else gets it.
  await dan.locator('.waves').getByText(/^▲ (failed|rolled back)$/).first().waitFor({ timeout: 60_000 });
  await dan.getByText(/a canary failed/).first().waitFor();
  assert.equal(await dan.locator('.waves').getByText('waits for its turn').count(), 3);
  await cara.context().close();
  await dan.context().close();
});

test('a person says when the work begins and when it is done, and a look says whether', async () => {
  const [order] = house.firmward('workorders', '--json').split('\n').filter(Boolean).map((l) => JSON.parse(l)).filter((w) => w.kind === 'vendor-service');
  const page = await enter('cara', `/devices/${order.deviceId}`);
  const work = page.getByRole('region', { name: 'Work orders' });
  await work.getByRole('button', { name: 'I begin' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'I begin' }).click();
  await work.getByText(/^cara began/).waitFor();
  await lookTwice(page, 'work');
  await work.getByRole('button', { name: 'It is done' }).click();
  await page.getByRole('dialog').getByLabel('Note').fill('the technician was here');
  await page.getByRole('dialog').getByRole('button', { name: 'It is done' }).click();
  await work.getByText(/not done yet|reported done, being checked/).first().waitFor();
  assert.doesNotMatch(house.firmward('workorders', '--json', '--closed').split('\n').find((l) => l.includes(order.id)), /"state":"done"/);
  await page.context().close();
});

test('the red button is on every page, and everybody sees it at once', async () => {
  const vera = await enter('vera');
  const cara = await enter('cara', '/devices');
  await vera.getByRole('button', { name: 'Stop everything' }).click();
  await vera.getByRole('button', { name: 'Stop every new start' }).click();
  await vera.getByRole('alert').getByText('vera is viewer: this needs the role operator').waitFor();
  await vera.getByRole('button', { name: 'Cancel' }).click();
  await vera.getByRole('dialog').waitFor({ state: 'detached' });

  await cara.getByRole('button', { name: 'Stop everything' }).click();
  await cara.getByRole('dialog').getByLabel('Why').fill('smoke in the server room');
  await cara.getByRole('button', { name: 'Stop every new start' }).click();
  for (const page of [cara, vera]) await page.getByText('Everything is stopped').waitFor();
  await vera.getByText('Reason: smoke in the server room').waitFor();
  assert.match(house.firmward('next'), /STOP: the red button is pressed/);
  await cara.screenshot({ path: join(shots, 'stopped.png') });

  await cara.getByRole('button', { name: 'Release the stop' }).click();
  await cara.getByRole('button', { name: 'Let things start again' }).click();
  for (const page of [cara, vera]) await page.getByRole('button', { name: 'Stop everything' }).waitFor();
  await vera.context().close();
  await cara.context().close();
});

test('it works by keyboard', async () => {
  const page = await enter('cara');
  await page.locator('body').press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'To the content');
  const red = page.getByRole('button', { name: 'Stop everything' });
  await red.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Stop everything' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'TEXTAREA');
  for (let i = 0; i < 6; i++) await page.keyboard.press('Tab');
  assert.ok(await page.evaluate(() => !!document.activeElement.closest('[role=dialog]')), 'the focus left the dialog');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.ok(await red.evaluate((b) => b === document.activeElement), 'the focus did not come back');
  await page.getByRole('link', { name: 'Rollouts', exact: true }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Rollouts', level: 1 }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.context().close();
});

test('a token that was taken away ends the session', async () => {
  const page = await enter('vera', '/rollouts');
  const id = house.firmward('tokens', 'list', '--json').split('\n').filter(Boolean).map((l) => JSON.parse(l)).find((t) => t.name === 'vera').id;
  house.firmward('tokens', 'remove', id);
  await go(page, 'Devices');
  await page.getByLabel('Your token').waitFor();
  await page.context().close();
});

for (const colorScheme of ['light', 'dark']) {
  for (const width of [1440, 390]) {
    test(`every page fits at ${width} pixels, ${colorScheme}`, async () => {
      const options = { colorScheme, viewport: { width, height: 900 } };
      const login = await visit('/', options);
      await look(login, `login-${width}-${colorScheme}`);
      await login.context().close();
      const page = await enter('cara', '/', options);
      await page.getByRole('heading', { name: 'Held up, and why' }).waitFor();
      await look(page, `today-${width}-${colorScheme}`);
      await go(page, 'Devices');
      await page.getByText(`${devices.length} devices`).waitFor();
      await look(page, `devices-${width}-${colorScheme}`);
      await page.getByLabel('Search').fill('nas-1'); // devices come in the order of their ids: it may stand below the screen
      await page.getByRole('link', { name: 'nas-1', exact: true }).click();
      await page.getByText('First known').waitFor();
      await look(page, `device-${width}-${colorScheme}`);
      await go(page, 'Devices');
      await page.getByLabel('Search').fill('hue');
      await page.getByRole('link', { name: 'hue-1', exact: true }).click();
      await page.getByText('changed by itself').waitFor();
      await look(page, `bridge-${width}-${colorScheme}`);
      await page.getByRole('link', { name: 'Sofa' }).click();
      await page.getByText('no address of its own; behind hue-1').waitFor();
      await page.getByText('First known').waitFor();
      await look(page, `lamp-${width}-${colorScheme}`);
      await go(page, 'Feeds');
      await page.getByText('never imported').first().waitFor();
      await look(page, `feeds-${width}-${colorScheme}`);
      await go(page, 'Notices');
      await page.getByRole('article').waitFor();
      await look(page, `notices-${width}-${colorScheme}`);
      await go(page, 'Rollouts');
      await look(page, `rollouts-${width}-${colorScheme}`);
      await page.getByRole('link', { name: /SNPL-00112EU 1\.4\.4/ }).last().click();
      await page.getByRole('heading', { name: 'Waves' }).waitFor();
      await look(page, `rollout-${width}-${colorScheme}`);
      await page.context().close();
    });
  }
}

// lookTwice looks at what only one test brings about: narrow and dark, then as before.
async function lookTwice(page, name) {
  await page.setViewportSize({ width: 390, height: 900 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await look(page, `${name}-390-dark`);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.emulateMedia({ colorScheme: 'light' });
  await look(page, `${name}-1440-light`);
}

// look takes a screenshot and checks what can be checked without eyes: nothing is wider than the screen, and
// whatever can be operated has a name.
async function look(page, name) {
  await page.locator('h1').waitFor();
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
  const { wide, nameless } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth - window.innerWidth,
    nameless: [...document.querySelectorAll('a, button, input, select, textarea, summary')]
      .filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).map((e) => e.outerHTML),
  }));
  assert.ok(wide <= 0, `${name} is ${wide} pixels wider than the screen`);
  assert.deepEqual(nameless, []);
}

test('nothing went wrong on the way', () => assert.deepEqual(wrong, []));
