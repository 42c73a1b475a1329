// The variables of a dashboard: what may be chosen, what is chosen, and how text names it.

import { escapeRegExp } from 'lodash';
import { filled, instant, labelValues } from './prometheus.js';

// `$name`, `${name}` and `${name:format}`.
const NAMED = /\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g;

// Chooses a value for each variable, in the order of the dashboard, since one names another. `choices` gives values by
// name; what it leaves out is All where there is an All, and the first value otherwise.
export async function choose(dashboard, choices, asked) {
  const chosen = { ...asked.variables };
  for (const variable of dashboard.templating.list) {
    const options = await optionsOf(variable, { ...asked, variables: chosen });
    const wanted = choices[variable.name];
    const picked = wanted ? options.filter(({ value }) => wanted.includes(value)) : [];
    const all = picked.length === 0 && variable.includeAll;
    const taken = all ? options : picked.length > 0 ? picked : options.slice(0, 1);
    chosen[variable.name] = {
      label: variable.label,
      text: all ? 'All' : taken.map(({ text }) => text).join(' + ') || 'None',
      values: taken.map(({ value }) => value),
      // The expression for All is used as it stands, a chosen value is matched to the letter.
      pattern: all && variable.allValue ? variable.allValue : pattern(taken, variable.multi),
    };
  }
  return chosen;
}

function pattern(taken, multi) {
  if (!multi) return taken[0]?.value ?? '';
  const values = taken.map(({ value }) => escapeRegExp(value).replaceAll('\\', '\\\\'));
  return values.length === 1 ? values[0] : `(${values.join('|')})`;
}

async function optionsOf(variable, asked) {
  if (variable.type === 'datasource') return [{ text: 'Prometheus', value: 'prometheus' }];
  if (variable.type !== 'query') throw new Error(`${variable.name}: no preview of variables of type ${variable.type}`);
  const found = await valuesOf(filled(variable.query.query, 0, asked), asked);
  const regex = variable.regex ? new RegExp(variable.regex.replace(/^\/|\/$/g, '')) : undefined;
  const options = found.map((text) => {
    const groups = regex?.exec(text)?.groups;
    if (!groups) return { text, value: text };
    return { text: groups.text ?? groups.value, value: groups.value };
  });
  return variable.sort === 0 ? options : options.sort((a, b) => a.text.localeCompare(b.text));
}

async function valuesOf(query, asked) {
  const labels = /^label_values\((.*),\s*(\w+)\)$/s.exec(query);
  if (labels) return labelValues(labels[1], labels[2], asked);
  const result = /^query_result\((.*)\)$/s.exec(query);
  if (!result) throw new Error(`no preview of the query ${query}`);
  const told = await instant(result[1], asked);
  return told.map(({ metric }) => {
    const { __name__: name = '', ...others } = metric;
    const inside = Object.entries(others).map(([label, value]) => `${label}="${value}"`);
    return `${name}{${inside.join(', ')}}`;
  });
}

// Text with its variables filled in; what nobody knows stays as it is.
export function named(text, variables) {
  return text.replace(NAMED, (whole, braced, format, bare) => {
    const variable = variables[braced ?? bare];
    if (variable === undefined) return whole;
    if (typeof variable === 'string') return variable;
    if (format === 'queryparam') return variable.values.map((value) => `var-${braced}=${encodeURIComponent(value)}`).join('&');
    return variable.pattern;
  });
}
