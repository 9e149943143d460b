// Taking something out: each format is a link to the API, which makes the file.
import { textOf } from "../lib/search";
import type { QueueSearch } from "../api/queries";

const QUEUE: [string, string][] = [
  ["csv", "CSV, for a spreadsheet"],
  ["json", "JSON"],
  ["ocsf", "OCSF incident findings"],
  ["stix", "STIX 2.1 bundle"],
  ["markdown", "Markdown"],
  ["pdf", "PDF"],
];

function List({ of, address, disabled }: { of: string; address: (format: string) => string; disabled: boolean }) {
  if (disabled) return null;
  return (
    <details className="export">
      <summary className="btn quiet">Export</summary>
      <ul className="pop" aria-label={`Export ${of}`}>
        {QUEUE.map(([format, words]) => (
          <li key={format}>
            <a href={address(format)} download>
              {words}
            </a>
          </li>
        ))}
      </ul>
    </details>
  );
}

/** What the queue shows now, all of it: filter and order count, pages do not. */
export function Export({ search, disabled }: { search: QueueSearch; disabled: boolean }) {
  const query = textOf(search);
  return <List of="the queue" disabled={disabled} address={(format) => `/api/v1/export/queue?format=${format}${query ? `&${query}` : ""}`} />;
}

export function ExportIncident({ id }: { id: string }) {
  return <List of={id} disabled={false} address={(format) => `/api/v1/incidents/${id}/export?format=${format}`} />;
}
