//! What a person may do: roles as sets of permissions, in one table.
//!
//! Roles are no ladder: whoever writes playbooks does not thereby approve changes, and whoever keeps
//! Stanch running decides about neither. Only an administrator may do everything.
//!
//! Source: SEC-29.

/// A thing that one may or may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum May {
    /// Look.
    Look,
    /// Work on alerts and incidents: acknowledge, note, merge, split, silence, resolve.
    Work,
    /// Write playbooks and what else the console edits.
    Write,
    /// Say yes or no to a change, and lift one.
    Decide,
    /// Keep it running: reload, kill switch, quarantine.
    Operate,
    /// Say who may come in.
    Govern,
}

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Works on alerts and incidents.
    Analyst,
    /// Works, and writes playbooks.
    Author,
    /// Works, and says yes or no to changes.
    Approver,
    /// Works, and keeps Stanch running.
    Operator,
    /// May do everything.
    Admin,
}

impl May {
    /// All, in the order of the table.
    pub const ALL: &[May] = &[May::Look, May::Work, May::Write, May::Decide, May::Operate, May::Govern];

    /// The word used in the API and in tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            May::Look => "look",
            May::Work => "work",
            May::Write => "write",
            May::Decide => "decide",
            May::Operate => "operate",
            May::Govern => "govern",
        }
    }

    /// The least role that may.
    #[must_use]
    pub const fn least(self) -> Role {
        match self {
            May::Look => Role::Viewer,
            May::Work => Role::Analyst,
            May::Write => Role::Author,
            May::Decide => Role::Approver,
            May::Operate => Role::Operator,
            May::Govern => Role::Admin,
        }
    }
}

impl Role {
    /// All, from the least to the greatest.
    pub const ALL: &[Role] =
        &[Role::Viewer, Role::Analyst, Role::Author, Role::Approver, Role::Operator, Role::Admin];

    /// The role of a word, as in files and on screens.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Role> {
        Role::ALL.iter().copied().find(|r| r.word() == word)
    }

    /// The word used in files and on screens.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Analyst => "analyst",
            Role::Author => "author",
            Role::Approver => "approver",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }

    /// The table.
    #[must_use]
    pub const fn may(self, what: May) -> bool {
        match (self, what) {
            (_, May::Look) | (Role::Admin, _) => true,
            (Role::Analyst | Role::Author | Role::Approver | Role::Operator, May::Work) => true,
            (Role::Author, May::Write) | (Role::Approver, May::Decide) | (Role::Operator, May::Operate) => {
                true
            }
            (Role::Viewer | Role::Analyst | Role::Author | Role::Approver | Role::Operator, _) => false,
        }
    }

    /// True when this role may do all that the other may.
    #[must_use]
    pub fn covers(self, other: Role) -> bool {
        May::ALL.iter().all(|what| self.may(*what) || !other.may(*what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_roles_is_this_one() {
        let table: Vec<String> = Role::ALL
            .iter()
            .map(|r| {
                let may: Vec<&str> = May::ALL.iter().filter(|m| r.may(**m)).map(|m| m.word()).collect();
                format!("{}: {}", r.word(), may.join(" "))
            })
            .collect();
        assert_eq!(
            table,
            [
                "viewer: look",
                "analyst: look work",
                "author: look work write",
                "approver: look work decide",
                "operator: look work operate",
                "admin: look work write decide operate govern",
            ]
        );
    }

    #[test]
    fn whoever_writes_does_not_thereby_approve_and_the_other_way_round() {
        assert!(!Role::Author.covers(Role::Approver) && !Role::Approver.covers(Role::Author));
        assert!(!Role::Operator.covers(Role::Approver) && !Role::Operator.may(May::Govern));
        for role in Role::ALL {
            assert!(Role::Admin.covers(*role) && role.covers(*role) && role.covers(Role::Viewer));
            assert_eq!(Role::of_word(role.word()), Some(*role));
        }
        for may in May::ALL {
            assert!(may.least().may(*may));
        }
    }
}
