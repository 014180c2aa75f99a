// A chart over time, drawn by uPlot; the same figures are there as a table.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { exactTime } from '../lib/format';
import { onColours } from '../lib/theme';
import { Table } from './table';

export interface Line {
  name: string;
  colour: 'accent' | 'good' | 'bad' | 'warn' | 'second'; // of the palette
  values: (number | null)[];
  area?: boolean;
}

export interface ChartProps {
  title: string;
  summary: string; // what it shows, in one sentence
  at: string[]; // the times, ISO
  lines: Line[];
  format: (value: number | null) => string;
  max?: number; // of the axis; else what the values need
  whole?: boolean; // the values are counts
}

const HEIGHT = 176;
const WHOLE = [1, 2, 5].flatMap((n) => Array.from({ length: 13 }, (_, i) => n * 10 ** i)).sort((a, b) => a - b);

function colourOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function optionsOf(props: ChartProps, width: number): uPlot.Options {
  const axis = {
    stroke: colourOf('muted'),
    grid: { stroke: colourOf('line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  return {
    width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { live: true },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), props.max ?? Math.max((high ?? 0) * 1.08, props.max ?? 1)] } },
    axes: [
      { ...axis, space: 64, size: 26, values: timeTicks },
      { ...axis, size: 58, space: 32, incrs: props.whole ? WHOLE : undefined, values: (_, ticks) => ticks.map((tick) => props.format(tick)) },
    ],
    series: [
      { label: 'Time', value: (_, x) => (x === null || x === undefined ? '–' : exactTime(new Date(x * 1000).toISOString())) },
      ...props.lines.map(({ name, colour, area }): uPlot.Series => ({
        label: name,
        stroke: colourOf(colour),
        width: 1.75,
        fill: area ? `${colourOf(colour)}22` : undefined,
        points: { show: false, size: 6, fill: colourOf(colour), filter: (plot, n) => lonely(plot.data[n]!) },
        spanGaps: false,
        value: (_, y) => props.format(y),
      })),
    ],
  };
}

// Where a value has none beside it: a line alone would not show it.
function lonely(values: ArrayLike<number | null | undefined>): number[] | null {
  const found = Array.from(values, (_, i) => i).filter((i) =>
    typeof values[i] === 'number' && typeof values[i - 1] !== 'number' && typeof values[i + 1] !== 'number');
  return found.length > 0 ? found : null;
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric' });

function timeTicks(_: uPlot, ticks: number[]): string[] {
  return ticks.map((tick) => {
    const time = new Date(tick * 1000);
    return time.getHours() === 0 && time.getMinutes() === 0 ? day.format(time) : clock.format(time);
  });
}

export function Chart(props: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    const box = host.current!; // the page may be gone before its observers are
    const { at, lines } = latest.current;
    const data = [at.map((each) => new Date(each).getTime() / 1000), ...lines.map(({ values }) => values)];
    let plot: uPlot | null = null;
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(optionsOf(latest.current, box.clientWidth || 300), data as uPlot.AlignedData, box);
    };
    draw();
    const sized = new ResizeObserver(() => plot?.setSize({ width: box.clientWidth, height: HEIGHT }));
    sized.observe(box);
    const stop = onColours(() => requestAnimationFrame(draw));
    return () => {
      stop();
      sized.disconnect();
      plot?.destroy();
    };
  }, [JSON.stringify([props.at, props.lines])]);

  return (
    <figure class="chart">
      <figcaption>
        <h3>{props.title}</h3>
        <p class="muted">{props.summary}</p>
      </figcaption>
      <div ref={host} class="plot" aria-hidden="true" />
      <details>
        <summary>As a table</summary>
        <Table caption={props.title} id={({ at }) => at}
          rows={props.at.map((at, i) => ({ at, i })).reverse()}
          columns={[
            { name: 'Time', cell: ({ at }) => exactTime(at), main: true },
            ...props.lines.map(({ name, values }) => ({
              name, number: true, cell: ({ i }: { at: string; i: number }) => props.format(values[i] ?? null),
            })),
          ]} />
      </details>
    </figure>
  );
}
