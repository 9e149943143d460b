// Addresses: everything one may want to come back to, or send to somebody, is in one of these.
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { Refused } from "./api/client";
import { type QueueSearch, whoami } from "./api/queries";
import { Failed } from "./parts/basics";
import { Shell } from "./shell";

const root = createRootRouteWithContext<{ client: QueryClient }>()();

const text = (v: unknown): string | undefined =>
  typeof v === "string" && v !== "" ? v.slice(0, 200) : typeof v === "number" ? String(v) : undefined;

/** The same for a filter, which may be long. */
const long = (v: unknown): string | undefined => (typeof v === "string" && v !== "" ? v.slice(0, 4000) : undefined);

/** Leaves out what is not set, so that addresses stay short. */
function tidy<T extends Record<string, unknown>>(all: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined)) as never;
}

export interface SignInSearch {
  next?: string;
  failed?: string;
}

const signin = createRoute({
  getParentRoute: () => root,
  path: "/signin",
  validateSearch: (s: Record<string, unknown>): SignInSearch =>
    tidy({ next: text(s.next), failed: ["provider", "stale", "said", "groups", "name"].find((w) => w === s.failed) }),
  component: lazyRouteComponent(() => import("./screens/signin"), "SignIn"),
});

const welcome = createRoute({
  getParentRoute: () => root,
  path: "/welcome",
  component: lazyRouteComponent(() => import("./screens/welcome"), "Welcome"),
});

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  validateSearch: (s: Record<string, unknown>): { step?: number } => tidy({ step: s.step === 2 || s.step === 3 ? s.step : undefined }),
  component: lazyRouteComponent(() => import("./screens/setup"), "SetUp"),
});

const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  component: Shell,
  errorComponent: ({ error }) => (
    <main className="alone">
      <Failed error={error} again={() => location.reload()} />
    </main>
  ),
  beforeLoad: async ({ context, location }) => {
    try {
      await context.client.ensureQueryData(whoami());
    } catch (e) {
      if (e instanceof Refused && e.status === 401) throw redirect({ to: "/signin", search: { next: location.href } });
      throw e;
    }
  },
});

const home = createRoute({
  getParentRoute: () => shell,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/queue" });
  },
});

const SORTS = ["priority", "newest", "oldest", "activity"];
const STATUSES = ["open", "all", "triggered", "acknowledged", "contained", "resolved"];
const oneOf = (v: unknown, all: string[]) => (typeof v === "string" && all.includes(v) ? v : undefined);

const queue = createRoute({
  getParentRoute: () => shell,
  path: "/queue",
  validateSearch: (s: Record<string, unknown>): QueueSearch & { at?: string } =>
    tidy({
      status: oneOf(s.status, STATUSES),
      severity: text(s.severity),
      team: text(s.team),
      owner: text(s.owner),
      kind: text(s.kind),
      waiting: s.waiting === true ? true : undefined,
      q: text(s.q),
      where: long(s.where),
      sort: oneOf(s.sort, SORTS),
      at: text(s.at),
    }),
  component: lazyRouteComponent(() => import("./screens/queue"), "Queue"),
});

export interface IncidentSearch {
  show?: string;
  entity?: string;
  view?: string;
  alert?: string;
}

const incident = createRoute({
  getParentRoute: () => shell,
  path: "/incidents/$id",
  validateSearch: (s: Record<string, unknown>): IncidentSearch =>
    tidy({
      show: oneOf(s.show, ["person", "machine", "evidence", "gap"]),
      entity: text(s.entity),
      view: oneOf(s.view, ["table"]),
      alert: text(s.alert),
    }),
  component: lazyRouteComponent(() => import("./screens/incident"), "Incident"),
});

const approvals = createRoute({
  getParentRoute: () => shell,
  path: "/approvals",
  component: lazyRouteComponent(() => import("./screens/approvals"), "Approvals"),
});

const approval = createRoute({
  getParentRoute: () => approvals,
  path: "$id",
  component: lazyRouteComponent(() => import("./screens/approvals"), "ApprovalRoute"),
});

const playbooks = createRoute({
  getParentRoute: () => shell,
  path: "/playbooks",
  component: lazyRouteComponent(() => import("./screens/playbooks"), "Playbooks"),
});

const playbook = createRoute({
  getParentRoute: () => shell,
  path: "/playbooks/$name",
  validateSearch: (s: Record<string, unknown>): { against?: string } => tidy({ against: text(s.against) }),
  component: lazyRouteComponent(() => import("./screens/playbooks"), "Playbook"),
});

const playbookEdit = createRoute({
  getParentRoute: () => shell,
  path: "/playbooks/$name/edit",
  component: lazyRouteComponent(() => import("./screens/playbook-edit"), "PlaybookEdit"),
});

const run = createRoute({
  getParentRoute: () => shell,
  path: "/runs/$id",
  validateSearch: (s: Record<string, unknown>): { beside?: string } => tidy({ beside: text(s.beside) }),
  component: lazyRouteComponent(() => import("./screens/run"), "Run"),
});

const clock = createRoute({
  getParentRoute: () => shell,
  path: "/clock",
  component: lazyRouteComponent(() => import("./screens/clock"), "Clock"),
});

const sources = createRoute({
  getParentRoute: () => shell,
  path: "/sources",
  component: lazyRouteComponent(() => import("./screens/sources"), "Sources"),
});

const exercises = createRoute({
  getParentRoute: () => shell,
  path: "/exercises",
  component: lazyRouteComponent(() => import("./screens/later"), "Exercises"),
});

const reviews = createRoute({
  getParentRoute: () => shell,
  path: "/reviews",
  component: lazyRouteComponent(() => import("./screens/later"), "Reviews"),
});

const settings = createRoute({
  getParentRoute: () => shell,
  path: "/settings",
  validateSearch: (s: Record<string, unknown>): { before?: number } =>
    tidy({ before: typeof s.before === "number" && s.before > 0 ? Math.floor(s.before) : undefined }),
  component: lazyRouteComponent(() => import("./screens/settings"), "Settings"),
});

const tree = root.addChildren([
  signin,
  welcome,
  setup,
  shell.addChildren([
    home,
    queue,
    incident,
    approvals.addChildren([approval]),
    playbooks,
    playbook,
    playbookEdit,
    run,
    clock,
    sources,
    exercises,
    reviews,
    settings,
  ]),
]);

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { client },
    defaultPreload: "intent",
    defaultPreloadStaleTime: 0,
    scrollRestoration: false,
    defaultNotFoundComponent: () => (
      <div className="empty">
        <h1>There is nothing at this address</h1>
        <p>
          <a href="/queue">Back to the queue</a>
        </p>
      </div>
    ),
  });
}
