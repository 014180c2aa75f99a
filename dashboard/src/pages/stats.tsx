// Figures over the last hour, day or week, of the server, a channel or a webhook.
import { useState } from 'preact/hooks';
import { api } from '../lib/api';
import { count, countShort, duration, percent } from '../lib/format';
import { useLoad } from '../lib/hooks';
import { setQuery, usePlace } from '../lib/router';
import type { Range, Stats } from '../lib/types';
import { Time } from '../ui/basics';
import { Chart } from '../ui/chart';
import { Choose } from '../ui/form';
import { Card, Load, Tile } from '../ui/page';

const RANGES = [['hour', 'Hour'], ['day', 'Day'], ['week', 'Week']] as const;
const EVERY_MS = 30_000;

const isRange = (text: string | null): text is Range => text === 'hour' || text === 'day' || text === 'week';

// The range that is in the address, and what changes it.
export function useRange(): [Range, (range: Range) => void] {
  const given = usePlace().query.get('range');
  const [range, set] = useState<Range>(isRange(given) ? given : 'day');
  return [range, (next) => {
    set(next);
    setQuery({ range: next === 'day' ? null : next });
  }];
}

export function RangeChoice({ range, onChange }: { range: Range; onChange: (range: Range) => void }) {
  return <Choose label="Range" value={range} choices={RANGES} onChange={onChange} />;
}

// `path` ends in /stats.
export function Figures({ path, range, webhook }: { path: string; range: Range; webhook?: string }) {
  const stats = useLoad((signal) => api.get<Stats>(path, { range, webhook }, signal), [path, range, webhook], EVERY_MS);
  return <Load from={stats} rows={6}>{(data) => <Charts stats={data} ofWebhook={webhook !== undefined} />}</Load>;
}

function Charts({ stats, ofWebhook }: { stats: Stats; ofWebhook: boolean }) {
  const { totals, series } = stats;
  const at = series.map((step) => step.at);
  const rates = series.map(({ succeeded, attempts }) => (attempts > 0 ? succeeded / attempts : null));
  const what = ofWebhook ? 'Calls made' : 'Events in';
  return (
    <>
      <div class="tiles">
        <Tile name={what} value={countShort(totals.events)} note={`in the last ${stats.range}`} />
        <Tile name="Success rate" value={percent(totals.successRate)}
          tone={totals.successRate !== null && totals.successRate < 0.95 ? 'bad' : undefined}
          note={`of ${count(totals.attempts)} attempts`} />
        <Tile name="Latency p95" value={duration(totals.latencyMs?.p95)} note={`median ${duration(totals.latencyMs?.p50)}`} />
        <Tile name="Given up" value={countShort(totals.exhausted)} tone={totals.exhausted > 0 ? 'bad' : undefined}
          note="all attempts used" />
        <Tile name="Waiting" value={countShort(stats.backlog)}
          note={stats.oldestDue ? <>oldest due <Time at={stats.oldestDue} /></> : 'nothing is due'} />
        <Tile name="Held" value={countShort(stats.held)} tone={stats.held > 0 ? 'warn' : undefined}
          note="not sent for now" />
      </div>
      <div class="charts">
        <Card>
          <Chart title={what} summary={`${count(totals.events)} in the last ${stats.range}.`} at={at} format={countShort} whole
            lines={[{ name: what, colour: 'accent', area: true, values: series.map((step) => step.events) }]} />
        </Card>
        <Card>
          <Chart title="Attempts" at={at} format={countShort} whole
            summary={`${count(totals.succeeded)} succeeded, ${count(totals.failed)} failed.`}
            lines={[
              { name: 'Succeeded', colour: 'good', area: true, values: series.map((step) => step.succeeded) },
              { name: 'Failed', colour: 'bad', values: series.map((step) => step.failed) },
            ]} />
        </Card>
        <Card>
          <Chart title="Success rate" at={at} format={percent} max={1}
            summary={totals.successRate === null ? 'There was no attempt.' : `${percent(totals.successRate)} on the whole.`}
            lines={[{ name: 'Success rate', colour: 'good', values: rates }]} />
        </Card>
        <Card>
          <Chart title="Latency" at={at} format={duration}
            summary={totals.latencyMs ? `Half of the attempts took less than ${duration(totals.latencyMs.p50)}, 99 % less than ${duration(totals.latencyMs.p99)}.` : 'There was no attempt.'}
            lines={[
              { name: 'p50', colour: 'accent', values: series.map((step) => step.p50) },
              { name: 'p95', colour: 'second', values: series.map((step) => step.p95) },
              { name: 'p99', colour: 'warn', values: series.map((step) => step.p99) },
            ]} />
        </Card>
        <Card>
          <Chart title="Backlog" at={at} format={countShort} whole
            summary={`${count(stats.backlog + stats.held)} not delivered yet${stats.held > 0 ? `, ${count(stats.held)} of them held` : ''}.`}
            lines={[{ name: 'Most at once', colour: 'warn', area: true, values: series.map((step) => step.backlog) }]} />
        </Card>
      </div>
    </>
  );
}
