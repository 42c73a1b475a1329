// The page that is photographed: a dashboard in its own grid, with the data of one span of time.

import { createTheme, getDefaultTimeRange } from '@grafana/data';
import { GlobalStyles, PanelChrome, PanelContextProvider, PortalContainer, ThemeContext } from '@grafana/ui';
import { EventBusSrv } from '@grafana/data';
import { createRoot } from 'react-dom/client';
import { shown } from './fields.js';
import { annotations, panelData } from './prometheus.js';
import { choose } from './variables.js';
import { Graph } from './panels/graph.jsx';
import { Heatmap } from './panels/heatmap.jsx';
import { Timeline } from './panels/timeline.jsx';
import { Bars, RoundGauge, Stat } from './panels/values.jsx';
import { Text, Words } from './panels/words.jsx';

// Grafana's grid: columns of a page, height of a row, and what is between panels.
const COLUMNS = 24;
const ROW_PIXELS = 30;
const GAP_PIXELS = 8;

const KINDS = {
  stat: Stat,
  gauge: RoundGauge,
  bargauge: Bars,
  timeseries: Graph,
  table: Words,
  'state-timeline': Timeline,
  heatmap: Heatmap,
  text: Text,
};

// Panels that show `noValue` in place of their value.
const SAYS_NOTHING_ITSELF = ['stat', 'gauge', 'bargauge'];

// Draws a dashboard and returns how many panels have data, and the titles of those without. Called by draw.mjs.
window.draw = async function draw({ dashboard, prometheus, from, to, theme: mode, scrapeSeconds, choices }) {
  const theme = createTheme({ colors: { mode } });
  const asked = { prometheus, from, to, scrapeSeconds, variables: {}, theme };
  asked.variables = await choose(dashboard, choices, asked);
  const notes = (await Promise.all(dashboard.annotations.list.filter(({ enable }) => enable).map((one) => annotations(one, asked)))).flat();
  const panels = await Promise.all(dashboard.panels.map((panel) => prepared(panel, asked)));
  // What is drawn on a canvas is not drawn again when a font arrives.
  await Promise.all(['12px Inter', '500 12px Inter'].map((font) => document.fonts.load(font)));
  const page = document.getElementById('page');
  const panelContext = { eventsScope: 'preview', eventBus: new EventBusSrv(), canExecuteActions: () => false };
  createRoot(page).render(
    <ThemeContext.Provider value={theme}>
      <PanelContextProvider value={panelContext}>
        <GlobalStyles />
        <Page dashboard={dashboard} panels={panels} notes={notes} asked={asked} />
        <PortalContainer />
      </PanelContextProvider>
    </ThemeContext.Provider>
  );
  const queried = panels.filter(({ panel }) => panel.targets);
  const empty = queried.filter(({ frames }) => frames.length === 0).map(({ panel }) => panel.title);
  return { drawn: queried.length - empty.length, empty };
};

// The data of a panel, ready to be shown.
async function prepared(panel, asked) {
  if (panel.type !== 'row' && !KINDS[panel.type]) throw new Error(`${panel.title}: no preview of panels of type ${panel.type}`);
  if (!panel.targets) return { panel, frames: [] };
  const { width } = place(panel);
  const data = await panelData(panel, width, asked);
  const frames = await shown(panel, data.frames, asked);
  return { panel, ...data, frames: frames.filter(({ length }) => length > 0) };
}

function place({ gridPos: { x, y, w, h } }) {
  const column = (document.getElementById('page').clientWidth - 2 * GAP_PIXELS + GAP_PIXELS) / COLUMNS;
  return {
    left: x * column,
    top: y * (ROW_PIXELS + GAP_PIXELS),
    width: w * column - GAP_PIXELS,
    height: h * (ROW_PIXELS + GAP_PIXELS) - GAP_PIXELS,
  };
}

function Page({ dashboard, panels, notes, asked }) {
  const { theme } = asked;
  const bottom = Math.max(...panels.map(({ panel }) => place(panel).top + place(panel).height));
  return (
    <div style={{ background: theme.colors.background.canvas, color: theme.colors.text.primary, padding: GAP_PIXELS }}>
      <Header dashboard={dashboard} asked={asked} />
      <div style={{ position: 'relative', height: bottom + GAP_PIXELS }}>
        {panels.map((one) => (
          <div key={one.panel.id} style={{ position: 'absolute', ...place(one.panel) }}>
            {one.panel.type === 'row' ? <Row title={one.panel.title} /> : <Panel {...one} notes={notes} asked={asked} />}
          </div>
        ))}
      </div>
    </div>
  );
}

function Header({ dashboard, asked: { theme, variables, from, to } }) {
  const box = { border: `1px solid ${theme.colors.border.medium}`, padding: '4px 8px' };
  const clock = (at) => new Date(at).toTimeString().slice(0, 5);
  const chosen = Object.entries(variables);
  return (
    <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8, paddingBottom: 12, alignItems: 'center' }}>
      <span style={{ fontSize: 18, flexBasis: '100%', display: 'flex', justifyContent: 'space-between' }}>
        {dashboard.title}
        <span style={{ ...box, fontSize: 14 }}>{`${clock(from)} to ${clock(to)}`}</span>
      </span>
      {chosen.map(([name, { label, text }]) => (
        <span key={name} style={{ display: 'flex' }}>
          <span style={{ ...box, background: theme.colors.background.secondary, fontWeight: 500 }}>{label}</span>
          <span style={box}>{text}</span>
        </span>
      ))}
    </div>
  );
}

function Row({ title }) {
  return <div style={{ fontSize: 16, lineHeight: `${ROW_PIXELS}px` }}>⌄ {title}</div>;
}

function Panel({ panel, notes, asked, ...data }) {
  const { width, height } = place(panel);
  const Kind = KINDS[panel.type];
  const { theme, from, to } = asked;
  return (
    <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
      {(width, height) =>
        panel.targets && data.frames.length === 0 && !SAYS_NOTHING_ITSELF.includes(panel.type) ? (
          <Nothing panel={panel} width={width} height={height} />
        ) : (
          <div style={{ width, height }}>
            <Kind panel={panel} annotations={notes} {...{ width, height, theme, from, to }} {...data} />
          </div>
        )
      }
    </PanelChrome>
  );
}

// Grafana says `noValue` in the middle of a panel without data.
function Nothing({ panel, width, height }) {
  const style = { width, height, display: 'flex', alignItems: 'center', justifyContent: 'center' };
  return <div style={style}>{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>;
}
