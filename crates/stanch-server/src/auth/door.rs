//! Routes are made of handlers that name what they need; one that names nothing does not compile.
//!
//! A handler's first argument says who may call it. [`needs`] reads that from its type, [`Door`] can only
//! be made with what [`needs`] gives, and routes for people are made of doors alone. The description of
//! the API, the table in `docs/reference/authorisation.md` and the tests over every route take the
//! roles from there.
//!
//! A handler that proves who asks:
//!
//! ```
//! use stanch_server::door::{Viewer, needs};
//! async fn look(_: Viewer) -> &'static str { "what there is" }
//! assert_eq!(needs(&look).least(), ["viewer"]);
//! ```
//!
//! One that does not is no handler of ours:
//!
//! ```compile_fail,E0277
//! use stanch_server::door::needs;
//! async fn look() -> &'static str { "what there is" }
//! needs(&look);
//! ```
//!
//! Neither is one that asks last who it was:
//!
//! ```compile_fail,E0277
//! use stanch_server::door::{Viewer, needs};
//! async fn look(_: String, _: Viewer) -> &'static str { "what there is" }
//! needs(&look);
//! ```
//!
//! Source: SEC-25.

use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::{Authorised, Desk, HookCaller, Rank, SignIn};

/// Something that proves who asks, as the first argument of a handler.
pub trait Proves {
    /// The least roles that pass; any of them is enough.
    const LEAST: &'static [&'static str];
}

impl<R: Rank> Proves for Authorised<R> {
    const LEAST: &'static [&'static str] = R::LEAST;
}

impl Proves for SignIn {
    const LEAST: &'static [&'static str] = &["viewer"];
}

impl Proves for HookCaller {
    const LEAST: &'static [&'static str] = &["analyst"];
}

/// A handler whose first argument proves who asks. `M` is the list of its arguments.
pub trait Guarded<M> {
    /// As in [`Proves::LEAST`].
    const LEAST: &'static [&'static str];
}

macro_rules! guarded {
    ($($rest:ident),*) => {
        impl<F, Fut, P, $($rest,)*> Guarded<(P, $($rest,)*)> for F
        where
            F: Fn(P, $($rest),*) -> Fut,
            P: Proves,
        {
            const LEAST: &'static [&'static str] = P::LEAST;
        }
    };
}

guarded!();
guarded!(A);
guarded!(A, B);
guarded!(A, B, C);
guarded!(A, B, C, D);

/// What a handler needs.
pub struct Scope(&'static [&'static str]);

impl Scope {
    /// The least roles that pass; any of them is enough.
    #[must_use]
    pub const fn least(&self) -> &'static [&'static str] {
        self.0
    }
}

/// What a handler needs, read from its type.
pub fn needs<M, F: Guarded<M>>(_: &F) -> Scope {
    Scope(F::LEAST)
}

/// One handler on its path, with what it needs.
pub(crate) struct Door(UtoipaMethodRouter<Desk>);

impl Door {
    /// The description gets the roles from the type, whatever was written beside the handler.
    pub(crate) fn new(scope: &Scope, (schemas, mut paths, method): UtoipaMethodRouter<Desk>) -> Door {
        for item in paths.paths.values_mut() {
            let all = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch];
            for operation in all.into_iter().flatten() {
                let others = operation.security.take().unwrap_or_default().into_iter();
                let person = |s: &SecurityRequirement| {
                    serde_json::to_value(s).is_ok_and(|v| v.get("person").is_some())
                };
                let mut security = vec![SecurityRequirement::new("person", scope.least().iter().copied())];
                security.extend(others.filter(|s| !person(s)));
                operation.security = Some(security);
            }
        }
        Door((schemas, paths, method))
    }
}

/// The doors of these handlers.
macro_rules! doors {
    ($($($part:ident)::+),+ $(,)?) => {
        [$($crate::auth::door::Door::new(
            &$crate::auth::door::needs(&$($part)::+),
            utoipa_axum::routes!($($part)::+),
        )),+]
    };
}
pub(crate) use doors;

/// Routes for people: doors, and nothing else.
pub(crate) struct Guard(OpenApiRouter<Desk>);

impl Guard {
    pub(crate) fn new() -> Guard {
        Guard(OpenApiRouter::new())
    }

    /// Adds doors.
    pub(crate) fn routes(self, doors: impl IntoIterator<Item = Door>) -> Guard {
        Guard(doors.into_iter().fold(self.0, |router, door| router.routes(door.0)))
    }

    /// The routes, to be merged with others.
    pub(crate) fn into_router(self) -> OpenApiRouter<Desk> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Decides, Keeps, Looks, Operates, Stops, Works, Writes};

    fn words<R: Rank>() -> Vec<&'static str> {
        [Some(R::MAY), R::OR].into_iter().flatten().map(|m| m.least().word()).collect()
    }

    #[test]
    fn what_is_described_is_what_is_checked() {
        assert_eq!(words::<Looks>(), Looks::LEAST);
        assert_eq!(words::<Works>(), Works::LEAST);
        assert_eq!(words::<Writes>(), Writes::LEAST);
        assert_eq!(words::<Decides>(), Decides::LEAST);
        assert_eq!(words::<Operates>(), Operates::LEAST);
        assert_eq!(words::<Keeps>(), Keeps::LEAST);
        assert_eq!(words::<Stops>(), Stops::LEAST);
    }
}
