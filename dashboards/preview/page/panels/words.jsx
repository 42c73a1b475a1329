// Panels of words: tables with Grafana's own Table, and text.

import { renderTextPanelMarkdown } from '@grafana/data';
import { Table } from '@grafana/ui';

export function Words({ panel, frames, width, height }) {
  const sortBy = (panel.options.sortBy ?? []).map(({ displayName, desc }) => ({ id: displayName, displayName, desc }));
  return (
    <Table
      data={frames[0]}
      width={width}
      height={height}
      cellHeight={panel.options.cellHeight}
      noHeader={!panel.options.showHeader}
      initialSortBy={sortBy}
      columnMinWidth={panel.fieldConfig.defaults.custom?.minWidth ?? 150}
      showTypeIcons={false}
      resizable
      enableSharedCrosshair={false}
    />
  );
}

export function Text({ panel }) {
  return <div className="markdown-html" dangerouslySetInnerHTML={{ __html: renderTextPanelMarkdown(panel.options.content) }} />;
}
