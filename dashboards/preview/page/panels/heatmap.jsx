// The heatmap, which is a part of Grafana's application and of no package: cells on the packages' own plot, with the
// scheme, the filter and the exemplars that the panel asks for.

import { getValueFormat, formattedValueToString } from '@grafana/data';
import { UPlotChart, UPlotConfigBuilder } from '@grafana/ui';
import * as d3 from 'd3';
import { drawExemplars, timeRange } from './graph.jsx';

const LEGEND_PIXELS = 26;

export function Heatmap({ panel, frames, exemplars, step, width, height, from, to, theme }) {
  const { options } = panel;
  const cells = cellsOf(frames, options.filterValues?.le ?? -Infinity);
  const most = Math.max(...cells.map(({ count }) => count), 1e-9);
  const paint = scheme(options.color, most, theme);
  const format = (value, decimals) => formattedValueToString(getValueFormat(options.yAxis?.unit ?? 'short')(value, decimals));
  const config = configOf(cells, { options, exemplars, step, paint, format, from, to, theme });
  const data = [[from, to], [Math.min(...cells.map(({ low }) => low)), Math.max(...cells.map(({ high }) => high))]];
  return (
    <>
      <UPlotChart config={config} data={data} width={width} height={height - LEGEND_PIXELS} timeRange={timeRange(from, to)} />
      <Legend paint={paint} most={most} theme={theme} />
    </>
  );
}

function cellsOf(frames, above) {
  return frames.flatMap(({ fields: [x, low, high, count] }) =>
    x.values
      .map((at, index) => ({ at, low: low.values[index], high: high.values[index], count: count.values[index] }))
      .filter(({ count, high }) => count > above && Number.isFinite(high) && high > 0)
  );
}

// Colours from few to many; on a dark page few are dark.
function scheme({ scheme, exponent, scale }, most, theme) {
  const bright = d3.scaleSequential(d3[`interpolate${scheme}`]).domain([0, 1]);
  return (count) => {
    const share = scale === 'exponential' ? (count / most) ** exponent : count / most;
    return bright(theme.isDark ? 1 - share : share);
  };
}

function configOf(cells, { options, exemplars, step, paint, format, from, to, theme }) {
  const config = new UPlotConfigBuilder('browser');
  const low = Math.min(...cells.map((cell) => (cell.low > 0 ? cell.low : cell.high / 2)));
  const high = Math.max(...cells.map((cell) => cell.high));
  config.addScale({ scaleKey: 'x', isTime: true, orientation: 0, direction: 1, range: () => [from, to] });
  config.addScale({ scaleKey: 'y', orientation: 1, direction: 1, distribution: 'log', log: 2, range: () => [low, high] });
  config.addAxis({ scaleKey: 'x', isTime: true, placement: 'bottom', timeZone: 'browser', theme, grid: { show: false } });
  config.addAxis({ scaleKey: 'y', placement: options.yAxis?.axisPlacement ?? 'left', theme, formatValue: format, grid: { show: false } });
  config.addSeries({ scaleKey: 'y', theme, show: true, pathBuilder: () => null, showPoints: 'never' });
  config.addHook('draw', (plot) => {
    const gap = (options.cellGap ?? 1) * devicePixelRatio;
    for (const cell of cells) drawCell(plot, cell, low, step * 1000, gap, paint);
    drawExemplars(plot, exemplars, options.exemplars?.color);
  });
  return config;
}

function drawCell({ ctx, bbox, valToPos }, { at, low, high, count }, lowest, length, gap, paint) {
  const left = Math.max(bbox.left, valToPos(at - length, 'x', true));
  const right = Math.min(bbox.left + bbox.width, valToPos(at, 'x', true));
  const top = valToPos(high, 'y', true);
  const bottom = valToPos(Math.max(low, lowest), 'y', true);
  ctx.fillStyle = paint(count);
  ctx.fillRect(left + gap / 2, top + gap / 2, Math.max(right - left - gap, 1), Math.max(bottom - top - gap, 1));
}

function Legend({ paint, most, theme }) {
  const steps = Array.from({ length: 64 }, (_, index) => paint(((index + 0.5) / 64) * most));
  const shown = most >= 10 ? Math.round(most) : Number(most.toPrecision(2));
  return (
    <div style={{ display: 'flex', alignItems: 'center', gap: 8, width: 280, height: LEGEND_PIXELS, paddingLeft: 16, fontSize: 12, color: theme.colors.text.secondary }}>
      0
      <div style={{ flex: 1, height: 8, background: `linear-gradient(90deg, ${steps.join(',')})` }} />
      {shown}
    </div>
  );
}
