// The filters of calls and events. They are in the address: a search can be kept, or sent to somebody.
import { useEffect, useRef, useState } from 'preact/hooks';
import { toIso, toLocal } from '../lib/format';
import { FILTERS, type Filter, RANGES } from '../lib/history';
import { setQuery, usePlace } from '../lib/router';
import { EVENT_TYPES } from '../lib/types';
import type { Webhooks } from '../lib/webhooks';
import { Button } from '../ui/basics';
import { type Choice, SelectField, TextField } from '../ui/form';

const TYPING_MS = 350;

// A text that goes into the address when its writer rests.
export function TypedFilter({ name, label, hint, placeholder }: { name: string; label: string; hint?: string; placeholder?: string }) {
  const given = usePlace().query.get(name) ?? '';
  const [text, setText] = useState(given);
  const timer = useRef(0);
  const mine = useRef(given);
  useEffect(() => {
    if (given !== mine.current) setText(given); // somebody else changed it: "Show all", a link
    mine.current = given;
  }, [given]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <TextField label={label} hint={hint} type="search" value={text} placeholder={placeholder} maxLength={200} onInput={(next) => {
      setText(next);
      clearTimeout(timer.current);
      timer.current = window.setTimeout(() => {
        mine.current = next.trim();
        setQuery({ [name]: next.trim() });
      }, TYPING_MS);
    }} />
  );
}

export function ChosenFilter({ name, label, choices }: { name: string; label: string; choices: readonly Choice[] }) {
  const value = usePlace().query.get(name) ?? '';
  const known = choices.some(([each]) => each === value);
  return (
    <SelectField label={label} value={value} onChange={(next) => setQuery({ [name]: next })}
      choices={known ? choices : [...choices, [value, value]]} />
  );
}

const STATES: readonly Choice[] = [
  ['', 'All'], ['failed', 'Failed'], ['waiting', 'Waiting'], ['held', 'Held'], ['failed,waiting,held', 'Not delivered'],
  ['succeeded', 'Succeeded'], ['cancelled', 'Cancelled'],
];
const TYPES: readonly Choice[] = [['', 'All'], ...EVENT_TYPES.map((each) => [each, each] as const)];

const shorter = (url: string) => (url.length > 70 ? `${url.slice(0, 69)}…` : url);

export function WebhookFilter({ webhooks }: { webhooks: Webhooks }) {
  if (!webhooks.complete) return <TypedFilter name="webhook" label="Webhook" placeholder="wh_…" />;
  return <ChosenFilter name="webhook" label="Webhook" choices={[['', 'All'], ...webhooks.all.map(({ _id, url }) => [_id, shorter(url)] as const)]} />;
}

function RangeFilter() {
  const { query } = usePlace();
  const custom = query.get('range') === 'custom';
  return (
    <>
      <SelectField label="Time" value={query.get('range') ?? ''} choices={RANGES}
        onChange={(range) => setQuery(range === 'custom' ? { range } : { range, since: null, until: null })} />
      {custom && (['since', 'until'] as const).map((name) => (
        <TextField key={name} label={name === 'since' ? 'From' : 'To'} type="datetime-local" value={toLocal(query.get(name))}
          onInput={(local) => setQuery({ [name]: toIso(local) })} />
      ))}
    </>
  );
}

const rare: readonly Filter[] = ['type', 'subscription', 'notification'];

export function Filters({ names, webhooks }: { names: readonly Filter[]; webhooks?: Webhooks }) {
  const { query } = usePlace();
  const [opened] = useState(rare.some((name) => query.get(name)));
  const any = [...names, 'range'].some((name) => query.get(name));
  const has = (name: Filter) => names.includes(name);
  const few = !has('state');
  const more = (
    <>
      {has('type') && <ChosenFilter name="type" label="Type" choices={TYPES} />}
      {has('subscription') && <TypedFilter name="subscription" label="Subscription" placeholder="its id" />}
      {has('notification') && <TypedFilter name="notification" label="Notification" placeholder="its id" />}
    </>
  );
  return (
    <search class="filters">
      {has('state') && <ChosenFilter name="state" label="State" choices={STATES} />}
      <RangeFilter />
      {webhooks && has('webhook') && <WebhookFilter webhooks={webhooks} />}
      {has('error') && <TypedFilter name="error" label="Last error contains" placeholder="timeout, 503 …" />}
      {few && more}
      {(!few || any) && (
        <div class="filters-foot">
          {!few && (
            <details open={opened}>
              <summary>Type, subscription, notification</summary>
              <div class="filters">{more}</div>
            </details>
          )}
          {any && <Button small kind="quiet" icon="cross" onClick={showAll}>Show all</Button>}
        </div>
      )}
    </search>
  );
}

export function showAll() {
  const none = Object.fromEntries([...FILTERS, 'range', 'since', 'until'].map((name) => [name, null]));
  setQuery(none);
}
