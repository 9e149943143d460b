//! What kinds of values there are, as the type check sees them.
//!
//! Addresses, domains, accounts and ports are texts when a condition reads them, and kinds of their
//! own when a change is aimed at them: only a value that was read as an address stays one. Joining,
//! cutting or converting it makes it plain text, and text never becomes a target.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What an expression gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is known: told at run time.
    Any,
    /// `null`.
    Null,
    /// Yes or no.
    Bool,
    /// A whole number.
    Int,
    /// A number with a fraction.
    Double,
    /// A number that came from outside: whole or not.
    Number,
    /// Any text.
    Text,
    /// An IP address or prefix.
    Address,
    /// A domain name.
    Domain,
    /// An account name.
    Account,
    /// A port of a switch.
    Port,
    /// A list of these.
    List(Box<Kind>),
    /// Named values, the names unknown.
    Map,
    /// Named values, the names known.
    Record(Arc<BTreeMap<String, Kind>>),
}

impl Kind {
    /// A list of these.
    #[must_use]
    pub fn list(of: Kind) -> Kind {
        Kind::List(Box::new(of))
    }

    /// Named values.
    pub fn record<N: Into<String>>(fields: impl IntoIterator<Item = (N, Kind)>) -> Kind {
        Kind::Record(Arc::new(fields.into_iter().map(|(n, k)| (n.into(), k)).collect()))
    }

    /// True for everything that is text at run time.
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self, Kind::Text | Kind::Address | Kind::Domain | Kind::Account | Kind::Port)
    }

    /// True for numbers of any kind.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Kind::Int | Kind::Double | Kind::Number)
    }

    /// True when a value of this kind may stand where `wanted` is asked for. What is unknown may
    /// stand anywhere but where an address, domain, account or port is asked for.
    #[must_use]
    pub fn fits(&self, wanted: &Kind) -> bool {
        match (self, wanted) {
            (_, Kind::Any) => true,
            (Kind::Any, wanted) => !wanted.is_target(),
            (Kind::List(a), Kind::List(b)) => a.fits(b),
            (a, Kind::Text) => a.is_text(),
            (a, Kind::Number) => a.is_number(),
            (Kind::Record(_), Kind::Map) => true,
            (a, b) => a == b,
        }
    }

    /// True for what a change may be aimed at, and for lists of it.
    #[must_use]
    pub fn is_target(&self) -> bool {
        match self {
            Kind::Address | Kind::Domain | Kind::Account | Kind::Port => true,
            Kind::List(of) => of.is_target(),
            Kind::Any
            | Kind::Null
            | Kind::Bool
            | Kind::Int
            | Kind::Double
            | Kind::Number
            | Kind::Text
            | Kind::Map
            | Kind::Record(_) => false,
        }
    }

    /// The kind of a value that is one or the other.
    #[must_use]
    pub fn or(&self, other: &Kind) -> Kind {
        match (self, other) {
            (a, b) if a == b => a.clone(),
            (a, b) if a.is_text() && b.is_text() => Kind::Text,
            (a, b) if a.is_number() && b.is_number() => Kind::Number,
            (Kind::List(a), Kind::List(b)) => Kind::list(a.or(b)),
            (Kind::Record(_) | Kind::Map, Kind::Record(_) | Kind::Map) => Kind::Map,
            _ => Kind::Any,
        }
    }

    /// True when two values can be equal at all.
    #[must_use]
    pub fn can_equal(&self, other: &Kind) -> bool {
        match (self, other) {
            (Kind::Any, _) | (_, Kind::Any) => true,
            (a, b) if a.is_text() && b.is_text() => true,
            (a, b) if a.is_number() && b.is_number() => true,
            (Kind::List(a), Kind::List(b)) => a.can_equal(b),
            (Kind::Record(_) | Kind::Map, Kind::Record(_) | Kind::Map) => true,
            (a, b) => a == b,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Any => "a value of unknown kind",
            Kind::Null => "null",
            Kind::Bool => "true or false",
            Kind::Int => "a whole number",
            Kind::Double | Kind::Number => "a number",
            Kind::Text => "a text",
            Kind::Address => "an address",
            Kind::Domain => "a domain",
            Kind::Account => "an account",
            Kind::Port => "a switch port",
            Kind::List(of) => {
                return match &**of {
                    Kind::Any => f.write_str("a list"),
                    of => write!(f, "a list of {}", of.plural()),
                };
            }
            Kind::Map | Kind::Record(_) => "a map",
        })
    }
}

impl Kind {
    fn plural(&self) -> &'static str {
        match self {
            Kind::Any | Kind::Null => "values",
            Kind::Bool => "true or false",
            Kind::Int | Kind::Double | Kind::Number => "numbers",
            Kind::Text => "texts",
            Kind::Address => "addresses",
            Kind::Domain => "domains",
            Kind::Account => "accounts",
            Kind::Port => "switch ports",
            Kind::List(_) => "lists",
            Kind::Map | Kind::Record(_) => "maps",
        }
    }
}
