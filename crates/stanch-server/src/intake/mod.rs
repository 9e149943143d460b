//! The way in for alerts: prove who sends, take the body apart, answer once the disk has it.
//!
//! This is the hot path: nothing is logged, cloned or looked up here that is not needed for the one
//! delivery in hand. Every refusal is a clear 4xx or a 503 with `Retry-After`; a body that cannot be
//! read is no refusal but quarantine.
//!
//! Source: SEC-1 to SEC-15; the rule of acknowledgement in `stanch-store`.

mod doors;
mod dropin;
mod front;
mod inflate;
mod lock;
mod replay;
mod share;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use stanch_engine::{Ack, Engine, Now, Received};
use stanch_model::Timestamp;
use stanch_model::port::Record;
use tokio::sync::Semaphore;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use doors::{Door, Doors};
pub(crate) use front::Front;
pub(crate) use lock::bearer;

use crate::api::v1::types::AckView;
use crate::certificate::{self, Authorities, Names, Shown};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::swap::Swap;
use inflate::inflate;
use lock::{Denied, Verified};
use replay::{Again, Replays};
use share::{Beyond, Held, Share, Spent};

/// Bodies up to this size are taken apart where they arrive; larger ones would hold up others.
const INLINE: usize = 64 * 1024;
/// Memory for large bodies is given out in pieces of this size, in bytes.
const PIECE: u64 = 64 * 1024;
/// Memory for large bodies in all, in bytes: at least four of the largest.
const ROOM: u64 = 256 << 20;

/// A body that takes longer to arrive is given up, with the memory set aside for it.
const BODY_TAKES: Duration = Duration::from_secs(30);

/// The way in for alerts.
pub(crate) struct Intake {
    engine: Engine,
    doors: Swap<Doors>,
    replays: Replays,
    room: Arc<Semaphore>,
    pieces: u32,
    /// What those hold whose bodies are read before they have proven who they are.
    strangers: Share,
    now: Now,
    clients: Arc<Swap<Authorities>>,
    pub(crate) metrics: Metrics,
}

/// Why a delivery is not taken in.
#[derive(Debug)]
pub(crate) enum Refusal {
    Denied,
    /// A client certificate was shown that proves nothing.
    Certificate(certificate::Refused),
    TooLarge(u64),
    Encoding,
    BrokenGzip,
    Empty,
    Interrupted,
    Replayed,
    Busy,
    /// This source holds as much of intake as one source may.
    Share,
    /// This source has sent more than its limit; for so many seconds.
    Limit(u64),
}

/// What became of a delivery.
pub(crate) struct Taken {
    pub(crate) ack: Ack,
    /// Why records went to quarantine; filled only where the answer repeats it.
    pub(crate) reasons: Vec<String>,
}

impl Intake {
    pub(crate) fn new(engine: Engine, doors: Doors, clients: Arc<Swap<Authorities>>, now: Now) -> Intake {
        let pieces = u32::try_from(ROOM.max(doors.max_body * 4) / PIECE).unwrap_or(u32::MAX >> 4);
        let room = Arc::new(Semaphore::new(pieces as usize));
        let (doors, replays, metrics) = (Swap::new(doors), Replays::default(), Metrics::default());
        let strangers = Share::default();
        Intake { engine, doors, replays, room, pieces, strangers, now, clients, metrics }
    }

    /// The sources as they are now.
    pub(crate) fn doors(&self) -> Arc<Doors> {
        self.doors.now()
    }

    /// Swaps the sources whole.
    pub(crate) fn swap(&self, mut doors: Doors) {
        doors.follow(&self.doors.now());
        self.doors.set(doors);
    }

    /// One delivery to a source by name.
    async fn by_name(
        &self,
        door: Option<&Arc<Door>>,
        doors: &Doors,
        parts: &Parts,
        body: Body,
    ) -> Result<Taken, Refusal> {
        let headers = &parts.headers;
        check_length(headers, doors.max_body)?;
        let gzip = is_gzip(headers)?;
        // Judged first, so that what is said about a certificate does not depend on what sources there are.
        let names = self.names(parts).map_err(Refusal::Certificate)?;
        let door = door.ok_or(Refusal::Denied)?;
        let proven = door.lock.before_body(headers, names.as_deref())?;
        let known = proven.as_ref().map(|_| door);
        let (body, held) = self.read(doors, headers, body, known).await?;
        let verified = door.lock.verify(proven, headers, body, (self.now)())?;
        self.accept(doors, door, verified, gzip, held, false).await
    }

    /// The names that the connection's certificate proves, where nothing else is shown.
    fn names(&self, parts: &Parts) -> Result<Option<Names>, certificate::Refused> {
        let Some(shown) = Shown::of(&parts.extensions) else { return Ok(None) };
        if parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(None);
        }
        certificate::not_a_browser(&parts.headers)?;
        self.clients.now().judge(&shown, (self.now)()).map(Some)
    }

    /// Reads a body within its limits. Whoever has not proven who they are is not told which limit.
    async fn read<'a>(
        &'a self,
        doors: &Doors,
        headers: &HeaderMap,
        body: Body,
        proven: Option<&'a Arc<Door>>,
    ) -> Result<(Bytes, Held<'a>), Refusal> {
        let share = match proven {
            Some(door) => {
                door.share.open((self.now)())?;
                &door.share
            }
            None => &self.strangers,
        };
        let held = self.set_aside(doors, headers, share).map_err(|refusal| match refusal {
            Refusal::Share if proven.is_none() => Refusal::Busy,
            refusal => refusal,
        })?;
        let limit = usize::try_from(doors.max_body).unwrap_or(usize::MAX);
        let read = tokio::time::timeout(BODY_TAKES, axum::body::to_bytes(body, limit)).await;
        match read
            .unwrap_or_else(|_| Err(axum::Error::new(std::io::Error::from(std::io::ErrorKind::TimedOut))))
        {
            Ok(bytes) => Ok((bytes, held)),
            Err(e) if is_too_long(&e) && proven.is_some() => Err(Refusal::TooLarge(doors.max_body)),
            Err(e) if is_too_long(&e) => Err(Refusal::Denied),
            Err(_) => Err(Refusal::Interrupted),
        }
    }

    /// A place for a body, with memory set aside for one that may become large.
    fn set_aside<'a>(
        &self,
        doors: &Doors,
        headers: &HeaderMap,
        share: &'a Share,
    ) -> Result<Held<'a>, Refusal> {
        let declared = content_length(headers);
        let gzip = headers.contains_key(header::CONTENT_ENCODING);
        let bytes = match declared {
            Some(n) if gzip => n + n.saturating_mul(doors.max_ratio).clamp(PIECE, doors.max_body.max(PIECE)),
            Some(n) => n,
            None => doors.max_body,
        };
        if bytes <= PIECE {
            return Ok(share.hold(self.engine.free(), 0, 0)?);
        }
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX).min(self.pieces);
        let held = share.hold(self.engine.free(), pieces, self.room.available_permits())?;
        let room = self.room.clone().try_acquire_many_owned(pieces).map_err(|_| Refusal::Busy)?;
        Ok(held.with(Some(room)))
    }

    /// The place of a body whose sender has been proven by the body, on that sender's account.
    fn moved<'a>(&self, held: Held<'_>, to: &'a Share) -> Result<Held<'a>, Refusal> {
        to.open((self.now)())?;
        Ok(held.moved(to, self.engine.free(), self.room.available_permits())?)
    }

    /// Takes a verified body in: decompress, take apart, commit.
    async fn accept(
        &self,
        doors: &Doors,
        door: &Arc<Door>,
        verified: Verified,
        gzip: bool,
        held: Held<'_>,
        tell: bool,
    ) -> Result<Taken, Refusal> {
        let now = (self.now)();
        let held = if held.is_of(&door.share) { held } else { self.moved(held, &door.share)? };
        let once = verified.once;
        let packed = verified.into_body();
        if packed.is_empty() {
            return Err(Refusal::Empty);
        }
        if let Some(signature) = once {
            self.replays.claim(signature, now).map_err(|again| match again {
                Again::Seen => Refusal::Replayed,
                Again::Full => Refusal::Busy,
            })?;
        }
        let taken = async {
            let (body, records) = apart(doors, door, packed, gzip, now).await?;
            self.commit(door, body, records, tell).await
        }
        .await;
        if let (Err(_), Some(signature)) = (&taken, once) {
            self.replays.give_back(signature);
        }
        drop(held);
        taken
    }

    async fn commit(
        &self,
        door: &Door,
        body: Vec<u8>,
        records: Vec<Record>,
        tell: bool,
    ) -> Result<Taken, Refusal> {
        let mut reasons = Vec::new();
        if tell {
            reasons.extend(records.iter().filter_map(|r| r.parsed.as_ref().err()).map(|r| r.reason.clone()));
        }
        if records.is_empty() {
            return Ok(Taken { ack: Ack::default(), reasons });
        }
        let received =
            Received { source: door.name.clone(), site: door.site.clone(), body, records, retry_of: None };
        let (alerts, bytes) = (received.records.len(), received.body.len());
        let _place = door.share.queue(self.engine.free())?;
        door.share.charge(alerts, bytes);
        let taken = self.engine.receive(received).await;
        let ack = taken.map_err(|_| {
            door.share.refund(alerts, bytes);
            Refusal::Busy
        })?;
        door.share.waited(ack.waited);
        Ok(Taken { ack, reasons })
    }
}

/// Decompresses and takes apart; large bodies on a thread where they hold up nobody.
async fn apart(
    doors: &Doors,
    door: &Arc<Door>,
    packed: Bytes,
    gzip: bool,
    now: Timestamp,
) -> Result<(Vec<u8>, Vec<Record>), Refusal> {
    let (max_body, max_ratio) = (doors.max_body, doors.max_ratio);
    let small = packed.len() <= INLINE && !gzip;
    let door = door.clone();
    let work = move || {
        let body = if gzip {
            inflate(&packed, max_body, max_ratio).map_err(|e| (e, max_body))?
        } else {
            Vec::from(packed)
        };
        let records = door.parse(&body, now);
        Ok((body, records))
    };
    let done =
        if small { work() } else { tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Busy)? };
    let (body, records) = done.map_err(|(e, limit)| match e {
        inflate::Refused::TooLarge => Refusal::TooLarge(limit),
        inflate::Refused::Broken => Refusal::BrokenGzip,
    })?;
    if records.is_empty() && body.iter().all(u8::is_ascii_whitespace) {
        return Err(Refusal::Empty);
    }
    Ok((body, records))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A declared length is judged before anything else, the same for everyone.
fn check_length(headers: &HeaderMap, max_body: u64) -> Result<(), Refusal> {
    match content_length(headers) {
        Some(n) if n > max_body => Err(Refusal::TooLarge(max_body)),
        _ => Ok(()),
    }
}

/// `gzip` or nothing; what else there is, is not read.
fn is_gzip(headers: &HeaderMap) -> Result<bool, Refusal> {
    let mut all = headers.get_all(header::CONTENT_ENCODING).iter();
    match (all.next().map(HeaderValue::as_bytes), all.next()) {
        (None, _) => Ok(false),
        (Some(one), None) if one.eq_ignore_ascii_case(b"identity") => Ok(false),
        (Some(one), None) if one.eq_ignore_ascii_case(b"gzip") || one.eq_ignore_ascii_case(b"x-gzip") => {
            Ok(true)
        }
        _ => Err(Refusal::Encoding),
    }
}

/// True when the limit ended the reading, and not the sender.
fn is_too_long(error: &axum::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(e) = cause {
        if e.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = e.source();
    }
    false
}

impl From<Beyond> for Refusal {
    fn from(_: Beyond) -> Refusal {
        Refusal::Share
    }
}

impl From<Spent> for Refusal {
    fn from(Spent(seconds): Spent) -> Refusal {
        Refusal::Limit(seconds)
    }
}

impl From<Denied> for Refusal {
    fn from(_: Denied) -> Refusal {
        Refusal::Denied
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::Denied => Problem::sender(),
            Refusal::Certificate(why) => Problem::certificate(&why),
            Refusal::TooLarge(limit) => Problem::too_large(limit),
            Refusal::Encoding => Problem::media(
                "this Content-Encoding is not read",
                "send it plain or with Content-Encoding: gzip",
            ),
            Refusal::BrokenGzip => Problem::invalid(
                "the body says it is gzip, but it cannot be decompressed",
                "send it again; leave Content-Encoding out when it is plain",
            ),
            Refusal::Empty => Problem::invalid(
                "the body is empty",
                "send one JSON object, a JSON array of objects, or one object in each line",
            ),
            Refusal::Interrupted => Problem::invalid("the body ended early", "send it again, whole"),
            Refusal::Replayed => Problem::replayed(),
            Refusal::Busy => Problem::busy("intake is full; nothing was taken in"),
            Refusal::Share => Problem::beyond_share(),
            Refusal::Limit(seconds) => Problem::beyond_limit(seconds),
        }
    }
}

/// The answer to a delivery that was taken in.
pub(crate) fn ack_view(ack: Ack) -> AckView {
    let Ack { accepted, new, merged, context, quarantined, entry, alerts, waited: _ } = ack;
    AckView { accepted, new, merged, context, quarantined, entry, alerts }
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => {
            let mut response = Response::new(Body::from(text));
            *response.status_mut() = status;
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            response
        }
        Err(_) => Problem::internal("the answer could not be written").into_response(),
    }
}

/// Takes a delivery of alerts in
///
/// The source's configuration says how the sender proves itself and in which format it speaks; the
/// `Content-Type` plays no part. Answered once the disk has it. What cannot be read is kept in
/// quarantine and counted in the answer.
#[utoipa::path(
    post, path = "/in/{source}", tag = "intake",
    params(("source" = String, Path, description = "The source's name in the configuration")),
    request_body(content = String, content_type = "application/json", description = "One JSON object, an array, or one object in each line; plain or gzip", example = json!("{\"event_type\":\"alert\"}")),
    responses(
        (status = 202, description = "Taken in, and on disk", body = AckView),
        (status = 400, description = "The body is empty or cut off", body = crate::api::v1::types::ErrorBody),
        (status = 401, description = "There is no such source, or the proof is wrong", body = crate::api::v1::types::ErrorBody),
        (status = 409, description = "This very signed delivery was accepted before", body = crate::api::v1::types::ErrorBody),
        (status = 413, description = "The body is too large", body = crate::api::v1::types::ErrorBody),
        (status = 415, description = "The Content-Encoding is not read", body = crate::api::v1::types::ErrorBody),
        (status = 429, description = "More than this source's `limit`; nothing was taken in", body = crate::api::v1::types::ErrorBody),
        (status = 503, description = "Full, or this source holds its share; try again", body = crate::api::v1::types::ErrorBody),
    ),
    security(("source" = []))
)]
async fn receive(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    let doors = intake.doors.now();
    let door = parts.uri.path().strip_prefix("/in/").and_then(|name| doors.by_name(name));
    let taken = intake.by_name(door, &doors, &parts, body).await;
    intake.metrics.delivered(begun.elapsed(), taken.as_ref().err());
    match taken {
        Ok(taken) => json(StatusCode::ACCEPTED, &ack_view(taken.ack)),
        Err(refusal) => Problem::from(refusal).into_response(),
    }
}

/// The routes of intake.
pub(crate) fn router(intake: Arc<Intake>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(receive))
        .routes(routes!(dropin::enqueue))
        .routes(routes!(dropin::alerts))
        .with_state(intake)
}
