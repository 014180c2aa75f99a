// What signs a call: shared secrets and ed25519 keys, one after the other, with an overlap.
import assert from 'node:assert/strict';
import { createHmac, createPublicKey, verify } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Webhook } from 'standardwebhooks';
import { ROOT, Receiver, Server, click, eventually, temporaryFolder } from './harness.mjs';

const server = await Server.start();
const SEED = Buffer.from([...Array(32).keys()]);
const PUBLIC = 'whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=';

// Another verifier, from the specification alone: which of the header's signatures, in their
// order, are right for one of the keys? Gives each signature's key, or null.
function signedBy(call, keys) {
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': header } = call.headers;
  const text = Buffer.concat([Buffer.from(`${id}.${time}.`), call.body]);
  return header.split(' ').map((signature) => {
    const [version, base64] = signature.split(/,(.*)/);
    return keys.find((key) => {
      const bytes = Buffer.from(key.split('_')[1], 'base64');
      if (key.startsWith('whsec_')) {
        return version === 'v1' && createHmac('sha256', bytes).update(text).digest('base64') === base64;
      }
      const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), bytes]);
      const pem = createPublicKey({ key: der, format: 'der', type: 'spki' });
      return version === 'v1a' && verify(null, text, pem, Buffer.from(base64, 'base64'));
    }) ?? null;
  });
}

async function setting(t, channel, more = {}) {
  await server.channel(channel);
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  const webhook = await server.webhook(channel, receiver.url, more);
  const at = `/v1/channels/${channel}/webhooks/${webhook._id}`;
  return {
    webhook,
    at,
    rotate: (body) => server.must('POST', `${at}/secret/rotate`, { body }),
    async call() {
      const [id] = await server.send(channel, click(channel, 's'));
      return receiver.of(id);
    },
  };
}

test('after three rotations all four secrets sign, newest first, and after their time only the new one', async (t) => {
  const { webhook, at, rotate, call } = await setting(t, 'rotated');
  const secrets = [webhook.secret];
  for (let i = 0; i < 3; i++) secrets.unshift((await rotate({})).secret);
  assert.deepEqual(signedBy(await call(), secrets), secrets);
  for (const secret of secrets) {
    const sent = await call();
    new Webhook(secret).verify(sent.body.toString(), sent.headers); // throws when none agrees
  }
  const { secret, old } = await server.must('GET', `${at}/secret`);
  assert.equal(secret, secrets[0]);
  assert.equal(old.length, 3);
  for (const each of old) {
    const left = Date.parse(each.expiresAt) - Date.now();
    assert.ok(left > 23.9 * 3600e3 && left <= 24 * 3600e3, each.expiresAt);
  }

  // The end of an overlap comes by itself: nobody asks or writes anything.
  secrets.unshift((await rotate({ overlap: 0.5 })).secret);
  await eventually('the old ones are over', async () => signedBy(await call(), secrets).length === 1);
  assert.deepEqual(signedBy(await call(), secrets), [secrets[0]]);
  assert.deepEqual(await server.must('GET', `${at}/secret`), { secret: secrets[0] });
});

test('with an overlap of 0, and with PATCH, the old secret is revoked at once', async (t) => {
  const { webhook, at, rotate, call } = await setting(t, 'revoked');
  const { secret } = await rotate({ overlap: 0 });
  assert.deepEqual(signedBy(await call(), [webhook.secret, secret]), [secret]);
  await rotate({});
  const own = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  await server.must('PATCH', at, { body: { secret: own } });
  assert.deepEqual(signedBy(await call(), [own]), [own]);
});

test('an ed25519 key signs, alone and beside a shared secret', async (t) => {
  const secret = `whsk_${SEED.toString('base64')}`;
  const { webhook, rotate, call } = await setting(t, 'public', { secret });
  assert.equal(webhook.keyType, 'ed25519');
  assert.equal(webhook.publicKey, PUBLIC);
  assert.equal(Buffer.from(webhook.secret.slice(5), 'base64').length, 64);
  assert.deepEqual(signedBy(await call(), [PUBLIC]), [PUBLIC]);

  const shared = await rotate({ keyType: 'hmac' });
  const both = await call();
  assert.deepEqual(signedBy(both, [PUBLIC, shared.secret]), [shared.secret, PUBLIC]);
  new Webhook(shared.secret).verify(both.body.toString(), both.headers);
  const made = await rotate({ keyType: 'ed25519', overlap: 0 });
  assert.notEqual(made.publicKey, PUBLIC);
  assert.deepEqual(signedBy(await call(), [made.publicKey]), [made.publicKey]);
});

test('the verifier in docs/secrets.md agrees with real calls, and with nothing else', async (t) => {
  const [, code] = /```js\n([^]*?)```/.exec(readFileSync(path.join(ROOT, 'docs/secrets.md'), 'utf8'));
  const file = path.join(temporaryFolder(), 'verifier.mjs');
  writeFileSync(file, code);
  const verifier = await import(file);
  const { webhook, rotate, call } = await setting(t, 'documented', { keyType: 'ed25519' });
  const { secret } = await rotate({ keyType: 'hmac' });
  const { headers, body } = await call();
  for (const key of [webhook.publicKey, secret]) {
    assert.equal(verifier.verify(key, headers, body), true);
    assert.equal(verifier.verify(key, headers, Buffer.concat([body, Buffer.from(' ')])), false);
    assert.equal(verifier.verify(key, { ...headers, 'webhook-id': 'evt_1' }, body), false);
    assert.equal(verifier.verify(key, headers, body, Date.now() / 1000 + 400), false);
  }
  assert.equal(verifier.verify(PUBLIC, headers, body), false);
  assert.equal(verifier.verify('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', headers, body), false);
});

test('secrets and what is left of an overlap survive a kill', async (t) => {
  const dying = await Server.start();
  await dying.channel('kept');
  const receiver = await Receiver.open();
  t.after(() => receiver.close());
  const webhook = await dying.webhook('kept', receiver.url, { keyType: 'ed25519' });
  const at = `/v1/channels/kept/webhooks/${webhook._id}/secret`;
  const shown = await dying.must('POST', `${at}/rotate`, { body: { keyType: 'hmac', overlap: 3600 } });
  await dying.stop('SIGKILL');

  const revived = await dying.again();
  t.after(() => revived.stop());
  assert.deepEqual(await revived.must('GET', at), shown);
  const [id] = await revived.send('kept', click('kept', 's'));
  assert.deepEqual(
    signedBy(await receiver.of(id), [shown.secret, webhook.publicKey]),
    [shown.secret, webhook.publicKey],
  );
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
