// Panels of single values: stat, gauge and bar gauge, with Grafana's own components.

import { formattedValueToString, getDisplayValueAlignmentFactors, getFieldDisplayValues } from '@grafana/data';
import { BarGauge, BigValue, VizRepeater } from '@grafana/ui';

// How text sizes agree between the values of a panel, and where a second value stands.
const REPEATER = { itemSpacing: 3 };

export function Stat({ panel, frames, width, height, theme }) {
  const { options } = panel;
  const values = valuesOf(panel, frames, theme, options.graphMode !== 'none');
  return (
    <VizRepeater
      {...REPEATER}
      autoGrid
      getValues={() => values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      width={width}
      height={height}
      source={frames}
      orientation={options.orientation}
      renderValue={({ value, width, height, alignmentFactors, count }) => (
        <BigValue
          value={value.display}
          count={count}
          sparkline={options.graphMode === 'none' ? undefined : value.sparkline}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={textMode(options.textMode, values)}
          text={options.text}
          alignmentFactors={alignmentFactors}
          width={width}
          height={height}
          theme={theme}
        />
      )}
    />
  );
}

// By itself, a value is shown without its name.
function textMode(mode, values) {
  return mode === 'auto' && values.length === 1 ? 'value' : mode;
}

// Grafana's Gauge draws with a library of Grafana's application, so the arc is drawn here.
export function RoundGauge({ panel, frames, width, height, theme }) {
  const [{ display, field }] = valuesOf(panel, frames, theme, false);
  if (!field.max) return <Stat panel={{ ...panel, options: { ...panel.options, graphMode: 'none' } }} {...{ frames, width, height, theme }} />;
  const share = Math.min(1, Math.max(0, (display.numeric - field.min) / (field.max - field.min)));
  const [radius, thickness] = [Math.min(width / 2, height / 1.5) - 4, Math.min(width, height) / 7];
  const ring = { r: radius - thickness / 2, cx: width / 2, cy: radius + 4, fill: 'none', strokeWidth: thickness };
  return (
    <svg width={width} height={height}>
      <circle {...ring} stroke={theme.colors.background.secondary} {...arc(1)} />
      <circle {...ring} stroke={display.color} {...arc(share)} />
      <text x={ring.cx} y={ring.cy + thickness / 2} fill={display.color} fontSize={radius / 2} fontWeight="500" textAnchor="middle">
        {formattedValueToString(display)}
      </text>
    </svg>
  );
}

// A share of an arc of 240 degrees that is open below.
function arc(share) {
  const whole = 240 / 360;
  return { pathLength: 1, strokeDasharray: `${whole * share} 1`, style: { transform: 'rotate(150deg)', transformBox: 'fill-box', transformOrigin: 'center' } };
}

export function Bars({ panel, frames, width, height, theme }) {
  const { options } = panel;
  const values = valuesOf(panel, frames, theme, false);
  return (
    <VizRepeater
      itemSpacing={10}
      getValues={() => values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      width={width}
      height={height}
      minVizWidth={8}
      minVizHeight={options.minVizHeight ?? 16}
      maxVizHeight={options.sizing === 'manual' ? options.maxVizHeight : 300}
      source={frames}
      orientation={options.orientation}
      renderValue={({ value, width, height, orientation, alignmentFactors }) => (
        <BarGauge
          value={values.length === 1 && !value.field.displayName ? { ...value.display, title: undefined } : value.display}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          width={width}
          height={height}
          orientation={orientation}
          alignmentFactors={alignmentFactors}
          theme={theme}
          itemSpacing={10}
          lcdCellWidth={12}
          displayMode={options.displayMode}
          showUnfilled={options.showUnfilled}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement ?? 'auto'}
          text={options.text}
        />
      )}
    />
  );
}

function valuesOf(panel, data, theme, sparkline) {
  return getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => text,
    theme,
    data,
    sparkline,
    timeZone: 'browser',
  });
}
