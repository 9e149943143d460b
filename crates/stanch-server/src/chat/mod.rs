//! Answers that come in through a chat. The chat proves *who* clicked; what they may do, and to what
//! they agreed, is decided here as everywhere else: [`click`] is the one way for HTTP and sockets.

pub(crate) mod click;
pub(crate) mod links;
pub(crate) mod slack;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Desk;

pub(crate) use click::Verified;
pub(crate) use links::Links;

pub(crate) fn router() -> OpenApiRouter<Desk> {
    OpenApiRouter::new().routes(routes!(slack::clicked))
}
