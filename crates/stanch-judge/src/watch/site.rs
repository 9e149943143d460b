//! What one site has seen: counts by rule and machine, and what began lately.

use std::cmp::Ordering;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stanch_model::{Span, Timestamp};

use super::around::Around;
use super::columns::{A_WINDOW, WINDOWS};
use super::group::{Ago, Began, Group};
use super::recent::{Beginning, Recent};
use super::{GAP, Mark};

/// Rule and machine pairs remembered; the longest silent are forgotten beyond it.
const PAIRS: usize = 100_000;
/// Beginnings of one pair kept for its rhythm.
const RHYTHM: usize = 16;
const DAY: f64 = 86_400.0;
/// "Never", in ln(seconds + 1): above a month.
const NEVER: f64 = 15.0;

#[derive(Debug)]
pub(super) struct Site {
    pub(super) id: u64,
    /// Machine first, so that all rules of one machine stand together.
    pairs: BTreeMap<(u64, u64), Pair>,
    usual: Usual,
}

/// What is usual at a site.
#[derive(Debug)]
struct Usual {
    since: Timestamp,
    rules: BTreeMap<u64, Tally>,
    machines: BTreeMap<u64, Tally>,
    recent: Recent,
}

/// Counts of a rule or of a machine.
#[derive(Debug, Default)]
struct Tally {
    groups: u32,
    partners: u32,
    last: Option<Timestamp>,
    hours: [u32; 24],
    log_sizes: f64,
}

/// A rule on a machine.
#[derive(Debug)]
struct Pair {
    open: Group,
    /// Of the groups before the open one; most pairs have one group for ever.
    earlier: Option<Box<Earlier>>,
}

/// Groups of a pair that are over.
#[derive(Debug)]
struct Earlier {
    groups: u32,
    log_sizes: f64,
    /// The latest beginnings, that of the open group included.
    starts: VecDeque<Timestamp>,
    /// When the open group began: spread of the intervals between beginnings, and how far the last one is off;
    /// -1 when unknown.
    rhythm: (f64, f64),
}

impl Site {
    pub(super) fn new(id: u64, since: Timestamp) -> Site {
        let (rules, machines, pairs) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Site { id, pairs, usual: Usual { since, rules, machines, recent: Recent::default() } }
    }

    /// Takes in one alert; true when it began a group. Nearly every new alert does, so each map is asked once.
    pub(super) fn see(&mut self, mark: &Mark) -> bool {
        match self.pairs.entry((mark.machine, mark.rule)) {
            Entry::Occupied(mut pair) => {
                let pair = pair.get_mut();
                if mark.at.since(pair.open.last) <= GAP {
                    let before = pair.open.log_size();
                    pair.open.grow(mark);
                    self.usual.grown(mark, pair.open.log_size() - before);
                    return false;
                }
                let known = Some((pair.groups(), pair.open.last));
                pair.reopen(self.usual.begin(mark, known));
            }
            Entry::Vacant(place) => {
                place.insert(Pair { open: self.usual.begin(mark, None), earlier: None });
                self.forget();
            }
        }
        true
    }

    /// Drops the half that has been silent longest once there are too many pairs.
    fn forget(&mut self) {
        if self.pairs.len() <= PAIRS {
            return;
        }
        let mut lasts: Vec<Timestamp> = self.pairs.values().map(|p| p.open.last).collect();
        lasts.sort_unstable();
        let keep_from = lasts[lasts.len() / 2];
        // Of a storm all were heard last at one time: half of those go too, or each new one would walk over all.
        let mut of_that_time = lasts[lasts.len() / 2..].iter().filter(|t| **t == keep_from).count();
        // Built anew: taking out one after the other costs more, and leaves the rest spread out.
        let mut kept = Vec::with_capacity(PAIRS / 2 + 1);
        for (key, pair) in std::mem::take(&mut self.pairs) {
            let keep = match pair.open.last.cmp(&keep_from) {
                Ordering::Less => false,
                Ordering::Equal => of_that_time.checked_sub(1).map(|left| of_that_time = left).is_some(),
                Ordering::Greater => true,
            };
            if keep {
                kept.push((key, pair));
            }
        }
        self.pairs = kept.into_iter().collect();
        let rules: BTreeSet<u64> = self.pairs.keys().map(|(_, rule)| *rule).collect();
        let machines: BTreeSet<u64> = self.pairs.keys().map(|(machine, _)| *machine).collect();
        self.usual.rules.retain(|rule, _| rules.contains(rule));
        self.usual.machines.retain(|machine, _| machines.contains(machine));
    }

    /// A row in the order of [`super::COLUMNS`].
    pub(super) fn row(&self, rule: u64, machine: u64, now: Timestamp) -> Option<Vec<f64>> {
        let pair = self.pairs.get(&(machine, rule))?;
        let (g, b) = (&pair.open, &pair.open.began);
        let size = g.log_size();
        let (gap, gap_spread) = g.gaps();
        let (earlier, sizes, rhythm) =
            pair.earlier.as_ref().map_or((0, 0.0, (-1.0, -1.0)), |e| (e.groups, e.log_sizes, e.rhythm));
        let of_rule = self.usual.rules.get(&rule);
        let others = of_rule.map_or(0.0, |t| f64::from(t.groups) - 1.0);
        let mean = |sum: f64, n: f64| if n > 0.0 { size - sum / n } else { size };
        let age = age(self.usual.since, g.start);
        let rate = |n: u32| ((f64::from(n) + 0.25) / (age + 0.25)).ln();
        let first = |n: u32| f64::from(u8::from(n == 0));
        let count = |n: u32| f64::from(n).ln_1p();
        let since = |ago: Ago| ago.seconds().map_or(NEVER, f64::ln_1p);
        let mut row = vec![
            size,
            g.seconds().ln_1p(),
            (g.count as f64 / (g.seconds() + 1.0)).ln(),
            gap,
            gap_spread,
            mean(sizes, f64::from(earlier)),
            mean(of_rule.map_or(0.0, |t| t.log_sizes - size), others),
            age.min(10.0),
            count(b.here),
            count(b.of_rule),
            count(b.of_machine),
            rate(b.here),
            rate(b.of_rule),
            rate(b.of_machine),
            f64::from(b.machines),
            first(b.here),
            first(b.of_rule),
            first(b.of_machine),
            since(b.since_here),
            since(b.since_rule),
            surprise(age, b.here),
            rhythm.0,
            rhythm.1,
            usual(b.about_now.0, b.of_rule),
            usual(b.about_now.1, b.of_machine),
        ];
        self.company(&mut row, (rule, machine), g, now);
        Some(row)
    }

    /// Size of the loudest other group on the machine that was heard within so many seconds.
    fn loudest(&self, (rule, machine): (u64, u64), now: Timestamp, secs: i64) -> f64 {
        let from = now.plus(Span::secs(-secs));
        let others = self.pairs.range((machine, 0)..=(machine, u64::MAX)).filter(|((_, r), _)| *r != rule);
        others.filter(|(_, p)| p.open.last > from).map(|(_, p)| p.open.log_size()).fold(0.0, f64::max)
    }

    /// What began around the group lately: one walk back from the newest, read off where a window ends.
    fn company(&self, row: &mut Vec<f64>, (rule, machine): (u64, u64), g: &Group, now: Timestamp) {
        let from = WINDOWS.map(|secs| now.plus(Span::secs(-secs)));
        let mut around = Around::new(rule, machine, g);
        let mut windows = [[0.0; A_WINDOW]; WINDOWS.len()];
        let (mut on_machine, mut site_stages) = ((1, 1), 1);
        let mut next = 0;
        let itself = |x: &Beginning| x.at == g.start && x.rule == rule && x.machine == machine;
        let mut read_off = |at: Option<Timestamp>, around: &Around| {
            while next < WINDOWS.len() && at.is_none_or(|at| at <= from[next]) {
                windows[next] = around.columns();
                match next {
                    1 => on_machine = around.on_machine(),
                    2 => site_stages = around.site_stages(),
                    _ => {}
                }
                next += 1;
            }
            next < WINDOWS.len()
        };
        // Read off where a window ends, and asked for that only there: this walk is long.
        let mut end = from[0];
        for (x, newest) in self.usual.recent.latest_first().filter(|(x, _)| !itself(x)) {
            if x.at <= end {
                if !read_off(Some(x.at), &around) {
                    break;
                }
                end = from.into_iter().find(|from| *from < x.at).unwrap_or(x.at);
            }
            around.meet(x, newest);
        }
        read_off(None, &around);
        let yes = |b: bool| f64::from(u8::from(b));
        row.extend([
            on_machine.0 as f64,
            on_machine.1 as f64,
            site_stages as f64,
            self.loudest((rule, machine), now, 600),
            self.loudest((rule, machine), now, 3_600),
            f64::from(g.stage),
            f64::from(g.severity),
            f64::from(g.hostile) / 100.0,
            yes(g.asset.known),
            yes(g.asset.critical),
            yes(g.asset.outside),
        ]);
        windows.iter().for_each(|w| row.extend(w));
    }
}

impl Usual {
    /// An open group has one alert more.
    fn grown(&mut self, mark: &Mark, by: f64) {
        if let Some(t) = self.rules.get_mut(&mark.rule) {
            t.log_sizes += by;
            t.last = Some(mark.at);
        }
    }

    /// A group begins; `known` is what was known of its pair: groups and last alert.
    fn begin(&mut self, mark: &Mark, known: Option<(u32, Timestamp)>) -> Group {
        let (at, rule, machine) = (mark.at, mark.rule, mark.machine);
        let of_rule = self.rules.entry(rule).or_default();
        let of_machine = self.machines.entry(machine).or_default();
        let began = Began {
            since_here: known.map_or_else(Ago::default, |k| Ago::new(at, k.1)),
            since_rule: of_rule.last.map_or_else(Ago::default, |last| Ago::new(at, last)),
            here: known.map_or(0, |k| k.0),
            of_rule: of_rule.groups,
            of_machine: of_machine.groups,
            machines: of_rule.partners,
            about_now: (about_now(of_rule, at), about_now(of_machine, at)),
        };
        let (new_here, new_rule) = (began.here == 0, began.of_rule == 0);
        let surprise = surprise(age(self.since, at), began.here).max(0.0);
        let group = Group::new(mark, began);
        let (size, hour) = (group.log_size(), hour(at));
        for tally in [of_rule, of_machine] {
            tally.groups = tally.groups.saturating_add(1);
            tally.partners = tally.partners.saturating_add(u32::from(new_here));
            tally.last = Some(at);
            tally.hours[hour] = tally.hours[hour].saturating_add(1);
            tally.log_sizes += size;
        }
        let (tool, stage) = (mark.tool, mark.stage);
        let began = Beginning { at, rule, machine, tool, stage, new_here, new_rule, surprise };
        self.recent.push(began, at.plus(Span::secs(-WINDOWS[3])));
        group
    }
}

impl Pair {
    fn groups(&self) -> u32 {
        self.earlier.as_ref().map_or(0, |e| e.groups).saturating_add(1)
    }

    fn reopen(&mut self, group: Group) {
        let first = self.open.start;
        let earlier = self.earlier.get_or_insert_with(|| Earlier::new(first));
        earlier.groups = earlier.groups.saturating_add(1);
        earlier.log_sizes += self.open.log_size();
        earlier.rhythm = rhythm(&earlier.starts, group.start);
        earlier.starts.push_back(group.start);
        if earlier.starts.len() > RHYTHM {
            earlier.starts.pop_front();
        }
        self.open = group;
    }
}

impl Earlier {
    fn new(first: Timestamp) -> Box<Earlier> {
        Box::new(Earlier { groups: 0, log_sizes: 0.0, starts: VecDeque::from([first]), rhythm: (-1.0, -1.0) })
    }
}

/// Spread of the intervals between beginnings as a share of their mean, the one that ends now
/// included, and how far that one is from the middle of the others.
fn rhythm(starts: &VecDeque<Timestamp>, at: Timestamp) -> (f64, f64) {
    if starts.len() < 3 {
        return (-1.0, -1.0);
    }
    let starts: Vec<f64> = starts.iter().chain([&at]).map(|t| t.0 as f64 / 1_000.0).collect();
    let gaps: Vec<f64> = starts.windows(2).map(|w| w[1] - w[0]).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let spread = (gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
    let (last, mut before) = (gaps[gaps.len() - 1], gaps[..gaps.len() - 1].to_vec());
    before.sort_by(f64::total_cmp);
    let middle = before[before.len() / 2];
    (spread / (mean + 1.0), ((last - middle).abs() / (middle + 1.0)).min(100.0))
}

/// Days since the site was first heard of.
fn age(since: Timestamp, at: Timestamp) -> f64 {
    at.since(since).0 as f64 / 1_000.0 / DAY
}

/// How surprising a group of a rule on a machine is after so many: ln(expected gap in days).
fn surprise(age: f64, groups: u32) -> f64 {
    ((age + 0.25) / (f64::from(groups) + 0.25)).ln()
}

fn hour(at: Timestamp) -> usize {
    (at.0.rem_euclid(86_400_000) / 3_600_000) as usize
}

/// Groups that began in this hour of the day and its neighbours.
fn about_now(t: &Tally, at: Timestamp) -> u32 {
    let h = hour(at);
    [h, (h + 1) % 24, (h + 23) % 24].into_iter().fold(0, |n, h| t.hours[h].saturating_add(n))
}

/// How usual an hour is with so many groups about it, of so many in all: 0 for "as good as any", negative for
/// "seldom".
fn usual(about: u32, of: u32) -> f64 {
    if of == 0 { 0.0 } else { f64::from(about).ln_1p() - (f64::from(of) / 8.0).ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_at_one_moment_over_machines_without_number_is_bounded_and_forgotten_by_halves() {
        let (at, mut forgot) = (Timestamp(1_000), 0);
        let mut site = Site::new(1, at);
        let mut before = 0;
        for machine in 0..300_000 {
            let asset = super::super::Asset::default();
            let mark =
                Mark { at, site: 1, machine, tool: 1, rule: 1, stage: 0, severity: 0, hostile: 0, asset };
            site.see(&mark);
            forgot += usize::from(site.pairs.len() < before);
            before = site.pairs.len();
            assert!(before <= PAIRS);
        }
        assert!(forgot < 10, "{forgot}: each time it walks over everything");
    }
}
