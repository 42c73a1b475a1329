// Prometheus' HTTP API, and its answers as the frames that Grafana's data source makes of them.

import { createDataFrame, DataFrameType, FieldType, rangeUtil } from '@grafana/data';
import { named } from './variables.js';

// What Grafana's data source takes when nothing else is set: scrapes this far apart, and as many points as pixels.
const POINTS_MAX = 11000;

async function get(path, parameters, { prometheus }) {
  const answer = await fetch(`${prometheus}/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(parameters) });
  const told = await answer.json();
  if (told.status !== 'success') throw new Error(`${told.error} in ${parameters.query}`);
  return told.data;
}

export async function instant(query, asked) {
  return (await get('query', { query, time: asked.to / 1000 }, asked)).result;
}

export async function labelValues(selector, label, { prometheus, from, to }) {
  const parameters = new URLSearchParams({ 'match[]': selector, start: from / 1000, end: to / 1000 });
  const answer = await fetch(`${prometheus}/api/v1/label/${label}/values?${parameters}`);
  return (await answer.json()).data ?? [];
}

// The alerts of an annotation: spans of time during which its query had an answer, with their titles.
export async function annotations(annotation, asked) {
  const step = rangeUtil.intervalToSeconds(annotation.step);
  const query = filled(annotation.expr, step, asked);
  const { result } = await get('query_range', { query, start: asked.from / 1000, end: asked.to / 1000, step }, asked);
  const spans = [];
  for (const { metric, values } of result) {
    let last;
    for (const [at] of values) {
      if (last && at - last.to <= step * 1.5) last.to = at;
      else spans.push((last = { from: at, to: at, color: annotation.iconColor, title: legend(annotation.titleFormat, metric) }));
    }
  }
  return spans.map((span) => ({ ...span, from: span.from * 1000, to: span.to * 1000 }));
}

// The data of a panel that is so many pixels wide: its frames, and exemplars where a query asks for them.
export async function panelData(panel, width, asked) {
  const points = panel.maxDataPoints ?? Math.round(width);
  const least = panel.interval ?? `${asked.scrapeSeconds}s`;
  const range = { from: asked.from, to: asked.to };
  const { intervalMs } = rangeUtil.calculateInterval(rangeOf(range), points, least);
  const step = Math.max(intervalMs / 1000, (range.to - range.from) / 1000 / POINTS_MAX);
  const answers = await Promise.all(panel.targets.map((target) => answerTo(target, panel, step, asked)));
  return { frames: answers.flatMap(({ frames }) => frames), exemplars: answers.flatMap(({ exemplars }) => exemplars), step };
}

function rangeOf({ from, to }) {
  return { from: { valueOf: () => from }, to: { valueOf: () => to } };
}

async function answerTo(target, panel, step, asked) {
  const query = filled(target.expr, step, asked);
  if (target.instant) {
    const result = await instant(query, asked);
    const alone = panel.targets.length === 1;
    const frames = target.format === 'table' ? [tableOf(result, target, alone)] : result.map((one) => seriesOf(one, target));
    return { frames, exemplars: [] };
  }
  const [start, end] = [asked.from, asked.to].map((at) => Math.floor(at / 1000 / step) * step);
  const { result } = await get('query_range', { query, start, end, step }, asked);
  const exemplars = target.exemplar ? await get('query_exemplars', { query, start, end }, asked) : [];
  const frames =
    target.format === 'heatmap' ? heatmapOf(result, step) : result.map((one) => seriesOf(one, target, step));
  return { frames, exemplars: exemplars.flatMap(({ exemplars }) => exemplars) };
}

export function filled(expr, step, { from, to, variables, scrapeSeconds }) {
  const seconds = Math.round((to - from) / 1000);
  const rate = Math.max(step + scrapeSeconds, 4 * scrapeSeconds);
  const times = { __interval: `${step}s`, __rate_interval: `${rate}s`, __range: `${seconds}s`, __range_s: `${seconds}` };
  return named(expr, { ...variables, ...times });
}

// A name such as `{{method}}` with the labels filled in.
function legend(format, labels) {
  return format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '');
}

function seriesOf({ metric, values, value }, { refId, legendFormat }, step) {
  const samples = values ?? [value];
  const name = legendFormat ? legend(legendFormat, metric) : undefined;
  return createDataFrame({
    refId,
    meta: { type: DataFrameType.TimeSeriesMulti },
    fields: [
      { name: 'Time', type: FieldType.time, values: samples.map(([at]) => at * 1000), config: step ? { interval: step * 1000 } : {} },
      {
        name: 'Value',
        type: FieldType.number,
        labels: metric,
        values: samples.map(([, text]) => number(text)),
        config: { displayNameFromDS: name },
      },
    ],
  });
}

// A row for each series, a column for each label.
function tableOf(result, { refId }, alone) {
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return createDataFrame({
    refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: result.map(({ value }) => value[0] * 1000) },
      ...labels.map((label) => ({
        name: label,
        type: FieldType.string,
        values: result.map(({ metric }) => metric[label] ?? ''),
      })),
      { name: alone ? 'Value' : `Value #${refId}`, type: FieldType.number, values: result.map(({ value }) => number(value[1])) },
    ],
  });
}

// Cells of native histograms as they are; of classic ones what each bucket has above the one below it.
function heatmapOf(result, step) {
  const cells = { x: [], low: [], high: [], count: [] };
  const add = (at, low, high, count) => {
    cells.x.push(at * 1000);
    cells.low.push(low);
    cells.high.push(high);
    cells.count.push(count);
  };
  for (const { histograms = [] } of result) {
    for (const [at, { buckets = [] }] of histograms) {
      for (const [, low, high, count] of buckets) add(at, Number(low), Number(high), Number(count));
    }
  }
  const rows = result.filter(({ metric, values }) => values && metric.le).sort((a, b) => number(a.metric.le) - number(b.metric.le));
  const below = new Map();
  let low = 0;
  for (const { metric, values } of rows) {
    const high = number(metric.le);
    for (const [at, text] of values) {
      add(at, low, high, Math.max(0, number(text) - (below.get(at) ?? 0)));
      below.set(at, number(text));
    }
    low = high;
  }
  if (cells.x.length === 0) return [];
  return [
    createDataFrame({
      meta: { type: DataFrameType.HeatmapCells, custom: { step: step * 1000 } },
      fields: [
        { name: 'x', type: FieldType.time, values: cells.x },
        { name: 'yMin', type: FieldType.number, values: cells.low },
        { name: 'yMax', type: FieldType.number, values: cells.high },
        { name: 'count', type: FieldType.number, values: cells.count },
      ],
    }),
  ];
}

function number(text) {
  return text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
}
