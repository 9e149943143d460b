//! Who hears of it: walks the routing tree.
//!
//! The first child that matches wins, at every level; what it leaves open comes from its parents.
//! The walk never turns back: a branch whose own branches all refuse answers itself.

use crate::config::{Autonomy, Route, Subject, all_match};
use crate::decided::{Decided, Reason};

/// Who answers, who is woken, and how far the machine may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The team that answers.
    pub team: String,
    /// The escalation policy, if there is one.
    pub escalation: Option<String>,
    /// How far the machine may go by itself. Default [`Autonomy::Approve`].
    pub autonomy: Autonomy,
}

/// Walks the tree. Reasons: first who answers and which line says so, then the path from the root,
/// then where the escalation policy and the autonomy come from.
#[must_use]
pub fn route(tree: &Route, subject: &Subject<'_>) -> Decided<Routed> {
    let path = walk(tree, subject);
    let team = nearest(&path, |r| r.team.clone());
    let escalation = nearest(&path, |r| r.escalation.clone());
    let autonomy = nearest(&path, |r| r.autonomy);

    let mut because = Vec::with_capacity(path.len() + 3);
    because.push(Reason::new(match &team {
        Some((team, from)) => format!("{team} answers, by {}", from.place),
        // Cannot come from a compiled folder: its root has a team.
        None => "no route names a team".to_owned(),
    }));
    because.extend(path.iter().map(|(node, why)| Reason::new(format!("{}: {why}", node.place))));
    because.push(Reason::new(match &escalation {
        Some((policy, from)) => format!("escalation {policy}, by {}", from.place),
        None => "no route names an escalation policy".to_owned(),
    }));
    because.push(Reason::new(match &autonomy {
        Some((level, from)) => format!("autonomy {}, by {}", level.word(), from.place),
        None => format!("autonomy {}, the default", Autonomy::Approve.word()),
    }));
    let verdict = Routed {
        team: team.map(|(team, _)| team).unwrap_or_default(),
        escalation: escalation.map(|(policy, _)| policy),
        autonomy: autonomy.map_or(Autonomy::Approve, |(level, _)| level),
    };
    Decided { verdict, because }
}

/// The nodes from the root to the one that answers, each with why it was taken.
fn walk<'t>(tree: &'t Route, subject: &Subject<'_>) -> Vec<(&'t Route, Reason)> {
    let mut path = vec![(tree, Reason::new("the root takes everything"))];
    let mut node = tree;
    let takes = |child: &'t Route| all_match(&child.matchers, subject).map(|why| (child, why));
    while let Some((child, why)) = node.routes.iter().find_map(takes) {
        path.push((child, why));
        node = child;
    }
    path
}

/// What the deepest node that says anything says, and which node that is.
fn nearest<'t, T>(
    path: &[(&'t Route, Reason)],
    says: impl Fn(&Route) -> Option<T>,
) -> Option<(T, &'t Route)> {
    path.iter().rev().find_map(|(node, _)| says(node).map(|value| (value, *node)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Matcher;

    fn node(line: usize, matchers: &[&str], team: Option<&str>) -> Route {
        Route {
            matchers: matchers.iter().map(|m| Matcher::parse(m).expect("a matcher")).collect(),
            team: team.map(str::to_owned),
            place: format!("policies/routing.yaml:{line}"),
            ..Route::default()
        }
    }

    /// secops for all; netops for edge, and within it critical ones with their own escalation.
    fn tree() -> Route {
        let critical = Route {
            escalation: Some("critical".to_owned()),
            autonomy: Some(Autonomy::Act),
            ..node(9, &["severity>=critical"], None)
        };
        let mut edge = node(6, &["source=edge"], Some("netops"));
        edge.routes = vec![critical];
        let mut root = node(2, &[], Some("secops"));
        root.escalation = Some("normal".to_owned());
        root.routes = vec![edge, node(12, &["source=~edge|core"], Some("endpoint"))];
        root
    }

    fn check(subject: &Subject<'_>) -> String {
        let decided = route(&tree(), subject);
        let Routed { team, escalation, autonomy } = &decided.verdict;
        let mut text = format!("{team} {escalation:?} {autonomy:?}");
        for reason in &decided.because {
            text.push_str(&format!("\n  {reason}"));
        }
        text
    }

    #[test]
    fn what_no_branch_takes_stays_with_the_root() {
        assert_eq!(
            check(&Subject { source: "lab", severity: 5, ..Subject::default() }),
            "secops Some(\"normal\") Approve\n  \
             secops answers, by policies/routing.yaml:2\n  \
             policies/routing.yaml:2: the root takes everything\n  \
             escalation normal, by policies/routing.yaml:2\n  \
             autonomy approve, the default"
        );
    }

    #[test]
    fn the_first_matching_child_wins_and_leaves_its_gaps_to_its_parents() {
        assert_eq!(
            check(&Subject { source: "edge", severity: 5, ..Subject::default() }),
            "netops Some(\"critical\") Act\n  \
             netops answers, by policies/routing.yaml:6\n  \
             policies/routing.yaml:2: the root takes everything\n  \
             policies/routing.yaml:6: source=edge\n  \
             policies/routing.yaml:9: severity>=critical\n  \
             escalation critical, by policies/routing.yaml:9\n  \
             autonomy act, by policies/routing.yaml:9"
        );
        let mild = route(&tree(), &Subject { source: "edge", severity: 3, ..Subject::default() });
        assert_eq!(mild.verdict.escalation.as_deref(), Some("normal"));
        assert_eq!(mild.verdict.autonomy, Autonomy::Approve);
        let second = route(&tree(), &Subject { source: "core", ..Subject::default() });
        assert_eq!(second.verdict.team, "endpoint");
    }
}
