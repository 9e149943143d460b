//! What travels over the wire in API v1: explicit types, additive within v1.
//!
//! Nothing here is an internal type, so that an internal change can neither break a client nor let
//! one set what it must not. Times are RFC 3339 in UTC; a length of time comes twice, as whole
//! milliseconds in a field that ends with `_ms` and in words beside it; names are `A-12`, `INC-3`,
//! `APR-1`, `ACT-4`, `RUN-2`, `SIL-2`. Requests refuse fields they do not know.

mod alerts;
mod approvals;
mod blocks;
mod clock;
mod common;
mod erasure;
mod events;
mod exports;
mod first_run;
mod identity;
mod incidents;
mod intake;
mod journal;
mod judgement;
mod people;
mod playbooks;
mod queue;
mod runs;
mod secrets;
mod settings;
mod sources;
mod tasks;
mod timeline;
mod verdicts;
mod webhooks;

pub use crate::support::{SupportBundle, SupportPart, SupportQuery};
pub use alerts::{
    AlertDetail, AlertPage, AlertQuery, AlertSummary, AttackRef, EndpointView, NormalisedAlert,
    ObservableView, OccurrencePage, OccurrenceView, SplitOccurrenceRequest,
};
pub use approvals::{
    ApprovalDetail, ApprovalPage, ApprovalQuery, ApprovalSummary, Blast, DecideRequest, FreshView, PartyView,
    ProofRequest, ProofView, ProviderProofRequest, SettledView, ToProviderView, TouchedAssetView,
};
pub use blocks::{
    AnnouncedView, BlockEnd, BlockPage, BlockQuery, BlockView, ReleaseRequest, RenewRequest, VetoRequest,
};
pub use clock::{ClockView, ClocksView, ManualView, PhaseQuantiles, PhaseTime, WaitingTime};
pub use common::{DoneView, ErrorBody, ErrorDetail, MistakeView};
pub use erasure::{ErasureFile, ErasureKind, ErasureRequest, ErasureView, RetentionRequest, RetentionView};
pub use events::{ChangeView, EventsQuery};
pub use exports::{ExportQuery, QueueExportQuery};
pub use first_run::{FirstRunView, FirstSourceView};
pub use identity::{
    AddPersonRequest, ChangePersonRequest, ExplainQuery, ExplainView, InviteView, KnownPersonView,
    MadeTokenView, MakeTokenRequest, NewPasswordRequest, PasswordRequest, PeoplePage, SetUpRequest,
    TokenPage, TokenView, WaysView, WelcomeRequest,
};
pub use incidents::{
    AckRequest, ActorView, ClimbView, EntityView, FactView, IncidentDetail, IncidentPage, IncidentQuery,
    IncidentSummary, MarkView, MergeRequest, MissingView, NoteRequest, ResolveRequest, SentenceView,
    SplitRequest, StoryView, UnmergeRequest,
};
pub use intake::{AckView, PagerDutyAnswer};
pub use journal::{
    AuditFinding, AuditReport, AuditRequest, AuditView, JournalEntry, JournalHead, JournalPage, JournalQuery,
    VerifyBroken, VerifyView,
};
pub use judgement::{
    ActionCount, AdviceView, AlikeView, AssistedRequest, AssistedView, AutonomyView, CandidateView,
    DecisionView, ModelView, OutcomeCount, ReliabilityBar, SaidView, SuggestedTeam,
};
pub use people::{KillSwitchRequest, KillSwitchView, ReloadView, SignedOut, Whoami};
pub use playbooks::{
    DifferenceView, PlanArrow, PlanNode, PlaybookCheck, PlaybookSave, PlaybookSaved, PlaybookText,
    PlaybookVersion, PlaybookVersions, RehearsalFailing, RehearsalLine, RehearsalRequest, RehearsalView,
};
pub use queue::{
    BulkFailure, BulkRequest, BulkView, ClockCell, Facet, FilterField, FilterPage, FilterRequest, FilterView,
    QueueFilter, QueuePage, QueuePart, QueueQuery, QueueRow, Undecided,
};
pub use runs::{
    RunDetail, RunPage, RunQuery, RunResumeRequest, RunResumedView, RunStep, RunSummary, RunWait,
};
pub use secrets::{
    SecretDone, SecretPage, SecretRequest, SecretText, SecretView, SecretsKeyRequest, SecretsKeyView,
};
pub use settings::{
    ConnectorView, DryRunView, LimitView, PersonView, PlaybookDetail, PlaybookPage, PlaybookView,
    ProtectedView, SettingsView, TeamView,
};
pub use sources::{
    LedgerView, QuarantineItem, QuarantinePage, QuarantineQuery, SilencePage, SilenceQuery, SilenceRequest,
    SilenceView, SourcePage, SourceView, TallyView,
};
pub use tasks::{FieldView, HookQuery, HookView, RunRequest, TaskAnswer, TaskPage, TaskQuery, TaskView};
pub use timeline::{GraphCard, GraphLink, GraphPair, GraphView, TimelineRow, TimelineView};
pub use verdicts::{NoisePage, NoiseView, VerdictRequest};
pub use webhooks::{
    RedeliverRequest, WebhookCreated, WebhookPage, WebhookRequest, WebhookTested, WebhookView,
};
