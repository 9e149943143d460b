// What the screens ask. The first word of a key says what a change in the journal makes stale.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, ask } from "./client";

export interface QueueSearch {
  status?: string;
  severity?: string;
  team?: string;
  owner?: string;
  kind?: string;
  waiting?: boolean;
  q?: string;
  where?: string;
  sort?: string;
}

/** Rows of one page: the first is kept up to date, further ones come where somebody scrolls to them. */
export const QUEUE_ROWS = 300;

export const whoami = () =>
  queryOptions({ queryKey: ["whoami"], queryFn: () => ask(api.GET("/api/v1/whoami")), staleTime: 60_000, retry: false });

export const queue = (search: QueueSearch) =>
  queryOptions({
    queryKey: ["queue", search],
    queryFn: () => ask(api.GET("/api/v1/queue", { params: { query: { ...search, limit: QUEUE_ROWS } } })),
    placeholderData: keepPreviousData,
  });

export const queuePage = (search: QueueSearch, offset: number) =>
  queryOptions({
    queryKey: ["queue-page", search, offset],
    queryFn: () => ask(api.GET("/api/v1/queue", { params: { query: { ...search, limit: QUEUE_ROWS, offset } } })),
    staleTime: 0,
    gcTime: 0,
  });

export const filters = () => queryOptions({ queryKey: ["filters"], queryFn: () => ask(api.GET("/api/v1/queue/filters")) });

export const incident = (id: string) =>
  queryOptions({
    queryKey: ["incident", id, "detail"],
    queryFn: () => ask(api.GET("/api/v1/incidents/{id}", { params: { path: { id } } })),
  });

export const story = (id: string) =>
  queryOptions({
    queryKey: ["incident", id, "story"],
    queryFn: () => ask(api.GET("/api/v1/incidents/{id}/story", { params: { path: { id } } })),
  });

export const timeline = (id: string) =>
  queryOptions({
    queryKey: ["incident", id, "timeline"],
    queryFn: () => ask(api.GET("/api/v1/incidents/{id}/timeline", { params: { path: { id } } })),
  });

export const graph = (id: string) =>
  queryOptions({
    queryKey: ["incident", id, "graph"],
    queryFn: () => ask(api.GET("/api/v1/incidents/{id}/graph", { params: { path: { id } } })),
  });

export const evidence = (id: string) =>
  queryOptions({
    queryKey: ["incident", id, "evidence"],
    queryFn: () => ask(api.GET("/api/v1/alerts", { params: { query: { incident: id, limit: 200 } } })),
  });

export const alert = (id: string) =>
  queryOptions({
    queryKey: ["alert", id],
    queryFn: () => ask(api.GET("/api/v1/alerts/{id}", { params: { path: { id } } })),
  });

export const approvals = (of?: { incident?: string; pending?: boolean }) =>
  queryOptions({
    queryKey: ["approvals", of ?? {}],
    queryFn: () => ask(api.GET("/api/v1/approvals", { params: { query: { ...of, limit: 200 } } })),
  });

export const approval = (id: string) =>
  queryOptions({
    queryKey: ["approvals", id, "detail"],
    queryFn: () => ask(api.GET("/api/v1/approvals/{id}", { params: { path: { id } } })),
  });

export const dryRun = (id: string) =>
  queryOptions({
    queryKey: ["approvals", id, "dry-run"],
    queryFn: () => ask(api.GET("/api/v1/approvals/{id}/dry-run", { params: { path: { id } } })),
  });

export const blocks = (of?: { incident?: string; all?: boolean }) =>
  queryOptions({
    queryKey: ["blocks", of ?? {}],
    queryFn: () => ask(api.GET("/api/v1/blocks", { params: { query: { ...of, limit: 200 } } })),
  });

export const playbooks = () =>
  queryOptions({ queryKey: ["playbooks"], queryFn: () => ask(api.GET("/api/v1/playbooks")) });

export const playbook = (name: string) =>
  queryOptions({
    queryKey: ["playbooks", name],
    queryFn: () => ask(api.GET("/api/v1/playbooks/{name}", { params: { path: { name } } })),
  });

export const playbookVersions = (name: string) =>
  queryOptions({
    queryKey: ["playbooks", name, "versions"],
    queryFn: () => ask(api.GET("/api/v1/playbooks/{name}/versions", { params: { path: { name } } })),
  });

export const playbookSchema = () =>
  queryOptions({ queryKey: ["playbook-schema"], queryFn: () => ask(api.GET("/api/v1/playbook-schema")), staleTime: Number.POSITIVE_INFINITY });

export const runs = (of?: { incident?: string }) =>
  queryOptions({
    queryKey: ["runs", of ?? {}],
    queryFn: () => ask(api.GET("/api/v1/runs", { params: { query: { ...of, limit: 200 } } })),
  });

export const run = (id: string) =>
  queryOptions({
    queryKey: ["runs", id, "detail"],
    queryFn: () => ask(api.GET("/api/v1/runs/{id}", { params: { path: { id } } })),
  });

export const clock = () => queryOptions({ queryKey: ["clock"], queryFn: () => ask(api.GET("/api/v1/clock")) });

export const sources = () => queryOptions({ queryKey: ["sources"], queryFn: () => ask(api.GET("/api/v1/sources")) });

export const ledger = () => queryOptions({ queryKey: ["ledger"], queryFn: () => ask(api.GET("/api/v1/ledger")) });

export const quarantine = () =>
  queryOptions({
    queryKey: ["quarantine"],
    queryFn: () => ask(api.GET("/api/v1/quarantine", { params: { query: { limit: 50 } } })),
  });

export const autonomy = () =>
  queryOptions({ queryKey: ["autonomy"], queryFn: () => ask(api.GET("/api/v1/autonomy")) });

export const settings = () =>
  queryOptions({ queryKey: ["settings"], queryFn: () => ask(api.GET("/api/v1/settings")) });

export const webhooks = () =>
  queryOptions({ queryKey: ["webhooks"], queryFn: () => ask(api.GET("/api/v1/webhooks")) });

export const ways = () =>
  queryOptions({ queryKey: ["ways"], queryFn: () => ask(api.GET("/api/v1/session/ways")), staleTime: 0, retry: false });

export const firstRun = () =>
  queryOptions({ queryKey: ["first-run"], queryFn: () => ask(api.GET("/api/v1/admin/first-run")) });

export const people = () => queryOptions({ queryKey: ["people"], queryFn: () => ask(api.GET("/api/v1/people")) });

export const tokens = () => queryOptions({ queryKey: ["tokens"], queryFn: () => ask(api.GET("/api/v1/tokens")) });

export const killSwitch = () =>
  queryOptions({ queryKey: ["settings", "kill-switch"], queryFn: () => ask(api.GET("/api/v1/admin/kill-switch")) });

export const journalHead = () =>
  queryOptions({ queryKey: ["journal", "head"], queryFn: () => ask(api.GET("/api/v1/journal/head")) });

export const journal = (after: number) =>
  queryOptions({
    queryKey: ["journal", after],
    queryFn: () => ask(api.GET("/api/v1/journal", { params: { query: { after, limit: 50 } } })),
    placeholderData: keepPreviousData,
  });
