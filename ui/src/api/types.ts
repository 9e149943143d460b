// Short names for the generated types.
import type { components } from "./schema";

type S = components["schemas"];
export type Whoami = S["Whoami"];
export type QueuePage = S["QueuePage"];
export type QueueRow = S["QueueRow"];
export type ClockCell = S["ClockCell"];
export type IncidentDetail = S["IncidentDetail"];
export type StoryView = S["StoryView"];
export type TimelineView = S["TimelineView"];
export type TimelineRow = S["TimelineRow"];
export type GraphView = S["GraphView"];
export type GraphCard = S["GraphCard"];
export type AlertSummary = S["AlertSummary"];
export type AlertDetail = S["AlertDetail"];
export type ApprovalSummary = S["ApprovalSummary"];
export type ApprovalDetail = S["ApprovalDetail"];
export type DryRunView = S["DryRunView"];
export type AnnouncedView = S["AnnouncedView"];
export type BlockView = S["BlockView"];
export type ManualView = S["ManualView"];
export type RunSummary = S["RunSummary"];
export type RunDetail = S["RunDetail"];
export type RunStep = S["RunStep"];
export type PlaybookCheck = S["PlaybookCheck"];
export type PlaybookVersion = S["PlaybookVersion"];
export type Difference = S["DifferenceView"];
export type RehearsalView = S["RehearsalView"];
export type DecisionView = S["DecisionView"];
export type SourceView = S["SourceView"];
export type TallyView = S["TallyView"];
export type ConnectorView = S["ConnectorView"];
export type WebhookView = S["WebhookView"];

/** What a `change` of the live stream says; crates/stanch-server/src/api/v1/types/events.rs. */
export interface ChangeView {
  seq: number;
  kinds: Record<string, number>;
  incidents: string[];
  many: boolean;
}
