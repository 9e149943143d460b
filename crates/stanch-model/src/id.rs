//! Names of things. Numbers are minted by the engine in journal order, never at random, so that
//! folding the same journal twice gives the same names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not an id like {prefix}-12")]
pub struct BadId {
    text: String,
    prefix: &'static str,
}

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            /// Takes the whole id in any case, or the bare number.
            fn from_str(text: &str) -> Result<Self, BadId> {
                let bad = || BadId { text: text.chars().take(32).collect(), prefix: $prefix };
                let number = match text.split_once('-') {
                    Some((p, n)) if p.eq_ignore_ascii_case($prefix) => n,
                    Some(_) => return Err(bad()),
                    None => text,
                };
                number.parse().map($name).map_err(|_| bad())
            }
        }
    };
}

numbered!(
    /// One alert that was new when it came: `A-12`.
    AlertId,
    "A"
);
numbered!(
    /// One incident: `INC-3`.
    IncidentId,
    "INC"
);
numbered!(
    /// One execution of a playbook: `RUN-2`.
    RunId,
    "RUN"
);
numbered!(
    /// One question to a person: `APR-1`.
    ApprovalId,
    "APR"
);
numbered!(
    /// One change to the outside world: `ACT-4`. Also the idempotency key sent to the target.
    ActionId,
    "ACT"
);
numbered!(
    /// One silence: `SIL-2`.
    SilenceId,
    "SIL"
);
numbered!(
    /// One thing asked of people that is not about one change: `TASK-5`.
    TaskId,
    "TASK"
);
numbered!(
    /// One intention in the journal: stable across retries and restarts.
    EffectId,
    "EFF"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_in_any_case_and_refuse_another_kind() {
        assert_eq!("inc-12".parse(), Ok(IncidentId(12)));
        assert_eq!("12".parse(), Ok(IncidentId(12)));
        assert_eq!(IncidentId(12).to_string(), "INC-12");
        assert!("APR-12".parse::<IncidentId>().is_err());
        assert!("INC-".parse::<IncidentId>().is_err());
    }
}
