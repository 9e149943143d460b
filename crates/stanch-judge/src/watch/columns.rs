//! The features by name, in families that can be told to a person.

use serde::{Deserialize, Serialize};

/// A family of features: what one reason speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// How much, how long, how dense.
    Shape,
    /// How seldom this is seen.
    Rarity,
    /// How regular it is.
    Rhythm,
    /// Time of day.
    Hour,
    /// What else happens on the machine.
    Company,
    /// What else happens at the site.
    Surroundings,
    /// What the tool, the feeds and the inventory say.
    Told,
    /// What people said about such rules.
    Lore,
}

impl Family {
    /// All of them.
    pub const ALL: [Family; 8] = [
        Family::Shape,
        Family::Rarity,
        Family::Rhythm,
        Family::Hour,
        Family::Company,
        Family::Surroundings,
        Family::Told,
        Family::Lore,
    ];
}

/// One feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its family.
    pub family: Family,
}

const fn c(name: &'static str, family: Family) -> Column {
    Column { name, family }
}

/// Windows looked back over, in seconds, with their names in column names.
pub(super) const WINDOWS: [i64; 4] = [120, 600, 3_600, 21_600];

/// Columns of one window.
pub(super) const A_WINDOW: usize = 8;

macro_rules! window {
    ($w:literal) => {
        [
            c(concat!("machine_rules_", $w), Family::Company),
            c(concat!("machine_new_", $w), Family::Company),
            c(concat!("machine_surprise_", $w), Family::Company),
            c(concat!("site_machines_", $w), Family::Surroundings),
            c(concat!("site_new_", $w), Family::Surroundings),
            c(concat!("site_surprise_", $w), Family::Surroundings),
            c(concat!("site_new_rules_", $w), Family::Surroundings),
            c(concat!("machines_with_rule_", $w), Family::Surroundings),
        ]
    };
}

const W: [[Column; A_WINDOW]; 4] = [window!("2m"), window!("10m"), window!("1h"), window!("6h")];

/// All features, in the order of a row.
pub const COLUMNS: [Column; 36 + 4 * A_WINDOW] = {
    let head = [
        c("size", Family::Shape),
        c("length", Family::Shape),
        c("rate", Family::Shape),
        c("gap", Family::Shape),
        c("gap_spread", Family::Shape),
        c("size_for_here", Family::Shape),
        c("size_for_rule", Family::Shape),
        c("age", Family::Rarity),
        c("groups_here", Family::Rarity),
        c("groups_of_rule", Family::Rarity),
        c("groups_of_machine", Family::Rarity),
        c("rate_here", Family::Rarity),
        c("rate_of_rule", Family::Rarity),
        c("rate_of_machine", Family::Rarity),
        c("machines_with_rule", Family::Rarity),
        c("first_here", Family::Rarity),
        c("first_of_rule", Family::Rarity),
        c("first_of_machine", Family::Rarity),
        c("since_here", Family::Rarity),
        c("since_rule", Family::Rarity),
        c("surprise", Family::Rarity),
        c("rhythm_spread", Family::Rhythm),
        c("rhythm_off", Family::Rhythm),
        c("hour_of_rule", Family::Hour),
        c("hour_of_machine", Family::Hour),
        c("tools_10m", Family::Company),
        c("stages_10m", Family::Company),
        c("site_stages_1h", Family::Surroundings),
        c("machine_loudest_10m", Family::Company),
        c("machine_loudest_1h", Family::Company),
        c("stage", Family::Told),
        c("severity", Family::Told),
        c("hostile", Family::Told),
        c("asset_known", Family::Told),
        c("asset_critical", Family::Told),
        c("asset_outside", Family::Told),
    ];
    let mut all = [c("", Family::Shape); 36 + 4 * A_WINDOW];
    let mut i = 0;
    while i < all.len() {
        all[i] = if i < head.len() {
            head[i]
        } else {
            W[(i - head.len()) / A_WINDOW][(i - head.len()) % A_WINDOW]
        };
        i += 1;
    }
    all
};

/// The family of a column; text columns follow the others.
#[must_use]
pub fn family(column: usize) -> Family {
    COLUMNS.get(column).map_or(Family::Lore, |c| c.family)
}

/// Writes into a row what feeds and the inventory say, where it was not known when the alert was seen.
pub fn tell(row: &mut [f64], hostile: u8, asset: super::Asset) {
    let yes = |b: bool| f64::from(u8::from(b));
    let told = [
        ("hostile", f64::from(hostile) / 100.0),
        ("asset_known", yes(asset.known)),
        ("asset_critical", yes(asset.critical)),
        ("asset_outside", yes(asset.outside)),
    ];
    for (name, value) in told {
        if let Some(at) = COLUMNS.iter().position(|c| c.name == name).and_then(|i| row.get_mut(i)) {
            *at = at.max(value);
        }
    }
}

/// A family's part in words, with the numbers of this row.
#[must_use]
pub fn told(of: Family, row: &[f64]) -> String {
    let v = |name: &str| {
        COLUMNS.iter().position(|c| c.name == name).and_then(|i| row.get(i)).copied().unwrap_or(0.0)
    };
    let n = |name: &str| v(name).exp_m1().round().max(0.0);
    match of {
        Family::Shape => format!("{} alerts over {}", n("size"), span(n("length"))),
        Family::Rarity if v("first_of_rule") > 0.0 => {
            "this rule was never seen at this site before".to_owned()
        }
        Family::Rarity if v("first_here") > 0.0 => {
            format!(
                "this rule was never seen on this machine, {} times elsewhere at the site",
                n("groups_of_rule")
            )
        }
        Family::Rarity => {
            format!(
                "seen on this machine {} times before, last {} ago",
                n("groups_here"),
                span(n("since_here"))
            )
        }
        Family::Rhythm if v("rhythm_spread") < 0.0 => "it has no rhythm yet".to_owned(),
        Family::Rhythm if v("rhythm_spread") < 0.2 => "it comes back like a clock".to_owned(),
        Family::Rhythm => "it keeps no rhythm".to_owned(),
        Family::Hour if v("hour_of_rule") < 0.0 => "this is an unusual time of day for the rule".to_owned(),
        Family::Hour => "this is a usual time of day for the rule".to_owned(),
        Family::Company => format!(
            "{} other rules fired on this machine within 10 minutes, {} of them new there",
            v("machine_rules_10m"),
            v("machine_new_10m")
        ),
        Family::Surroundings => format!(
            "{} machines of the site alert within the hour, {} things on others are new",
            v("site_machines_1h"),
            v("site_new_1h")
        ),
        Family::Told => {
            let what = if v("hostile") > 0.0 {
                "a feed calls one end hostile"
            } else {
                "severity and stage of the rule"
            };
            let on = if v("asset_critical") > 0.0 { ", on a critical machine" } else { "" };
            format!("{what}{on}")
        }
        Family::Lore => "what people said about alerts with such words".to_owned(),
    }
}

fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}
