//! Charts of the overview: bars above a line for what was let in, below it for what was turned away, with a table of the same
//! numbers. They are drawn from counters, never from the audit trail.

use std::fmt::Write as _;

use super::words::date_in_words;
use crate::directory::model::{ActivityCount, ActivityKind, ActivitySpan, Timestamp};

/// A span of time that can be chosen.
pub(super) struct ChartSpan {
    /// Its value in the address.
    pub(super) name: &'static str,
    /// Its words.
    pub(super) words: &'static str,
    /// The heading of the charts.
    pub(super) heading: &'static str,
    /// What is read.
    pub(super) read: ActivitySpan,
    /// The words for one bar.
    each: &'static str,
    /// The heading of the table's first column.
    column: &'static str,
    /// The number of bars.
    bars: i64,
    /// Hours of one bar.
    hours: i64,
}

/// The spans, the usual one first.
pub(super) const SPANS: [ChartSpan; 3] = [
    ChartSpan {
        name: "24h",
        words: "24 hours",
        heading: "The last 24 hours",
        read: ActivitySpan::Hour,
        each: "an hour",
        column: "Hour, UTC",
        bars: 24,
        hours: 1,
    },
    ChartSpan {
        name: "7d",
        words: "7 days",
        heading: "The last 7 days",
        read: ActivitySpan::Hour,
        each: "in 6 hours",
        column: "From, UTC",
        bars: 28,
        hours: 6,
    },
    ChartSpan {
        name: "90d",
        words: "90 days",
        heading: "The last 90 days",
        read: ActivitySpan::Day,
        each: "a day",
        column: "Day, UTC",
        bars: 90,
        hours: 24,
    },
];

const HOUR: i64 = 3_600_000_000;
/// The line between the bars, of 100.
const WATER: f64 = 76.0;
/// The space below it.
const BELOW: f64 = 22.0;

/// A chart of bars.
pub(super) struct BarChart {
    /// Its id in the page.
    pub(super) id: &'static str,
    /// What is counted.
    pub(super) name: &'static str,
    /// The words for what is above the line, and below.
    pub(super) words: [&'static str; 2],
    /// The sums.
    pub(super) sums: [String; 2],
    /// The largest values.
    pub(super) caps: [String; 2],
    /// What a person who does not see it should know.
    pub(super) about: String,
    /// The bars, as paths.
    pub(super) paths: [String; 2],
    /// Some times below it.
    pub(super) axis: Vec<String>,
    /// The headings of the table.
    pub(super) columns: Vec<&'static str>,
    /// The rows of the table: a time, and the counts.
    pub(super) rows: Vec<(String, Vec<String>)>,
}

/// A cause, with its count and its share of the most frequent one.
pub(super) struct CauseCount {
    /// Its words.
    pub(super) name: &'static str,
    /// How often.
    pub(super) count: String,
    /// Of 100.
    pub(super) share: String,
}

/// The charts of a span.
pub(super) struct Charts {
    /// The span.
    pub(super) span: &'static ChartSpan,
    /// Sign-ins and requests.
    pub(super) bars: [BarChart; 2],
    /// Why keys were refused, the most frequent cause first.
    pub(super) causes: Vec<CauseCount>,
    /// How many keys were refused.
    pub(super) refused: String,
    /// How many sign-ins failed.
    pub(super) failed_sign_ins: u64,
}

/// What a chart of bars counts: each column of its table, and whether it is above the line.
struct ChartSource {
    id: &'static str,
    name: &'static str,
    words: [&'static str; 2],
    columns: &'static [(&'static str, ActivityKind, bool)],
}

const SIGN_INS: ChartSource = ChartSource {
    id: "sign-ins",
    name: "Sign-ins",
    words: ["let in", "turned away"],
    columns: &[
        ("API", ActivityKind::ApiSignIn, true),
        ("Site", ActivityKind::SiteSignIn, true),
        ("API, failed", ActivityKind::ApiSignInFailed, false),
        ("Site, failed", ActivityKind::SiteSignInFailed, false),
        ("API, had to wait", ActivityKind::ApiSignInLimited, false),
        ("Site, had to wait", ActivityKind::SiteSignInLimited, false),
    ],
};

const REQUESTS: ChartSource = ChartSource {
    id: "requests",
    name: "API requests",
    words: ["answered", "refused or failed"],
    columns: &[
        ("Answered", ActivityKind::RequestAnswered, true),
        ("Refused", ActivityKind::RequestRefused, false),
        ("Invalid", ActivityKind::RequestInvalid, false),
        ("Failed", ActivityKind::RequestFailed, false),
    ],
};

const CAUSES: [(&str, ActivityKind); 7] = [
    ("Unknown key", ActivityKind::KeyUnknown),
    ("Token expired", ActivityKind::KeyExpired),
    ("Token revoked", ActivityKind::KeyRevoked),
    ("Sign-in unused for too long", ActivityKind::KeyIdle),
    ("Outside its networks", ActivityKind::KeyOutside),
    ("Owner not active", ActivityKind::KeyInactive),
    ("Key of a browser session", ActivityKind::KeyBrowser),
];

impl ChartSpan {
    /// Returns the span of a name; the usual one without a name.
    pub(super) fn named(name: Option<&str>) -> Option<&'static Self> {
        let name = name.unwrap_or(SPANS[0].name);
        SPANS.iter().find(|span| span.name == name)
    }

    /// Whether it is short enough for what happened in it to be news.
    pub(super) fn is_a_day(&self) -> bool {
        self.bars * self.hours == 24
    }

    /// Returns when its first bar begins.
    pub(super) fn since(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_micros(self.first(now)).unwrap_or(Timestamp::EPOCH)
    }

    fn first(&self, now: Timestamp) -> i64 {
        let (now, bar) = (now.as_micros(), self.hours * HOUR);
        now - now.rem_euclid(bar) - (self.bars - 1) * bar
    }

    /// The words for the beginning of each bar.
    fn labels(&self, now: Timestamp) -> Vec<String> {
        let first = self.first(now);
        (0..self.bars).map(|bar| self.label(first + bar * self.hours * HOUR)).collect()
    }

    fn label(&self, at: i64) -> String {
        let text = Timestamp::from_micros(at).map(|at| at.to_string()).unwrap_or_default();
        let clock = text.get(11..16).unwrap_or_default();
        let day = text.get(..10).and_then(date_in_words).unwrap_or_default();
        // The year says nothing: no span is longer than a season.
        let day = day.rsplit_once(' ').map_or("", |(day, _)| day);
        match self.hours {
            1 => clock.to_owned(),
            24 => day.to_owned(),
            _ => format!("{day} {clock}"),
        }
    }
}

impl Charts {
    /// Draws the charts of a span from its counts.
    pub(super) fn new(span: &'static ChartSpan, counts: &[ActivityCount], now: Timestamp) -> Self {
        let labels = span.labels(now);
        let series = |kind| series(span, counts, kind, now);
        let sum = |kind| series(kind).iter().sum::<u64>();
        let mut causes: Vec<_> = CAUSES.iter().map(|(name, kind)| (*name, sum(*kind))).collect();
        causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let most = causes.first().map_or(0, |(_, count)| *count).max(1);
        let refused: u64 = causes.iter().map(|(_, count)| count).sum();
        let failed = [ActivityKind::ApiSignInFailed, ActivityKind::SiteSignInFailed];
        let share = |count: u64| format!("{:.1}", 100.0 * ratio(count, most));
        Self {
            span,
            bars: [&SIGN_INS, &REQUESTS].map(|source| BarChart::new(source, span, &labels, series)),
            causes: causes
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| CauseCount { name, count: grouped(count), share: share(count) })
                .collect(),
            refused: grouped(refused),
            failed_sign_ins: failed.into_iter().map(sum).sum(),
        }
    }
}

impl BarChart {
    fn new(
        source: &ChartSource,
        span: &ChartSpan,
        labels: &[String],
        series: impl Fn(ActivityKind) -> Vec<u64>,
    ) -> Self {
        let columns: Vec<ChartColumn> =
            source.columns.iter().map(|(_, kind, is_up)| (series(*kind), *is_up)).collect();
        let values = [true, false].map(|is_up| side(&columns, is_up, labels.len()));
        let [up, down] = &values;
        Self {
            id: source.id,
            name: source.name,
            words: source.words,
            sums: [grouped(up.iter().sum()), grouped(down.iter().sum())],
            caps: values.each_ref().map(|values| cap(values, span)),
            about: format!("{} {}", most(source.words[0], up, labels), most(source.words[1], down, labels)),
            paths: [bars(up, WATER, -WATER), bars(down, WATER, BELOW)],
            axis: axis(labels),
            columns: std::iter::once(span.column)
                .chain(source.columns.iter().map(|(name, ..)| *name))
                .collect(),
            rows: rows(&columns, labels),
        }
    }
}

/// A column of the table, and whether it is above the line.
type ChartColumn = (Vec<u64>, bool);

/// Sums the columns above the line, or those below it, for each bar.
fn side(columns: &[ChartColumn], is_up: bool, bars: usize) -> Vec<u64> {
    let columns = || columns.iter().filter(|(_, above)| *above == is_up);
    (0..bars).map(|bar| columns().filter_map(|(counts, _)| counts.get(bar)).sum()).collect()
}

/// The rows of the table.
fn rows(columns: &[ChartColumn], labels: &[String]) -> Vec<(String, Vec<String>)> {
    let count = |bar: usize, (counts, _): &ChartColumn| grouped(counts.get(bar).copied().unwrap_or(0));
    let row = |bar| columns.iter().map(|column| count(bar, column)).collect();
    labels.iter().enumerate().map(|(bar, label)| (label.clone(), row(bar))).collect()
}

/// Sums the counts of a kind for each bar.
fn series(span: &ChartSpan, counts: &[ActivityCount], kind: ActivityKind, now: Timestamp) -> Vec<u64> {
    let (first, bar) = (span.first(now), span.hours * HOUR);
    let mut sums = vec![0; usize::try_from(span.bars).unwrap_or(0)];
    for counted in counts.iter().filter(|counted| counted.kind == kind) {
        let index = usize::try_from((counted.starts_at - first).div_euclid(bar));
        if let Some(sum) = index.ok().and_then(|index| sums.get_mut(index)) {
            *sum += counted.count;
        }
    }
    sums
}

/// Draws bars from a line, up or down, to a height of `reach` for the largest one. A bar that is not zero can be seen.
fn bars(values: &[u64], line: f64, reach: f64) -> String {
    let (most, width) = (values.iter().copied().max().unwrap_or(0).max(1), 100.0 / ratio(values.len(), 1));
    let mut path = String::new();
    for (place, value) in values.iter().enumerate().filter(|(_, value)| **value > 0) {
        let height = (reach.abs() * ratio(*value, most)).max(1.0).copysign(reach);
        let (left, wide) = (ratio(place, 1) * width + width * 0.12, width * 0.76);
        // Writing to a text cannot fail.
        let _ = write!(path, "M{left:.2} {line}v{height:.1}h{wide:.2}v{:.1}z", -height);
    }
    path
}

fn cap(values: &[u64], span: &ChartSpan) -> String {
    match values.iter().copied().max() {
        Some(most) if most > 0 => format!("{} {}", grouped(most), span.each),
        _ => String::new(),
    }
}

/// Says when there was the most of something.
fn most(words: &str, values: &[u64], labels: &[String]) -> String {
    let largest = values.iter().zip(labels).max_by_key(|(value, _)| **value);
    match largest.filter(|(value, _)| **value > 0) {
        Some((value, label)) => format!("Most {words}: {} at {label}.", grouped(*value)),
        None => format!("None {words}."),
    }
}

/// Five of the labels.
fn axis(labels: &[String]) -> Vec<String> {
    let last = labels.len().saturating_sub(1);
    let mut axis: Vec<_> = (0..4).filter_map(|part| labels.get(last * part / 4).cloned()).collect();
    axis.push("now".to_owned());
    axis
}

/// Writes a count with a comma for each thousand.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share, exact enough for a drawing.
fn ratio(part: impl TryInto<u64>, whole: u64) -> f64 {
    part.try_into().unwrap_or(0) as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn count(text: &str, kind: ActivityKind, count: u64) -> ActivityCount {
        ActivityCount { starts_at: at(text).as_micros(), kind, count }
    }

    #[test]
    fn each_count_is_in_the_bar_of_its_time() {
        let now = at("2026-03-01T09:59:59Z");
        let counts = [
            count("2026-02-28T09:00:00Z", ActivityKind::ApiSignIn, 1_000_000),
            count("2026-02-28T10:00:00Z", ActivityKind::ApiSignIn, 5),
            count("2026-03-01T09:00:00Z", ActivityKind::ApiSignIn, 1234),
            count("2026-03-01T09:00:00Z", ActivityKind::SiteSignIn, 10),
            count("2026-03-01T08:00:00Z", ActivityKind::SiteSignInFailed, 3),
            count("2026-03-01T08:00:00Z", ActivityKind::KeyExpired, 2),
            count("2026-03-01T08:00:00Z", ActivityKind::KeyUnknown, 8),
        ];
        let charts = Charts::new(ChartSpan::named(None).unwrap(), &counts, now);
        let [sign_ins, requests] = &charts.bars;
        assert_eq!(sign_ins.sums, ["1,249", "3"], "what is before the first bar is left out");
        assert_eq!(sign_ins.caps, ["1,244 an hour", "3 an hour"]);
        assert_eq!(sign_ins.about, "Most let in: 1,244 at 09:00. Most turned away: 3 at 08:00.");
        assert_eq!(sign_ins.paths[1], "M92.17 76v22.0h3.17v-22.0z");
        assert_eq!(sign_ins.rows.len(), 24);
        assert_eq!(
            sign_ins.rows[0],
            ("10:00".into(), ["5", "0", "0", "0", "0", "0"].map(String::from).to_vec())
        );
        assert_eq!(sign_ins.axis, ["10:00", "15:00", "21:00", "03:00", "now"]);
        assert_eq!((requests.sums[0].as_str(), requests.paths[0].as_str()), ("0", ""));
        assert_eq!(requests.about, "None answered. None refused or failed.");
        let causes: Vec<_> = charts.causes.iter().map(|cause| (cause.name, cause.share.as_str())).collect();
        assert_eq!(causes, [("Unknown key", "100.0"), ("Token expired", "25.0")]);
        assert_eq!((charts.refused.as_str(), charts.failed_sign_ins), ("10", 3));
    }

    #[test]
    fn longer_spans_have_wider_bars() {
        let now = at("2026-03-01T09:59:59Z");
        let week = ChartSpan::named(Some("7d")).unwrap();
        assert_eq!(week.since(now), at("2026-02-22T12:00:00Z"));
        assert_eq!(week.labels(now).last().unwrap(), "1 Mar 06:00");
        let season = ChartSpan::named(Some("90d")).unwrap();
        assert_eq!((season.since(now), season.labels(now).len()), (at("2025-12-02T00:00:00Z"), 90));
        assert!(ChartSpan::named(Some("1y")).is_none());
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
