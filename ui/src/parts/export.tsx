// Taking something out: the server makes the file, the browser keeps it.
import { useState } from "react";
import { file } from "../api/client";
import type { QueueSearch } from "../api/queries";
import { save } from "../lib/save";
import { textOf } from "../lib/search";
import { Menu } from "./menu";
import { toast } from "./toasts";

const FORMATS: [string, string][] = [
  ["csv", "CSV, for a spreadsheet"],
  ["json", "JSON"],
  ["ocsf", "OCSF incident findings"],
  ["stix", "STIX 2.1 bundle"],
  ["markdown", "Markdown"],
  ["pdf", "PDF"],
];

function List({ of, address, disabled }: { of: string; address: (format: string) => string; disabled: boolean }) {
  const [busy, setBusy] = useState(false);
  const take = (format: string) => {
    if (busy) return;
    setBusy(true);
    file(address(format))
      .then(({ name, content }) => {
        save(name, content);
        toast(`${name} was made`);
      })
      .catch((e: Error) => toast(`no file was made: ${e.message}`, "bad"))
      .finally(() => setBusy(false));
  };
  return (
    <Menu name={busy ? "Making the file…" : "Export"} of={`Export ${of}`} disabled={disabled}>
      {FORMATS.map(([format, words]) => (
        <button key={format} type="button" onClick={() => take(format)}>
          {words}
        </button>
      ))}
    </Menu>
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
