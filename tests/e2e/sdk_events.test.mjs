// The life of an app with each SDK: which of its requests are an event, and which are not; and
// each event's body as the product page has it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Server } from './harness.mjs';
import { AndroidSdk, App, IosSdk, SDKS, UNLIMITED, WebSdk } from './sdk.mjs';

const server = await Server.start({ args: [...UNLIMITED, '--country-header', 'X-Country'] });
let made = 0;

const open = (t, config) => App.open(t, server, `life${++made}`, config);
const GUID = ['https://www.example.com/news/1', 'tag:example.com,2024:1'];

// What of a device is shown in webhooks.
const SEEN = {
  Android: { browserType: 'SDK', platformName: 'Android', language: 'de', timezone: 'Europe/Berlin' },
  iOS: { browserType: 'SDK', platformName: 'iOS', language: 'en', country: 'GB', timezone: 'Europe/London' },
  web: { browserType: 'Chrome', platformName: 'Mac OS', language: 'de', country: 'AT', timezone: 'Europe/Vienna' },
};

// A device of this kind that has opted in, in a channel of its own.
async function device(t, Kind, more, config) {
  const app = await open(t, config);
  const sdk = await app.sdk(Kind, more).init();
  await app.told(() => sdk.subscribe());
  return { app, sdk };
}

for (const [name, Kind] of Object.entries(SDKS)) {
  test(`${name}: a device's life, and what is told of it`, async (t) => {
    const app = await open(t);
    const sdk = await app.sdk(Kind).init();
    await server.must('POST', `${app.path}/notifications`, {
      body: { _id: 'RfS4GzvnjzwXa9cqr', feedGuid: GUID, title: 'News' },
    });
    const known = () => ({ _id: sdk.id, ...SEEN[name] });
    const tells = (what, ...expected) => app.tells(what, known, ...expected);

    // It comes, and is heard of again.
    const [optIn] = await tells(() => sdk.subscribe(), ['optIn']);
    const { id } = sdk;
    assert.match(id, /^[A-Za-z0-9]{17}$/);
    assert.equal(optIn.subscription.syncedAt, optIn.subscription.createdAt);
    await tells(() => sdk.sync());
    await tells(() => sdk.subscribe());
    assert.equal(sdk.id, id);

    // Topics.
    await tells(() => sdk.addTopic('t1'), ['topicAdded', { topics: [] }, { newTopicsIds: ['t1'] }]);
    await tells(() => sdk.sync());
    await tells(() => sdk.addTopic('t1'));
    await tells(() => sdk.addTopic('t2'), ['topicAdded', { topics: ['t1'] }, { newTopicsIds: ['t2'] }]);
    await tells(() => sdk.setTopics(['t2', 't3']), ['updateTopics', { topics: ['t2', 't3'] }]);
    await tells(() => sdk.setTopics(['t3', 't2']));
    await tells(() => sdk.setTopics(['t2', 't3', 't1', 't4']),
      ['topicAdded', { topics: ['t2', 't3'] }, { newTopicsIds: ['t1', 't4'] }]);
    await tells(() => sdk.removeTopic('t3'), ['updateTopics', { topics: ['t2', 't1', 't4'] }]);
    await tells(() => sdk.setTopics(['t2']), ['updateTopics', { topics: ['t2'] }]);
    await tells(() => sdk.sync());

    // Attributes.
    const topics = ['t2'];
    const holds = (customAttributes) => ['attributeUpdate', { topics, customAttributes }];
    await tells(() => sdk.setAttribute('user_id', 'a/b "ü" 1'), holds({ user_id: 'a/b "ü" 1' }));
    await tells(() => sdk.setAttribute('user_id', 'a/b "ü" 1'));
    await tells(() => sdk.setAttribute('interests', ['x']), holds({ user_id: 'a/b "ü" 1', interests: ['x'] }));
    await tells(() => sdk.pushAttribute('interests', 'y'), holds({ user_id: 'a/b "ü" 1', interests: ['x', 'y'] }));
    await tells(() => sdk.pushAttribute('interests', 'y'));
    await tells(() => sdk.pullAttribute('interests', 'x'), holds({ user_id: 'a/b "ü" 1', interests: ['y'] }));
    await tells(() => sdk.pullAttribute('interests', 'x'));
    await tells(() => sdk.clearAttribute('interests'), holds({ user_id: 'a/b "ü" 1' }));
    await tells(() => sdk.clearAttribute('interests'));
    await tells(() => sdk.setAttribute('user_id', ''), holds({ user_id: '' }));

    // Tags.
    await tells(() => sdk.tag('g1'));
    await tells(() => sdk.tag('g2'));
    await tells(() => sdk.untag('g1'));
    assert.deepEqual((await app.subscription(id)).tags, ['g2']);
    await tells(() => sdk.sync());
    assert.deepEqual(sdk.tags, ['g2']);

    // Pushes.
    const push = { _id: 'RfS4GzvnjzwXa9cqr', feedGuid: GUID };
    await tells(() => sdk.delivered(push._id), ['delivery', {}, { notification: push }]);
    await tells(() => sdk.delivered(push._id));
    await tells(() => sdk.delivered('unheard-of'), ['delivery', {}, { notification: { _id: 'unheard-of' } }]);
    await tells(() => sdk.clicked(push._id), ['click', {}, { notification: push }]);
    await tells(() => sdk.clicked(push._id));
    await tells(() => sdk.clicked(push._id, '0'), ['click', {}, { notification: push }]);
    await tells(() => sdk.clicked(push._id, '0'));
    await tells(() => sdk.clicked(push._id, 'read-later'), ['click', {}, { notification: push }]);
    const clicks = (await app.events()).filter((event) => event.type === 'click');
    const { clickedDates } = await app.subscription(id);
    assert.deepEqual(clickedDates, clicks.map((event) => event.payload.date));

    // It goes.
    const went = { _id: id, topics: [] };
    await tells(() => sdk.unsubscribe(), ['optOut', went]);
    sdk.id = id;
    await tells(() => sdk.unsubscribe());
    const left = await app.subscription(id);
    assert.equal(left.inactive, true);
    assert.deepEqual([left.topics, left.tags, left.customAttributes], [[], ['g2'], { user_id: '' }]);
    for (const secret of Object.keys(sdk.push)) assert.equal(left[secret], undefined);
    await tells(() => sdk.delivered('late', id), ['delivery', { _id: id }, { notification: { _id: 'late' } }]);
    await tells(() => sdk.clicked('late', undefined, id), ['click', { _id: id }, { notification: { _id: 'late' } }]);

    // It comes back with the same token, and is somebody new: its id was forgotten on both sides.
    sdk.topics = undefined;
    sdk.topicsVersion = undefined;
    await tells(() => sdk.subscribe(), ['optIn']);
    assert.notEqual(sdk.id, id);

    // No secret is anywhere but in an export.
    const texts = [
      ...sdk.answers.map((answer) => answer.text),
      ...app.receiver.calls.map((call) => call.body.toString()),
      JSON.stringify(await app.events()),
      ...(await Promise.all([`/subscriptions/${sdk.id}`, '/subscriptions', '/config'].map(
        async (rest) => (await server.call('GET', app.path + rest)).text))),
    ];
    const exported = (await server.call('GET', `${app.path}/subscriptions/export`)).text;
    for (const secret of sdk.secrets) {
      for (const text of texts) assert.ok(!text.includes(secret), text);
      assert.ok(exported.includes(JSON.stringify(secret)), exported);
    }
  });
}

// ---- topics ----

test('a topic that is added twice at once is one topicAdded, whichever request comes first', async (t) => {
  const { app, sdk } = await device(t, AndroidSdk);
  const seen = { _id: sdk.id, ...SEEN.Android };
  const add = (topic, topics) => [
    () => sdk.postTopic('add', topic),
    () => sdk.setTopics(topics),
  ];
  const [addFirst, syncSecond] = add('t1', ['t1']);
  await app.tells(addFirst, seen, ['topicAdded', { topics: [] }, { newTopicsIds: ['t1'] }]);
  await app.tells(syncSecond, seen);
  const [addSecond, syncFirst] = add('t2', ['t1', 't2']);
  await app.tells(syncFirst, seen, ['topicAdded', { topics: ['t1'] }, { newTopicsIds: ['t2'] }]);
  await app.tells(addSecond, seen);
  await app.tells(() => sdk.postTopic('remove', 't2'), seen, ['updateTopics', { topics: ['t1'] }]);
  await app.tells(() => sdk.setTopics(['t1']), seen);
  await app.tells(() => sdk.setTopics([]), seen, ['updateTopics', { topics: [] }]);
  await app.tells(() => sdk.postTopic('remove', 't1'), seen);
});

test('two topics that are added one after the other come in order, however their requests cross', async (t) => {
  const { app, sdk } = await device(t, AndroidSdk);
  const version = (sdk.topicsVersion ?? 0) + 1;
  const list = (topics, topicsVersion) =>
    sdk.sync({ channelId: app.channel, topics, topicsVersion, subscriptionId: sdk.id });
  const events = await app.told(async () => {
    await list(['t1', 't2'], version + 1);
    await list(['t1'], version); // on its way for longer
    await sdk.postTopic('add', 't2');
    await sdk.postTopic('add', 't1');
  });
  assert.deepEqual(events.map((event) => [event.type, event.newTopicsIds]), [['topicAdded', ['t1', 't2']]]);
  assert.deepEqual(sdk.topics, ['t1', 't2']);
});

test('1,000 topics, each added by two requests at once, are 1,000 topicAdded', async (t) => {
  const app = await open(t);
  const sdks = Array.from({ length: 250 }, () => app.sdk(AndroidSdk));
  const optIns = await app.told(() => Promise.all(sdks.map((sdk) => sdk.sync())));
  assert.equal(optIns.length, sdks.length);
  assert.equal(new Set(sdks.map((sdk) => sdk.id)).size, sdks.length);
  const wanted = ['a', 'b', 'c', 'd'];
  const events = await app.told(() => Promise.all(sdks.map(async (sdk) => {
    for (const topic of wanted) await sdk.addTopic(topic);
  })));
  assert.equal(events.length, 1000);
  const seen = new Map(sdks.map((sdk) => [sdk.id, []]));
  for (const event of events) {
    assert.equal(event.type, 'topicAdded');
    const before = seen.get(event.subscription._id);
    assert.deepEqual(event.subscription.topics, before);
    assert.deepEqual(event.newTopicsIds, [wanted[before.length]]);
    before.push(...event.newTopicsIds);
  }
  for (const sdk of sdks) assert.deepEqual([seen.get(sdk.id), sdk.topics], [wanted, wanted]);
});

test('a topic that a hundred requests add at once is one topicAdded', async (t) => {
  const { app, sdk } = await device(t, AndroidSdk);
  const many = (act) => () => Promise.all(Array.from({ length: 100 }, act));
  const seen = { _id: sdk.id, ...SEEN.Android };
  await app.tells(many(() => sdk.postTopic('add', 't1')), seen,
    ['topicAdded', { topics: [] }, { newTopicsIds: ['t1'] }]);
  await app.tells(many(() => sdk.postTopic('remove', 't1')), seen, ['updateTopics', { topics: [] }]);
  await app.tells(many(() => sdk.setAttribute('user_id', 'x')), seen,
    ['attributeUpdate', { topics: [], customAttributes: { user_id: 'x' } }]);
  await app.tells(many(() => sdk.delivered('n')), seen, ['delivery', {}, { notification: { _id: 'n' } }]);
  await app.tells(many(() => sdk.unsubscribe()), { _id: sdk.id, ...SEEN.Android }, ['optOut', { topics: [] }]);
});

test('the topics that are on at first are an event of their own', async (t) => {
  for (const [name, Kind] of [['Android', AndroidSdk], ['iOS', IosSdk]]) {
    const app = await open(t, { sdk: { confirmAlertHideChannelTopics: false } });
    const sdk = await app.sdk(Kind).init();
    await app.tells(() => sdk.subscribe(), () => ({ _id: sdk.id, ...SEEN[name] }),
      ['optIn'], ['topicAdded', { topics: [] }, { newTopicsIds: ['t1', 't2'] }]);
  }
});

test('a subscription that is new and has topics and attributes tells of them after it', async (t) => {
  const app = await open(t);
  let id;
  const customAttributes = { user_id: 'test123', interests: ['x'] };
  const sync = async () => {
    const answer = await server.must('POST', `/subscription/sync/${app.channel}`, {
      key: null, body: { emailAddress: 'a@example.com', platformName: 'Mail', topics: ['t1', 't2'], customAttributes },
    });
    id = answer.id;
  };
  const known = () => ({ _id: id, platformName: 'Mail', topics: ['t1', 't2'], customAttributes });
  const all = [['optIn'], ['updateTopics'], ['attributeUpdate']];
  await app.tells(sync, known, ...all);
  // An address is not known to its device alone: it identifies nobody.
  const first = id;
  await app.tells(sync, known, ...all);
  assert.notEqual(id, first);
});

// ---- topicsVersion ----

test('a list with an older version than the one in force changes nothing, and the answer has that one', async (t) => {
  const { app, sdk } = await device(t, WebSdk);
  const list = (topics, topicsVersion) => server.must('POST', `/subscription/sync/${app.channel}`, {
    key: null, body: { subscriptionId: sdk.id, topics, topicsVersion },
  });
  const answers = async (topics, version, inForce, versionInForce, ...types) => {
    const events = await app.told(async () => {
      const answer = await list(topics, version);
      assert.deepEqual([answer.topics, answer.topicsVersion], [inForce, versionInForce]);
    });
    assert.deepEqual(events.map((event) => event.type), types);
  };
  await answers(['t1'], 5, ['t1'], 5, 'topicAdded');
  await answers(['t2'], 4, ['t1'], 5);
  await answers([], 0, ['t1'], 5);
  await answers(['t2'], 5, ['t2'], 5, 'updateTopics'); // as iOS sends it
  await answers(['t2', 't3'], 6, ['t2', 't3'], 6, 'topicAdded'); // as Android does
  await answers(['t1'], '6', ['t1'], 6, 'updateTopics'); // as iOS may
  await answers(['t1'], '9', ['t1'], 9);
  await answers(['t3'], '8', ['t1'], 9);
  await answers(['t1', 't3'], undefined, ['t1', 't3'], 9, 'topicAdded');
  await answers(['t1'], null, ['t1'], 9, 'updateTopics');
  await answers(['t3'], 1000, ['t3'], 1000, 'updateTopics');
});

test('a list that the customer has set stays when a device sends the one it had before', async (t) => {
  for (const [name, Kind] of Object.entries(SDKS)) {
    const { app, sdk } = await device(t, Kind);
    await app.told(() => sdk.setTopics(['t1']));
    const seen = { _id: sdk.id, ...SEEN[name] };
    const body = { topics: ['t2', 't3'] };
    await app.tells(() => server.must('PUT', `${app.path}/subscriptions/${sdk.id}/topics`, { body }), seen,
      ['updateTopics', body]);
    // It has not heard of it: its next list is an old one, and it learns from the answer.
    await app.tells(() => sdk.setTopics(['t1']), seen);
    assert.deepEqual(sdk.topics, body.topics);
    await app.tells(() => sdk.sync(), seen);
    await app.tells(() => sdk.addTopic('t1'), seen, ['topicAdded', body, { newTopicsIds: ['t1'] }]);
    await app.tells(() => sdk.setTopics([]), seen, ['updateTopics', { topics: [] }]);
  }
});

// ---- who is who ----

test('a sync with the same push token and no id is the same subscription', async (t) => {
  for (const [name, Kind] of Object.entries(SDKS)) {
    const { app, sdk } = await device(t, Kind);
    const { id } = sdk;
    sdk.id = undefined; // the answer was lost
    await app.tells(() => sdk.sync(), { _id: id, ...SEEN[name] });
    assert.equal(sdk.id, id);
    sdk.id = 'S9cA4fr2doS24d2f6'; // of somewhere else
    await app.tells(() => sdk.sync(), { _id: id, ...SEEN[name] });
    assert.equal(sdk.id, id);
  }
});

test('fifty first syncs of one device at once are one subscription', async (t) => {
  const app = await open(t);
  const sdk = app.sdk(IosSdk);
  const body = sdk.whole();
  const ids = new Set();
  const sync = async () => {
    const answer = await sdk.post(`/subscription/sync/${app.channel}`, body, sdk.syncHeaders());
    ids.add(answer.json.id);
  };
  await app.tells(() => Promise.all(Array.from({ length: 50 }, sync)),
    () => ({ _id: [...ids][0], ...SEEN.iOS }), ['optIn']);
  assert.equal(ids.size, 1);
});

test('a sync with an unknown id is a new subscription, under another id', async (t) => {
  for (const [name, Kind] of Object.entries(SDKS)) {
    const app = await open(t);
    const sdk = app.sdk(Kind);
    sdk.id = 'S9cA4fr2doS24d2f6';
    await app.tells(() => sdk.sync(), () => ({ _id: sdk.id, ...SEEN[name] }), ['optIn']);
    assert.notEqual(sdk.id, 'S9cA4fr2doS24d2f6');
  }
});

test('a device with a new push token keeps its id, and the old token is nobody\'s', async (t) => {
  const { app, sdk } = await device(t, AndroidSdk);
  const { id } = sdk;
  const old = sdk.push;
  sdk.push = { fcmToken: `${old.fcmToken}-new` };
  await app.tells(() => sdk.sync(), { _id: id, ...SEEN.Android });
  assert.equal(sdk.id, id);
  const second = app.sdk(AndroidSdk);
  second.push = old;
  await app.tells(() => second.sync(), () => ({ _id: second.id, ...SEEN.Android }), ['optIn']);
  assert.notEqual(second.id, id);
});

test('a device whose channel is deleted is told so', async (t) => {
  const { app, sdk } = await device(t, AndroidSdk);
  await server.call('DELETE', app.path);
  await assert.rejects(sdk.sync(), (error) => error.status === 404);
  assert.equal(sdk.id, undefined, 'it has tried once more as a new one');
  await assert.rejects(sdk.init(), (error) => error.status === 404);
});

test('one that has opted out and syncs with its id is back under it', async (t) => {
  for (const [name, Kind] of Object.entries(SDKS)) {
    const { app, sdk } = await device(t, Kind);
    const { id } = sdk;
    await app.told(() => sdk.setTopics(['t1']));
    await app.told(() => sdk.setAttribute('user_id', 'x'));
    const seen = { _id: id, ...SEEN[name] };
    await app.tells(() => sdk.unsubscribe(), seen, ['optOut', { topics: [] }]);
    sdk.id = id;
    sdk.topics = [];
    await app.tells(() => sdk.sync(), seen, ['optIn'],
      ['attributeUpdate', { topics: [], customAttributes: { user_id: 'x' } }]);
    assert.equal(sdk.id, id);
    const shown = await app.subscription(id);
    assert.deepEqual([shown.inactive, shown.topics, shown.customAttributes], [false, [], { user_id: 'x' }]);
  }
});

test('an opt-out by the customer is an optOut, once', async (t) => {
  const { app, sdk } = await device(t, IosSdk);
  const seen = { _id: sdk.id, ...SEEN.iOS };
  const target = `${app.path}/subscriptions/${sdk.id}`;
  await app.tells(() => server.must('DELETE', target), seen, ['optOut', { topics: [] }]);
  await app.tells(() => server.call('DELETE', target), seen);
  await app.tells(() => sdk.unsubscribe(), seen);
});

// ---- what a request does not mention ----

test('what a request does not mention, or mentions as null, stays', async (t) => {
  const { app, sdk } = await device(t, IosSdk);
  await app.told(() => sdk.setTopics(['t1']));
  await app.told(() => sdk.setAttribute('user_id', 'x'));
  await sdk.tag('g1');
  const before = await app.subscription(sdk.id);
  const nothing = Object.fromEntries(Object.keys(sdk.whole()).map((name) => [name, null]));
  const partial = [
    { subscriptionId: sdk.id }, { ...nothing, subscriptionId: sdk.id, tags: null, customAttributes: null },
    { subscriptionId: sdk.id, topics: ['t1'], topicsVersion: sdk.topicsVersion },
  ];
  await app.tells(async () => {
    for (const body of partial) {
      await server.must('POST', `/subscription/sync/${app.channel}`, { key: null, body });
    }
    await sdk.liveActivity('match/1', 'live-activity-token');
  }, {});
  const { syncedAt, iosLiveActivityId, ...after } = await app.subscription(sdk.id);
  const { syncedAt: then, ...rest } = before;
  assert.ok(Date.parse(syncedAt) >= Date.parse(then));
  assert.equal(iosLiveActivityId, 'match/1');
  assert.deepEqual(after, rest);
});

test('a session without a push before it is taken', async (t) => {
  const { app, sdk } = await device(t, IosSdk);
  await app.tells(() => sdk.startSession(), {});
  const stranger = app.sdk(IosSdk);
  await app.tells(() => stranger.startSession(), {}); // cut short behind the channel
});

test('a body that is cut short changes nothing', async (t) => {
  const { app, sdk } = await device(t, IosSdk);
  const refused = (error) => error.status === 400;
  await app.tells(() => assert.rejects(sdk.setAttribute('user_id', undefined), refused), {});
  sdk.id = undefined;
  await app.tells(() => assert.rejects(sdk.addTopic('t1'), refused), {});
  await app.tells(() => assert.rejects(sdk.delivered('n'), refused), {});
});

test('attributes are whatever JSON has for one value or a list', async (t) => {
  const { app, sdk } = await device(t, WebSdk);
  const seen = { _id: sdk.id, ...SEEN.web };
  const holds = (customAttributes) => ['attributeUpdate', { topics: [], customAttributes }];
  await app.tells(() => sdk.setAttribute('n', 7), seen, holds({ n: 7 }));
  await app.tells(() => sdk.setAttribute('n', 7), seen);
  await app.tells(() => sdk.setAttribute('n', '7'), seen, holds({ n: '7' }));
  await app.tells(() => sdk.setAttribute('n', true), seen, holds({ n: true }));
  await app.tells(() => sdk.setAttribute('n', 'x'), seen, holds({ n: 'x' }));
  await app.tells(() => sdk.pushAttribute('n', 'y'), seen, holds({ n: ['x', 'y'] }));
  await app.tells(() => sdk.pushAttribute('m', 'z'), seen, holds({ n: ['x', 'y'], m: ['z'] }));
  await app.tells(() => sdk.pullAttribute('m', 'z'), seen, holds({ n: ['x', 'y'], m: [] }));
  await app.tells(() => sdk.setAttribute('n', []), seen, holds({ n: [], m: [] }));
  await app.tells(() => sdk.clearAttribute('m'), seen, holds({ n: [] }));
  await app.tells(() => sdk.clearAttribute('n'), seen, holds({}));
});

// ---- pushes ----

test('a report that names no channel belongs to the push\'s, or the subscription\'s', async (t) => {
  const [here, there] = [await open(t), await open(t)];
  const body = { platformName: 'Android', browserType: 'SDK' };
  for (const app of [here, there]) {
    await app.told(() => server.must('PUT', `${app.path}/subscriptions/shared`, { body }));
  }
  await server.must('POST', `${there.path}/notifications`, { body: { _id: 'there-1', feedGuid: GUID } });
  const sdk = here.sdk(AndroidSdk);
  const told = await there.told(() => sdk.delivered('there-1', 'shared'));
  assert.deepEqual(told.map((event) => [event.type, event.notification]),
    [['delivery', { _id: 'there-1', feedGuid: GUID }]]);
  assert.deepEqual(await here.told(() => {}), []);

  // Nothing is known of the push: the subscription alone says whose it is.
  await here.told(() => sdk.sync());
  const [own] = await here.told(() => sdk.delivered('n1'));
  assert.deepEqual([own.type, own.subscription], ['delivery', { _id: sdk.id }]);
  await assert.rejects(sdk.delivered('n1', 'S9cA4fr2doS24d2f6'), (error) => error.status === 404);
  // Of two channels with such a subscription the one that had it first.
  const [first] = await here.told(() => sdk.delivered('n1', 'shared'));
  assert.deepEqual(first.subscription, { _id: 'shared' });
  assert.deepEqual(await there.told(() => {}), []);
});

test('a delivery is told once for each push and subscription', async (t) => {
  const app = await open(t);
  const sdks = [app.sdk(AndroidSdk), app.sdk(IosSdk), app.sdk(WebSdk)];
  await app.told(() => Promise.all(sdks.map((sdk) => sdk.sync())));
  const all = () => Promise.all(sdks.flatMap((sdk) => ['n1', 'n2', 'n1'].map((id) => sdk.delivered(id))));
  const events = await app.told(all);
  const pairs = events.map((event) => `${event.subscription._id} ${event.notification._id}`);
  assert.deepEqual([pairs.length, new Set(pairs).size], [6, 6]);
  assert.deepEqual(await app.told(all), []);
});

test('a chat\'s message that is reported again at once is the same', async (t) => {
  const { app, sdk } = await device(t, IosSdk);
  await app.tells(() => sdk.delivered('chat'), { _id: sdk.id }, ['delivery', {}, { notification: { _id: 'chat' } }]);
  await app.tells(() => sdk.delivered('chat'), {});
});

// ---- language and country ----

test('the language is the body\'s, else the header\'s', async (t) => {
  const app = await open(t);
  let n = 0;
  const shown = async (body, headers) => {
    const about = { platformName: 'Android', fcmToken: `token-${++n}` };
    const answer = await server.must('POST', `/subscription/sync/${app.channel}`, {
      key: null, headers, body: { ...about, ...body },
    });
    return (await app.subscription(answer.id)).language;
  };
  const rows = [
    [{ language: 'fr' }, 'de', 'fr'], [{}, 'de', 'de'], [{ language: null }, 'de', 'de'],
    [{}, 'de-AT,de;q=0.9,en;q=0.8', 'de'], [{}, 'en;q=0.5, fr;q=0.9', 'fr'], [{}, 'zh-Hant-TW', 'zh'],
    [{}, '*', undefined], [{}, ';;;', undefined], [{}, undefined, undefined],
  ];
  for (const [body, header, expected] of rows) {
    const headers = header === undefined ? {} : { 'accept-language': header };
    assert.equal(await shown(body, headers), expected, `${JSON.stringify(body)} ${header}`);
  }
});

test('the country is the body\'s, else that of the CDN\'s header', async (t) => {
  const app = await open(t);
  const rows = [
    [{ country: 'CH' }, 'DE', 'CH'], [{}, 'DE', 'DE'], [{ country: null }, 'FR', 'FR'],
    [{}, 'XX', undefined], [{}, 'T1', undefined], [{}, 'Germany', undefined], [{}, undefined, undefined],
  ];
  for (const [about, header, expected] of rows) {
    const sdk = app.sdk(AndroidSdk, { about, added: header === undefined ? {} : { 'X-Country': header } });
    const [optIn] = await app.told(() => sdk.sync());
    assert.equal(optIn.subscription.country, expected, `${JSON.stringify(about)} ${header}`);
  }
});

test('a sync that does not describe the device changes neither language nor country', async (t) => {
  const { app, sdk } = await device(t, AndroidSdk, { added: { 'X-Country': 'DE' } });
  const locale = async () => {
    const { language, country } = await app.subscription(sdk.id);
    return [language, country];
  };
  assert.deepEqual(await locale(), ['de', 'DE']);
  sdk.added = { 'X-Country': 'FR' };
  sdk.about.acceptLanguage = 'fr';
  await sdk.setTopics(['t1']);
  assert.deepEqual(await locale(), ['de', 'DE']);
  await sdk.sync();
  assert.deepEqual(await locale(), ['fr', 'FR']);

  const answer = await server.must('POST', `/subscription/sync/${app.channel}`, {
    key: null, headers: { 'accept-language': 'fr', 'x-country': 'FR' }, body: { emailAddress: 'b@example.com' },
  });
  const { language, country } = await app.subscription(answer.id);
  assert.deepEqual([language, country], [undefined, undefined]);
});

test('an iOS app without a version loses what stands behind it, not its language', async (t) => {
  const about = { appVersion: undefined, language: 'nl' };
  const { app, sdk } = await device(t, IosSdk, { about, added: { 'X-Country': 'NL' } });
  const shown = await app.subscription(sdk.id);
  assert.deepEqual([shown.language, shown.country, shown.timezone], ['nl', 'NL', undefined]);
});

test('the server ends cleanly', async () => {
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
