//! What the listener calls: deliveries to a source go straight to intake, all else to the router.
//!
//! Routing, its layers and what they set aside for each request cost 2.5 µs of CPU, a tenth of what one
//! alert a request costs in all (docs/adr/0012). Intake needs nothing of it: it reads the source's name
//! from the path itself and brings its own locks. The route stays in the router too, for calls within the
//! process and for every other spelling; both ways call the same function.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::{Method, Request};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use bytes::Bytes;
use futures::future::{BoxFuture, Either, FutureExt as _};
use tower::{BoxError, Service};

use super::{Intake, receive};

/// The router, with intake before it.
#[derive(Clone)]
pub(crate) struct Front {
    intake: Option<Arc<Intake>>,
    router: Router,
}

impl Front {
    /// One product: its intake, and all its routes.
    pub(crate) fn new(intake: Arc<Intake>, router: Router) -> Front {
        Front { intake: Some(intake), router }
    }

    /// Routes alone.
    pub(crate) fn plain(router: Router) -> Front {
        Front { intake: None, router }
    }
}

/// True for what the route `POST /in/{source}` would take.
fn is_delivery(method: &Method, path: &str) -> bool {
    let name = path.strip_prefix("/in/").unwrap_or_default();
    *method == Method::POST && !name.is_empty() && !name.contains('/')
}

impl<B> Service<Request<B>> for Front
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<BoxFuture<'static, Result<Response, Infallible>>, RouteFuture<Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // As the router: always.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match &self.intake {
            Some(intake) if is_delivery(request.method(), request.uri().path()) => {
                let taken = receive(State(intake.clone()), request.map(Body::new));
                Either::Left(taken.map(Ok).boxed())
            }
            Some(_) | None => Either::Right(self.router.call(request)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_route_would_take_goes_past_the_router() {
        assert!(is_delivery(&Method::POST, "/in/alertmanager"));
        assert!(is_delivery(&Method::POST, "/in/%61"), "the route takes it too, and nobody has that name");
        for path in ["/in/", "/in", "/in/a/b", "/in/a/", "//in/a", "/api/v1/in/a", "/"] {
            assert!(!is_delivery(&Method::POST, path), "{path}");
        }
        assert!(!is_delivery(&Method::GET, "/in/alertmanager"), "the router says 405");
    }
}
