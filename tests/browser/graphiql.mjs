// GraphiQL in a real browser, without the internet: the page comes from the server alone, its security policy lets
// it work, a query runs, signing in gives a token that counts, a subscription connects, and the manual can be read.
//
//   SOUK_URL=http://127.0.0.1:8080 node graphiql.mjs
//
// scripts/graphiql-test starts a server for it.
import assert from 'node:assert/strict';
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { chromium } from 'playwright-core';

const base = new URL(process.env.SOUK_URL ?? 'http://127.0.0.1:8080');
const screenshot = resolve(process.env.SCREENSHOT ?? join(import.meta.dirname, '../../target/graphiql.png'));

const profile = mkdtempSync(join(tmpdir(), 'souk-graphiql-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  viewport: { width: 1440, height: 900 },
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
browser.setDefaultTimeout(20_000);

// Everything that would make the page other than quiet and local, noted as it happens and judged at the end.
const elsewhere = [];
const errors = [];
const sockets = [];

async function until(what, holds) {
  for (const end = Date.now() + 20_000; !holds(); await new Promise((next) => setTimeout(next, 50))) {
    assert.ok(Date.now() < end, `waited for ${what} in vain`);
  }
}

async function step(what, action) {
  await action();
  console.log(`ok  ${what}`);
}

try {
  const page = browser.pages()[0] ?? (await browser.newPage());
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.protocol !== 'blob:' && url.origin !== base.origin) elsewhere.push(url.href);
  });
  page.on('console', (message) => {
    // A violation of the policy is reported here too. Warnings are advice to GraphiQL's own authors.
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('pageerror', (error) => {
    // GraphiQL shows the errors of a refused subscription, and throws their list once more behind its own back.
    if (error.message !== 'Array(1)') errors.push(`uncaught: ${error.message}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) errors.push(`${response.status()} ${response.url()}`);
  });
  page.on('websocket', (socket) => {
    const seen = { url: socket.url(), sent: [], received: [] };
    sockets.push(seen);
    socket.on('framesent', ({ payload }) => seen.sent.push(JSON.parse(payload)));
    socket.on('framereceived', ({ payload }) => seen.received.push(JSON.parse(payload)));
  });

  const result = page.locator('.result-window');
  const run = page.getByRole('button', { name: /^Execute query/ });
  // The editors draw only the lines in view, so what is in one has to come from itself.
  const content = (editor) => editor.locator('.CodeMirror').evaluate((element) => element.CodeMirror.getValue());
  const answer = async () => JSON.parse(await content(result));
  const tab = (name) => page.locator('.graphiql-tabs').getByRole('button', { name, exact: true });

  await step('the page opens under a policy', async () => {
    const response = await page.goto(new URL('/graphiql', base).href);
    assert.equal(response.status(), 200);
    const policy = response.headers()['content-security-policy'] ?? '';
    assert.match(policy, /default-src 'none'.*script-src 'nonce-/);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/);
    assert.equal(await page.title(), 'Souk');
    await run.waitFor();
  });

  await step('the example tabs are there', async () => {
    for (const name of ['Products', 'Product', 'Search', 'Categories', 'CartCreate', 'OrderPlace', 'OrderEvents', 'PaymentCreate', 'Order', 'SessionCreate', 'Me', 'InventoryAdjust', 'FulfillmentCreate']) {
      await tab(name).waitFor();
    }
  });

  await step('Run answers', async () => {
    await run.click();
    await result.getByText('"products"').waitFor();
    const { data, errors: refused } = await answer();
    assert.equal(refused, undefined);
    assert.ok(data.products.nodes.length > 0, 'the demo shop is empty');
    await result.getByText(data.products.nodes[0].name).first().waitFor();
  });

  await step('the manual can be read', async () => {
    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    const docs = page.locator('.graphiql-doc-explorer');
    await docs.getByRole('link', { name: 'Query', exact: true }).or(docs.getByText('Query', { exact: true })).first().click();
    await docs.getByText('products', { exact: true }).first().click();
    await docs.locator('.graphiql-doc-explorer-title').getByText('products').waitFor();
    const description = await docs.locator('.graphiql-markdown-description').first().innerText();
    assert.ok(description.trim().length > 20, `the description of Query.products says only: ${description}`);
  });

  await step('the screenshot is kept', async () => {
    mkdirSync(dirname(screenshot), { recursive: true });
    await page.screenshot({ path: screenshot });
    console.log(`    ${screenshot}`);
  });

  // GraphiQL reads the operation's name a moment after the tab was changed; before that Run sends the old one.
  const runUntil = async (text) => {
    for (let tries = 1; ; tries += 1) {
      await run.click();
      try {
        await result.getByText(text).first().waitFor({ timeout: 2_000 });
        return;
      } catch (error) {
        if (tries === 10) throw error;
      }
    }
  };

  await step('signing in gives a token, which the headers of another tab take', async () => {
    await tab('SessionCreate').click();
    await runUntil('"accessToken"');
    const { data } = await answer();
    assert.deepEqual(data.sessionCreate.userErrors, []);
    const token = data.sessionCreate.tokens.accessToken;
    await tab('Me').click();
    await page.getByRole('button', { name: 'Headers', exact: true }).click();
    const headers = page.locator('.graphiql-editor-tool .graphiql-editor:not(.hidden)');
    const placed = await content(headers);
    assert.match(placed, /"Authorization": "Bearer <accessToken/);
    await headers.locator('.CodeMirror').click();
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.insertText(placed.replace(/<.*>/, token));
    await runUntil('"me"');
    const { data: mine } = await answer();
    assert.equal(mine.me.email, 'customer@demo.souk.example');
    assert.equal(mine.me.sessions.filter((session) => session.isCurrent).length, 1);
  });

  await step('the tabs walk from a product to a paid order, which a subscription watches', async () => {
    // What stands in angle brackets is to be replaced; a tab's variables are the editor below its query.
    const fill = async (name, values) => {
      await tab(name).click();
      await page.getByRole('button', { name: 'Variables', exact: true }).click();
      const variables = page.locator('.graphiql-editor-tool .graphiql-editor:not(.hidden)');
      let text = await content(variables);
      for (const [what, value] of Object.entries(values)) {
        assert.ok(text.includes(what), `${name} asks for ${what}: ${text}`);
        text = text.replace(what, value);
      }
      await variables.locator('.CodeMirror').click();
      await page.keyboard.press('ControlOrMeta+A');
      await page.keyboard.insertText(text);
    };
    await tab('Product').click();
    await runUntil('"variants"');
    const variant = (await answer()).data.product.variants[0].id;
    await fill('CartCreate', { '<id of a variant, from a product>': variant });
    await runUntil('"subtotal"');
    const { cart } = (await answer()).data.cartCreate;
    await fill('OrderPlace', { '<id of the cart>': cart.id });
    await runUntil('"guestToken"');
    const placed = (await answer()).data.orderPlace;
    assert.equal(placed.order.status, 'PENDING_PAYMENT');
    const order = { '<id of the order>': placed.order.id, '<guestToken of the order>': placed.guestToken };
    await fill('OrderEvents', order);
    await tab('OrderEvents').waitFor();
    await run.click();
    await until('a subscription', () => sockets.at(-1)?.sent.some(({ type }) => type === 'subscribe'));
    // Paid by another client, since a tab that is left ends its subscription.
    const pay = await page.request.post(new URL('/graphql', base).href, {
      data: {
        query: `mutation ($input: PaymentCreateInput!, $token: String) {
          paymentCreate(input: $input, guestToken: $token) { payment { status } userErrors { code } } }`,
        variables: {
          input: { orderId: placed.order.id, gateway: 'TEST', idempotencyKey: 'browser' },
          token: placed.guestToken,
        },
      },
    });
    assert.equal((await pay.json()).data.paymentCreate.payment.status, 'CAPTURED');
    await result.getByText('"CONFIRMED"').first().waitFor();
    await fill('Order', order);
    await runUntil('"PAYMENT_CAPTURED"');
    assert.equal((await answer()).data.order.paymentStatus, 'PAID');
    sockets.length = 0;
  });

  await step('a subscription connects', async () => {
    await page.getByRole('button', { name: /^(Add|New) tab$/ }).click();
    await page.locator('.graphiql-query-editor .CodeMirror').click();
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.insertText('subscription Mine { myOrderEvents { cursor } }');
    // The tab takes the operation's name once the editor has parsed it; before that Run would send the old one.
    await tab('Mine').waitFor();
    await run.click();
    // Whether this caller may is the server's business; that both speak the protocol, and it answers, is ours.
    await until('an answer on the socket', () => sockets[0]?.received.some(({ id }) => id !== undefined));
    const [socket] = sockets;
    assert.equal(socket.url, new URL('/graphql/ws', base).href.replace(/^http/, 'ws'));
    assert.ok(socket.received.some(({ type }) => type === 'connection_ack'));
    assert.match(await result.innerText(), /"(data|errors|message)"/);
  });

  await step('a token among the headers goes along to the socket', async () => {
    // The tab that comes with a token.
    await tab('InventoryAdjust').click();
    await page.locator('.graphiql-query-editor .CodeMirror').click();
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.insertText('subscription Hers { shopOrderEvents { cursor } }');
    await tab('Hers').waitFor();
    await run.click();
    await until('a second socket', () => sockets[1]?.sent.length > 0);
    assert.match(sockets[1].sent[0].payload.authorization, /^Bearer /);
  });

  await step('the settings open and close', async () => {
    await page.getByRole('button', { name: 'Open settings dialog' }).click();
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
  });

  assert.deepEqual(elsewhere, [], 'requests left the server');
  assert.deepEqual(errors, [], 'the browser complained');
  console.log('ok  no request left the server, no complaint in the console');
} catch (error) {
  for (const page of browser.pages()) {
    await page.screenshot({ path: screenshot.replace(/\.png$/, '') + '.failed.png' }).catch(() => {});
  }
  console.error({ elsewhere, errors });
  throw error;
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
