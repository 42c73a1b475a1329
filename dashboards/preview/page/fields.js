// How fields look: what a panel says of them, over what Grafana's panels take when nothing is said.

import {
  applyFieldOverrides,
  displayNameOverrideProcessor,
  FieldColorModeId,
  FieldConfigOptionsRegistry,
  identityOverrideProcessor,
  numberOverrideProcessor,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
} from '@grafana/data';
import { lastValueFrom } from 'rxjs';
import { defaultsDeep, uniqBy } from 'lodash';
import { named } from './variables.js';

standardTransformersRegistry.setInit(() =>
  uniqBy(Object.values(standardTransformers), 'id').map((transformation) => ({ id: transformation.id, name: transformation.name, transformation }))
);

const STANDARD = {
  unit: identityOverrideProcessor,
  min: numberOverrideProcessor,
  max: numberOverrideProcessor,
  decimals: numberOverrideProcessor,
  displayName: displayNameOverrideProcessor,
  noValue: identityOverrideProcessor,
  color: identityOverrideProcessor,
  thresholds: identityOverrideProcessor,
  mappings: identityOverrideProcessor,
  links: identityOverrideProcessor,
};

// What `custom` may say in the panels that are used here.
const CUSTOM = [
  ...['drawStyle', 'lineInterpolation', 'lineWidth', 'lineStyle', 'fillOpacity', 'gradientMode', 'showPoints', 'pointSize'],
  ...['spanNulls', 'stacking', 'barAlignment', 'barWidthFactor', 'thresholdsStyle', 'scaleDistribution', 'hideFrom'],
  ...['axisPlacement', 'axisLabel', 'axisColorMode', 'axisBorderShow', 'axisCenteredZero', 'axisGridShow', 'axisWidth'],
  ...['axisSoftMin', 'axisSoftMax', 'align', 'cellOptions', 'filterable', 'width', 'minWidth', 'inspect', 'hidden'],
];

const registry = new FieldConfigOptionsRegistry(() => [
  ...Object.entries(STANDARD).map(([id, process]) => option(id, id, false, process)),
  ...CUSTOM.map((name) => option(`custom.${name}`, name, true, identityOverrideProcessor)),
]);

function option(id, path, isCustom, process) {
  return { id, path, name: id, isCustom, process, shouldApply: () => true, settings: { expandTemplateVars: true } };
}

// What Grafana's panels begin with.
const PANEL = {
  timeseries: {
    color: { mode: FieldColorModeId.PaletteClassic },
    custom: {
      drawStyle: 'line',
      lineInterpolation: 'linear',
      lineWidth: 1,
      fillOpacity: 0,
      gradientMode: 'none',
      showPoints: 'auto',
      pointSize: 5,
      spanNulls: false,
      stacking: { mode: 'none', group: 'A' },
      barAlignment: 0,
      barWidthFactor: 0.6,
      thresholdsStyle: { mode: 'off' },
      scaleDistribution: { type: 'linear' },
      hideFrom: { legend: false, tooltip: false, viz: false },
      axisPlacement: 'auto',
      axisLabel: '',
      axisColorMode: 'text',
      axisBorderShow: false,
      axisCenteredZero: false,
    },
  },
  table: { color: { mode: FieldColorModeId.Thresholds }, custom: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false } },
};
const PLAIN = { color: { mode: FieldColorModeId.Thresholds } };
const THRESHOLDS = { mode: 'absolute', steps: [{ color: 'green', value: -Infinity }, { color: 'red', value: 80 }] };

// Frames through the panel's transformations, with its settings applied to each field.
export async function shown(panel, frames, { theme, variables }) {
  const replaceVariables = (text, scoped) => ofField(named(text, variables), scoped?.__dataContext?.value.field);
  const context = { interpolate: replaceVariables };
  const transformed = await lastValueFrom(transformDataFrame(panel.transformations ?? [], frames, context));
  const told = panel.fieldConfig ?? { defaults: {}, overrides: [] };
  const defaults = defaultsDeep({}, told.defaults, PANEL[panel.type] ?? PLAIN);
  defaults.thresholds = steps(told.defaults.thresholds ?? THRESHOLDS);
  const overrides = told.overrides.map(({ matcher, properties }) => ({
    matcher,
    properties: properties.map(({ id, value }) => {
      if (!registry.getIfExists(id)) throw new Error(`${panel.title}: no preview of the property ${id}`);
      return { id, value: id === 'thresholds' ? steps(value) : value };
    }),
  }));
  return applyFieldOverrides({
    data: transformed,
    fieldConfig: { defaults, overrides },
    fieldConfigRegistry: registry,
    replaceVariables,
    theme,
    timeZone: 'browser',
  });
}

// `${__field.labels.name}` of the field that a text is for.
function ofField(text, field) {
  return text.replace(/\$\{__field\.labels\.(\w+)\}/g, (whole, label) => field?.labels?.[label] ?? whole);
}

// JSON has no -Infinity: the first step says null.
function steps({ mode, steps }) {
  return { mode, steps: steps.map((step) => ({ ...step, value: step.value ?? -Infinity })) };
}
