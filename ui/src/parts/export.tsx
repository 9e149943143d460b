// Taking something out: each format is a link to the API, which makes the file.
import { textOf } from "../lib/search";
import { toast } from "./toasts";
import type { QueueSearch } from "../api/queries";

const QUEUE: [string, string][] = [
  ["csv", "CSV, for a spreadsheet"],
  ["json", "JSON"],
  ["ocsf", "OCSF incident findings"],
  ["stix", "STIX 2.1 bundle"],
  ["markdown", "Markdown"],
  ["pdf", "PDF"],
];

/** Fetches with our header, which a plain link cannot send, and gives the file to the person. */
async function take(address: string): Promise<void> {
  const answer = await fetch(address, { headers: { "X-Stanch-Console": "1" }, credentials: "same-origin" });
  if (!answer.ok) throw new Error(`the export failed: HTTP ${answer.status}`);
  const name = /filename="([\w.-]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "stanch-export";
  const url = URL.createObjectURL(await answer.blob());
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function List({ of, address, disabled }: { of: string; address: (format: string) => string; disabled: boolean }) {
  if (disabled) return null;
  return (
    <details className="export">
      <summary className="btn quiet">Export</summary>
      <ul className="pop" aria-label={`Export ${of}`}>
        {QUEUE.map(([format, words]) => (
          <li key={format}>
            <button type="button" className="btn quiet" onClick={() => void take(address(format)).catch((e: Error) => toast(e.message, "bad"))}>
              {words}
            </button>
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
