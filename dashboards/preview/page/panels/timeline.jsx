// The state timeline, which is a part of Grafana's application and of no package: a band for each series, drawn on the
// packages' own plot, with their colours, words and legend.

import { getFieldDisplayName } from '@grafana/data';
import { Pagination, UPlotChart, UPlotConfigBuilder, VizLegend, VizLayout } from '@grafana/ui';
import { timeRange } from './graph.jsx';

const FONT_PIXELS = 12;

export function Timeline({ panel, frames, step, width, height, from, to, theme }) {
  const { options } = panel;
  const perPage = options.perPage ?? frames.length;
  const pages = Math.ceil(frames.length / perPage);
  const rows = frames.slice(0, perPage).map((frame) => rowOf(frame, frames, step));
  const pagerHeight = pages > 1 ? 32 : 0;
  return (
    <>
      <VizLayout width={width} height={height - pagerHeight} legend={<VizLayout.Legend placement="bottom">{legendOf(rows)}</VizLayout.Legend>}>
        {(width, height) => {
          const config = configOf(rows, options, { from, to, theme, width });
          const data = [[from, to], ...rows.map(() => [0, rows.length])];
          return <UPlotChart config={config} data={data} width={width} height={height} timeRange={timeRange(from, to)} />;
        }}
      </VizLayout>
      {pages > 1 && (
        <div style={{ display: 'flex', justifyContent: 'center' }}>
          <Pagination currentPage={1} numberOfPages={pages} onNavigate={() => {}} />
        </div>
      )}
    </>
  );
}

// A series as spans of one state each; a state that is not told again within a step has ended.
function rowOf(frame, frames, step) {
  const [time, value] = frame.fields;
  const spans = [];
  value.values.forEach((number, index) => {
    const at = time.values[index];
    const last = spans.at(-1);
    const goesOn = last && at - last.to < step * 500;
    if (goesOn && last.number === number) last.to = at + step * 1000;
    else spans.push({ number, from: at, to: at + step * 1000, ...value.display(number) });
  });
  return { name: getFieldDisplayName(value, frame, frames), spans };
}

function legendOf(rows) {
  const seen = new Map();
  for (const { number, text, color } of rows.flatMap(({ spans }) => spans)) seen.set(number, { label: text, color, yAxis: 1 });
  const items = [...seen].sort(([a], [b]) => a - b).map(([, item]) => item);
  return <VizLegend placement="bottom" displayMode="list" items={items} isSortable={false} readonly />;
}

function configOf(rows, options, { from, to, theme, width }) {
  const config = new UPlotConfigBuilder('browser');
  config.addScale({ scaleKey: 'x', isTime: true, orientation: 0, direction: 1, range: () => [from, to] });
  config.addScale({ scaleKey: 'y', orientation: 1, direction: -1, range: () => [0, rows.length] });
  config.addAxis({ scaleKey: 'x', isTime: true, placement: 'bottom', timeZone: 'browser', theme });
  config.addAxis({
    scaleKey: 'y',
    placement: 'left',
    theme,
    size: Math.min(width / 3, 12 + Math.max(...rows.map(({ name }) => textWidth(name, theme)))),
    space: () => 1,
    splits: () => rows.map((_, index) => index + 0.5),
    values: () => rows.map(({ name }) => name),
    grid: { show: false },
    ticks: { show: false },
  });
  rows.forEach((_, index) => {
    config.addSeries({ scaleKey: 'y', theme, show: true, pathBuilder: () => null, showPoints: 'never', dataFrameFieldIndex: { frameIndex: 0, fieldIndex: index } });
  });
  config.addHook('draw', (plot) => rows.forEach((row, index) => drawRow(plot, row, index, options, theme)));
  return config;
}

function drawRow(plot, { spans }, index, options, theme) {
  const { ctx, bbox } = plot;
  const top = plot.valToPos(index, 'y', true);
  const bottom = plot.valToPos(index + 1, 'y', true);
  const full = Math.abs(bottom - top);
  const height = full * options.rowHeight;
  const y = Math.min(top, bottom) + (full - height) / 2;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${FONT_PIXELS * devicePixelRatio}px ${theme.typography.fontFamily}`;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'left';
  for (const { from, to, text, color } of spans) {
    const left = Math.max(bbox.left, plot.valToPos(from, 'x', true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, 'x', true));
    ctx.globalAlpha = 0.8;
    ctx.fillStyle = color;
    ctx.fillRect(left, y, right - left, height);
    ctx.globalAlpha = 1;
    const room = right - left - 8 * devicePixelRatio;
    if (options.showValue === 'never' || ctx.measureText(text).width > room || height < FONT_PIXELS * devicePixelRatio) continue;
    ctx.fillStyle = theme.colors.getContrastText(color);
    ctx.fillText(text, left + 4 * devicePixelRatio, y + height / 2);
  }
  ctx.restore();
}

function textWidth(text, theme) {
  const context = document.createElement('canvas').getContext('2d');
  context.font = `${FONT_PIXELS}px ${theme.typography.fontFamily}`;
  return context.measureText(text).width;
}
