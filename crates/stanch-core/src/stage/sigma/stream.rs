//! Correlations over a stream of alerts, in any order within the watermark, in bounded memory.
//!
//! What can only grow is judged with every alert, so that nothing waits; the rest is judged when no
//! earlier alert can come any more. An alert older than the watermark is counted and left out.

use std::collections::{BTreeMap, BTreeSet};

use stanch_model::{Span, Timestamp};

use super::window::{Held, figure};
use super::{Correlation, When};

/// Most events kept for one group; beyond it the oldest go.
pub const MAX_EVENTS: usize = 10_000;
/// Most groups kept for one correlation; beyond it the one that was quiet the longest goes.
pub const MAX_GROUPS: usize = 20_000;
/// Most events kept in all for one correlation.
pub const MAX_HELD: usize = 200_000;
/// Alerts of a match that are named.
const MAX_MEMBERS: usize = 1_000;

/// An alert as correlations see it.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// Its own number: each time the same alert is seen again is an event of its own.
    pub id: u64,
    /// The alert it is an occurrence of.
    pub alert: u64,
    /// Where it was seen: events of two sites are never of one group.
    pub site: String,
    /// When it happened.
    pub time: Timestamp,
    /// What its rule is called: uid, name.
    pub rules: Vec<String>,
    /// Fields by name: those that correlations ask for.
    pub fields: BTreeMap<String, String>,
}

/// A correlation has matched.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// Which one, by its place in the list.
    pub correlation: usize,
    /// Where.
    pub site: String,
    /// The values its group agrees in.
    pub group: Vec<String>,
    /// The alerts of the window, oldest first, at most 1,000.
    pub alerts: Vec<u64>,
    /// First and last of them.
    pub span: (Timestamp, Timestamp),
    /// In words.
    pub because: String,
}

/// One group of one correlation.
#[derive(Clone, Debug, Default)]
struct Group {
    /// In order of time, then of id and rule.
    held: Vec<Held>,
    /// The end of the window that matched last.
    silent_from: Option<Timestamp>,
    /// The start of the window that is open, for those judged when it has gone by.
    open: Option<Timestamp>,
    /// Up to here everything has been judged, for those judged when settled.
    judged: Option<(Timestamp, u64)>,
}

/// All correlations over one stream.
#[derive(Clone, Debug)]
pub struct Stream {
    correlations: Vec<Correlation>,
    /// Rule or correlation name to the correlations that name it, and at which place.
    named: BTreeMap<String, Vec<(usize, usize)>>,
    groups: Vec<BTreeMap<Vec<String>, Group>>,
    held: Vec<usize>,
    lateness: Span,
    newest: Timestamp,
    /// The watermark when everything was last gone through, and how far it moves until the next time.
    settled: Timestamp,
    pause: Span,
    /// Ids of correlations that have matched count down from the top.
    chained: u64,
    too_late: u64,
    let_go: u64,
}

impl Stream {
    /// Watches for correlations. An alert may come up to `lateness` after a newer one.
    #[must_use]
    pub fn new(correlations: Vec<Correlation>, lateness: Span) -> Stream {
        let mut named: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
        for (i, c) in correlations.iter().enumerate() {
            for (place, rule) in c.rules.iter().enumerate() {
                named.entry(rule.clone()).or_default().push((i, place));
            }
        }
        let shortest = correlations.iter().map(|c| c.timespan.0).min().unwrap_or_default();
        Stream {
            settled: Timestamp(i64::MIN / 2),
            pause: Span((shortest / 20).max(1_000)),
            groups: vec![BTreeMap::new(); correlations.len()],
            held: vec![0; correlations.len()],
            correlations,
            named,
            lateness,
            newest: Timestamp(i64::MIN),
            chained: u64::MAX,
            too_late: 0,
            let_go: 0,
        }
    }

    /// The correlations, in order.
    #[must_use]
    pub fn correlations(&self) -> &[Correlation] {
        &self.correlations
    }

    /// True when a correlation opens incidents by itself: no other refers to it, or it says so.
    #[must_use]
    pub fn generates(&self, correlation: usize) -> bool {
        self.correlations.get(correlation).is_some_and(|c| {
            let named =
                self.named.contains_key(&c.name) || c.id.as_ref().is_some_and(|i| self.named.contains_key(i));
            c.generate || !named
        })
    }

    /// True when some correlation names one of these rules: others need not be shown to it.
    #[must_use]
    pub fn wants<'a>(&self, rules: impl IntoIterator<Item = &'a str>) -> bool {
        rules.into_iter().any(|r| self.named.contains_key(r))
    }

    /// The fields that correlations naming one of these rules ask for.
    #[must_use]
    pub fn fields(&self, rules: &[String]) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for rule in rules {
            for (i, place) in self.named.get(rule).into_iter().flatten() {
                let Some(c) = self.correlations.get(*i) else { continue };
                let own = c.rules.get(*place).map_or("", String::as_str);
                let wanted = c.group_by.iter().chain(&c.condition.fields);
                all.extend(wanted.map(|f| c.field(own, f).to_owned()));
            }
        }
        all
    }

    /// Alerts that came too late to be counted, and events let go for want of room.
    #[must_use]
    pub fn lost(&self) -> (u64, u64) {
        (self.too_late, self.let_go)
    }

    /// Events held at the moment.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.iter().sum()
    }

    /// Takes one alert in.
    pub fn take(&mut self, event: &Event) -> Vec<Match> {
        if self.newest.0 > i64::MIN && event.time < self.watermark() {
            self.too_late += 1;
            return Vec::new();
        }
        let mut matches = Vec::new();
        let newer = event.time > self.newest;
        self.newest = self.newest.max(event.time);
        self.insert(event, &[event.alert], &mut matches);
        if newer && self.watermark() >= self.settled.plus(self.pause) {
            self.settle(self.watermark(), &mut matches);
        }
        matches
    }

    /// No alert before `now` will come any more: judges what waited for that.
    pub fn until(&mut self, now: Timestamp) -> Vec<Match> {
        let mut matches = Vec::new();
        self.newest = self.newest.max(now.plus(self.lateness));
        self.settle(self.watermark(), &mut matches);
        matches
    }

    fn watermark(&self) -> Timestamp {
        Timestamp(self.newest.0.saturating_sub(self.lateness.0))
    }

    /// Puts an event where correlations name its rule, and judges those that need not wait.
    fn insert(&mut self, event: &Event, members: &[u64], matches: &mut Vec<Match>) {
        let mut places: Vec<(usize, usize)> =
            event.rules.iter().filter_map(|r| self.named.get(r)).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        let mut touched: BTreeMap<usize, BTreeSet<Vec<String>>> = BTreeMap::new();
        for (i, place) in places {
            let Some(c) = self.correlations.get(i) else { continue };
            let rule = c.rules.get(place).map_or("", String::as_str);
            let read = |f: &String| event.fields.get(c.field(rule, f)).cloned();
            // A group field that is missing belongs to no group.
            let of_site = std::iter::once(Some(event.site.clone()));
            let key: Option<Vec<String>> = of_site.chain(c.group_by.iter().map(read)).collect();
            let Some(key) = key else { continue };
            let value = c.condition.fields.iter().map(read).collect();
            let held = Held { time: event.time, id: event.id, rule: place, value, members: members.to_vec() };
            self.hold(i, key.clone(), held);
            touched.entry(i).or_default().insert(key);
        }
        for (i, keys) in touched {
            for key in keys {
                if self.correlations.get(i).is_some_and(|c| c.when() == When::AtOnce) {
                    self.judge_at_once(i, &key, event.time, matches);
                }
            }
        }
    }

    fn hold(&mut self, i: usize, key: Vec<String>, held: Held) {
        let (Some(groups), Some(many)) = (self.groups.get_mut(i), self.held.get_mut(i)) else { return };
        let group = groups.entry(key).or_default();
        let order = |h: &Held| (h.time, h.id, h.rule);
        let at = group.held.partition_point(|h| order(h) < order(&held));
        group.held.insert(at, held);
        *many += 1;
        if group.held.len() > MAX_EVENTS {
            group.held.remove(0);
            *many -= 1;
            self.let_go += 1;
        }
        if groups.len() > MAX_GROUPS || *many > MAX_HELD {
            // A tenth at once, so that the search is paid for once in many events.
            let last = |(k, g): (&Vec<String>, &Group)| (g.held.last().map(|h| h.time), k.clone());
            let mut quiet: Vec<(Option<Timestamp>, Vec<String>)> = groups.iter().map(last).collect();
            quiet.sort_unstable();
            for (_, key) in quiet.into_iter().take(groups.len() / 10 + 1) {
                let gone = groups.remove(&key).map_or(0, |g| g.held.len());
                *many -= gone;
                self.let_go += gone as u64;
            }
        }
    }

    /// Every window that an event now belongs to, the earliest first: each ends with an event.
    fn judge_at_once(&mut self, i: usize, key: &[String], time: Timestamp, matches: &mut Vec<Match>) {
        let (Some(c), Some(group)) = (self.correlations.get(i), self.groups.get(i).and_then(|g| g.get(key)))
        else {
            return;
        };
        let from = group.held.partition_point(|h| h.time < time);
        let ends: BTreeSet<Timestamp> = group
            .held
            .iter()
            .skip(from)
            .map(|h| h.time)
            .take_while(|t| *t <= time.plus(c.timespan))
            .collect();
        for end in ends {
            if self.judge(i, key, Timestamp(end.0 - self.span(i).0), end, matches) {
                return;
            }
        }
    }

    fn span(&self, i: usize) -> Span {
        self.correlations.get(i).map_or(Span(0), |c| c.timespan)
    }

    /// Judges what waited, and forgets what no window can reach any more.
    fn settle(&mut self, watermark: Timestamp, matches: &mut Vec<Match>) {
        self.settled = watermark;
        for i in 0..self.correlations.len() {
            let Some(when) = self.correlations.get(i).map(Correlation::when) else { continue };
            let keys: Vec<Vec<String>> =
                self.groups.get(i).into_iter().flat_map(|g| g.keys().cloned()).collect();
            for key in keys {
                match when {
                    When::AtOnce => {}
                    When::Settled => self.settle_sliding(i, &key, watermark, matches),
                    When::GoneBy => self.settle_gone_by(i, &key, watermark, matches),
                }
                self.forget(i, &key, watermark);
            }
        }
    }

    /// Each event that is older than the watermark ends a window.
    fn settle_sliding(&mut self, i: usize, key: &[String], watermark: Timestamp, matches: &mut Vec<Match>) {
        let Some(group) = self.groups.get_mut(i).and_then(|g| g.get_mut(key)) else { return };
        let from = group.judged;
        let fresh =
            group.held.iter().filter(|h| h.time < watermark && from.is_none_or(|f| (h.time, h.id) > f));
        let ends: BTreeSet<(Timestamp, u64)> = fresh.map(|h| (h.time, h.id)).collect();
        group.judged = ends.last().copied().or(from);
        let times: BTreeSet<Timestamp> = ends.into_iter().map(|(t, _)| t).collect();
        for end in times {
            self.judge(i, key, Timestamp(end.0 - self.span(i).0), end, matches);
        }
    }

    /// The first event opens a window; it is judged once it has gone by, and the next event opens the
    /// next.
    fn settle_gone_by(&mut self, i: usize, key: &[String], watermark: Timestamp, matches: &mut Vec<Match>) {
        let span = self.span(i);
        loop {
            let Some(group) = self.groups.get_mut(i).and_then(|g| g.get_mut(key)) else { return };
            let after = group.open;
            let next = group.held.iter().map(|h| h.time).find(|t| after.is_none_or(|a| *t > a));
            let Some(start) = next.filter(|s| s.plus(span) < watermark) else { return };
            group.open = Some(start.plus(span));
            self.judge(i, key, start, start.plus(span), matches);
        }
    }

    /// Judges one window, both ends included. True when it matched, or when its group is silent.
    fn judge(
        &mut self,
        i: usize,
        key: &[String],
        from: Timestamp,
        to: Timestamp,
        matches: &mut Vec<Match>,
    ) -> bool {
        let (Some(c), Some(group)) =
            (self.correlations.get(i), self.groups.get_mut(i).and_then(|g| g.get_mut(key)))
        else {
            return false;
        };
        if group.silent_from.is_some_and(|s| s <= to && to <= s.plus(c.timespan)) {
            return true;
        }
        let first = group.held.partition_point(|h| h.time < from);
        let past = group.held.partition_point(|h| h.time <= to);
        let window = group.held.get(first..past).unwrap_or_default();
        let Some(figure) = figure(c.kind, c.rules.len(), window).filter(|f| c.condition.holds(*f)) else {
            return false;
        };
        let (Some(start), Some(end)) = (window.first().map(|h| h.time), window.last().map(|h| h.time)) else {
            return false;
        };
        let mut alerts: Vec<u64> = Vec::new();
        let mut seen = BTreeSet::new();
        for id in window.iter().flat_map(|h| &h.members) {
            if alerts.len() < MAX_MEMBERS && seen.insert(*id) {
                alerts.push(*id);
            }
        }
        group.silent_from = Some(to);
        let (site, values) = key.split_first().map_or((String::new(), key), |(s, rest)| (s.clone(), rest));
        let because = because(c, values, figure);
        let group = values.to_vec();
        let matched = Match { correlation: i, site, group, alerts, span: (start, end), because };
        self.chain(&matched, matches);
        matches.push(matched);
        true
    }

    /// A correlation that matched is an event for those that name it.
    fn chain(&mut self, of: &Match, matches: &mut Vec<Match>) {
        let Some(c) = self.correlations.get(of.correlation) else { return };
        let rules: Vec<String> = [Some(c.name.clone()), c.id.clone()].into_iter().flatten().collect();
        if !self.wants(rules.iter().map(String::as_str)) {
            return;
        }
        let fields = c.group_by.iter().cloned().zip(of.group.iter().cloned()).collect();
        self.chained -= 1;
        let site = of.site.clone();
        let event = Event { id: self.chained, alert: self.chained, site, time: of.span.1, rules, fields };
        self.insert(&event, &of.alerts, matches);
    }

    fn forget(&mut self, i: usize, key: &[String], watermark: Timestamp) {
        let span = self.span(i);
        let (Some(groups), Some(many)) = (self.groups.get_mut(i), self.held.get_mut(i)) else { return };
        let Some(group) = groups.get_mut(key) else { return };
        // A window that ends at the watermark reaches back one timespan; one that is judged when it has
        // gone by, one more.
        let oldest = Timestamp(watermark.0.saturating_sub(2 * span.0));
        let gone = group.held.partition_point(|h| h.time < oldest);
        group.held.drain(..gone);
        *many -= gone;
        if group.held.is_empty() {
            groups.remove(key);
        }
    }
}

fn because(c: &Correlation, key: &[String], figure: f64) -> String {
    let group: Vec<String> = c.group_by.iter().zip(key).map(|(f, v)| format!("{f} {v}")).collect();
    let of = if group.is_empty() { String::new() } else { format!(" for {}", group.join(", ")) };
    let span = c.timespan;
    let figure = (figure * 100.0).round() / 100.0;
    format!("correlation \"{}\" ({}): {figure} {}{of} within {span}", c.title, c.place, c.kind.words())
}
