// Panels over time with Grafana's own TimeSeries, and what is drawn over it: exemplars and annotations.

import { dateTime } from '@grafana/data';
import { TimeSeries } from '@grafana/ui';

export function Graph({ panel, frames, exemplars, annotations, width, height, from, to, theme }) {
  const legend = { showLegend: true, calcs: [], displayMode: 'list', placement: 'bottom', ...panel.options.legend };
  return (
    <TimeSeries
      frames={frames}
      structureRev={1}
      width={width}
      height={height}
      timeRange={timeRange(from, to)}
      timeZone="browser"
      legend={legend}
      options={panel.options}
    >
      {(config) => {
        config.addHook('draw', (plot) => {
          drawAnnotations(plot, annotations, theme);
          drawExemplars(plot, exemplars, 'rgba(31, 96, 196, 0.9)');
        });
        return null;
      }}
    </TimeSeries>
  );
}

export function timeRange(from, to) {
  return { from: dateTime(from), to: dateTime(to), raw: { from: dateTime(from), to: dateTime(to) } };
}

// Diamonds at the time and the value of each exemplar.
export function drawExemplars(plot, exemplars, color) {
  const scale = Object.keys(plot.scales).find((key) => key !== 'x');
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = color;
  for (const { timestamp, value } of exemplars) {
    const x = plot.valToPos(timestamp * 1000, 'x', true);
    const y = plot.valToPos(Number(value), scale, true);
    const outside = x < bbox.left || x > bbox.left + bbox.width || y < bbox.top || y > bbox.top + bbox.height;
    if (outside) continue;
    const size = 4 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, y - size);
    ctx.lineTo(x + size, y);
    ctx.lineTo(x, y + size);
    ctx.lineTo(x - size, y);
    ctx.fill();
  }
  ctx.restore();
}

// A dashed line where something began, and a bar below for as long as it lasted, if it did.
function drawAnnotations(plot, annotations, theme) {
  const { ctx, bbox } = plot;
  ctx.save();
  for (const { from, to, color } of annotations) {
    const left = Math.max(bbox.left, plot.valToPos(from, 'x', true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, 'x', true));
    if (right < bbox.left || left > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = theme.visualization.getColorByName(color);
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bbox.top + bbox.height);
    ctx.stroke();
    if (to > from) ctx.fillRect(left, bbox.top + bbox.height, right - left, 4 * devicePixelRatio);
  }
  ctx.restore();
}
