// Find or do anything, each with its key and the command that does the same in a terminal.
import { useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { approvals, queue } from "../api/queries";
import { setPrefs, usePrefs } from "../lib/prefs";
import { visible } from "../lib/text";
import { copyLink, PLACES, signOut, toggleZone } from "../shell";
import { Dialog } from "./dialog";

/** What a person names in full opens without waiting for any list to load. */
function byName(typed: string) {
  const id = typed.trim().toUpperCase();
  if (/^INC-\d+$/.test(id)) return { id, cli: `stanch story ${id}`, where: { to: "/incidents/$id", params: { id } } } as const;
  if (/^APR-\d+$/.test(id)) return { id, cli: `stanch approvals ${id}`, where: { to: "/approvals/$id", params: { id } } } as const;
  if (/^RUN-\d+$/.test(id)) return { id, cli: `stanch runs ${id}`, where: { to: "/runs/$id", params: { id } } } as const;
  return null;
}

export function Palette({ onClose, onSheet }: { onClose: () => void; onSheet: () => void }) {
  const navigate = useNavigate();
  const { zone } = usePrefs();
  const [typed, setTyped] = useState("");
  const named = byName(typed);
  const incidents = useQuery(queue({ status: "all" })).data?.rows ?? [];
  const questions = useQuery(approvals({ pending: true })).data?.approvals ?? [];
  const run = (what: () => void) => () => {
    onClose();
    what();
  };
  return (
    <Dialog title="Find or do" onClose={onClose} wide>
      <Command label="Find or do" loop className="palette">
        <Command.Input placeholder="Incident, address, screen or command" data-first value={typed} onValueChange={setTyped} />
        <Command.List>
          <Command.Empty>Nothing like it.</Command.Empty>
          {named ? (
            <Command.Group heading="Open">
              <Command.Item value={named.id} onSelect={run(() => void navigate(named.where))}>
                Open <span className="mono">{named.id}</span>
                <span className="cli">{named.cli}</span>
              </Command.Item>
            </Command.Group>
          ) : null}
          <Command.Group heading="Waiting for a yes or no">
            {questions.map((a) => (
              <Command.Item
                key={a.id}
                value={`${a.id} ${a.action}`}
                onSelect={run(() => void navigate({ to: "/approvals/$id", params: { id: a.id } }))}
              >
                <span className="mono">{a.id}</span> <bdi>{visible(a.action)}</bdi>
                <span className="cli">stanch approvals {a.id}</span>
              </Command.Item>
            ))}
          </Command.Group>
          <Command.Group heading="Incidents">
            {incidents.slice(0, 200).map((i) => (
              <Command.Item
                key={i.id}
                value={`${i.id} ${i.title} ${i.entities.join(" ")}`}
                onSelect={run(() => void navigate({ to: "/incidents/$id", params: { id: i.id } }))}
              >
                <span className="mono">{i.id}</span> <bdi>{visible(i.title)}</bdi>
                <span className="cli">stanch story {i.id}</span>
              </Command.Item>
            ))}
          </Command.Group>
          <Command.Group heading="Go to">
            {PLACES.map((p) => (
              <Command.Item key={p.to} value={`go ${p.name}`} onSelect={run(() => void navigate({ to: p.to }))}>
                {p.name}
                <kbd>g {p.key}</kbd>
                {p.cli ? <span className="cli">{p.cli}</span> : null}
              </Command.Item>
            ))}
          </Command.Group>
          <Command.Group heading="Do">
            <Command.Item onSelect={run(() => toggleZone(zone))}>
              Times in {zone === "utc" ? "local time" : "UTC"}
              <kbd>t</kbd>
            </Command.Item>
            <Command.Item onSelect={run(() => setPrefs({ theme: "dark" }))}>Dark</Command.Item>
            <Command.Item onSelect={run(() => setPrefs({ theme: "light" }))}>Light</Command.Item>
            <Command.Item onSelect={run(() => setPrefs({ theme: "system" }))}>Dark or light as the system</Command.Item>
            <Command.Item onSelect={run(copyLink)}>
              Copy a link to what you see
              <kbd>y</kbd>
            </Command.Item>
            <Command.Item onSelect={run(onSheet)}>
              Keyboard shortcuts
              <kbd>?</kbd>
            </Command.Item>
            <Command.Item onSelect={run(() => void signOut())}>Sign out</Command.Item>
          </Command.Group>
        </Command.List>
      </Command>
    </Dialog>
  );
}
