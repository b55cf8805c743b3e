//! Formats the result of a comparison, as text and as JSON.
//!
//! The values come from servers, so control characters are escaped before they reach a terminal.

use serde_json::{Value, json};

use crate::cli::report::{Report, ReportPart};
use crate::cli::terminal::Prose;
use crate::switchover::parity::address::ServerUrl;
use crate::switchover::parity::tally::{DifferenceExample, DifferenceGroup, GroupTally, ParityTally};

/// Formats the report. Its exit code is 1 when a difference counts or nothing is proven.
pub(super) fn report(tally: &ParityTally, servers: &[ServerUrl; 2]) -> Report {
    let [old, new] = servers.each_ref().map(ServerUrl::shown);
    let verdict = verdict(tally);
    let mut text = Prose::default();
    text.line(5, format!("old: {old}"));
    text.line(5, format!("new: {new}"));
    text.paragraph(format!(
        "{} requests to each: {} identical, {} with expected differences only, {} different",
        tally.requests, tally.identical, tally.as_expected, tally.different
    ));
    add_differences(&mut text, tally);
    add_expected(&mut text, tally);
    if tally.left_out > 0 {
        text.paragraph(format!(
            "{} more differences are not listed: there are too many different kinds.",
            tally.left_out
        ));
    }
    text.paragraph(printable(&verdict));
    let mut report = Report::of_parts(vec![ReportPart::Prose(text)], json(tally, &old, &new, &verdict));
    report.code = (!is_proven(tally)).into();
    report
}

fn is_proven(tally: &ParityTally) -> bool {
    tally.different == 0 && tally.stopped.is_none() && tally.accepted > 0
}

fn verdict(tally: &ParityTally) -> String {
    let ParityTally { requests, different, stopped, accepted, .. } = tally;
    let stopped = stopped.as_ref().map(|why| format!("Stopped early: {why}."));
    let verdict = match (different, accepted) {
        (0, 0) => "Nothing is proven: no key was accepted by both servers.".to_owned(),
        (0, _) if stopped.is_some() => "No difference so far.".to_owned(),
        (0, _) => "No difference that counts.".to_owned(),
        _ => format!("Different: {different} of {requests} requests."),
    };
    stopped.into_iter().chain([verdict]).collect::<Vec<_>>().join(" ")
}

fn add_differences(text: &mut Prose, tally: &ParityTally) {
    let mut real: Vec<_> = tally.groups.iter().filter(|(group, _)| group.counts).collect();
    real.sort_by_key(|(_, found)| std::cmp::Reverse(found.count));
    if !real.is_empty() {
        text.paragraph("Differences:");
    }
    for (group, found) in real {
        let title = printable(&title(group));
        text.line(12, format!("{:>8}  {}: {title}", found.count, printable(&group.request)));
        if let Some(why) = group.expected {
            text.line(12, format!("          (expected: {why})"));
        }
        found.examples.iter().for_each(|example| text.line(14, example_line(example)));
    }
}

/// Expected differences are listed once for all requests, with the reason, so that readers can see nothing else hides there.
fn add_expected(text: &mut Prose, tally: &ParityTally) {
    let mut expected: Vec<(String, &str, u64)> = Vec::new();
    for (group, found) in tally.groups.iter().filter(|(group, _)| !group.counts) {
        let (title, why) = (title(group), group.expected.unwrap_or_default());
        match expected.iter_mut().find(|(known, reason, _)| *known == title && *reason == why) {
            Some((.., count)) => *count += found.count,
            None => expected.push((title, why, found.count)),
        }
    }
    expected.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
    if !expected.is_empty() {
        text.paragraph("Expected:");
    }
    for (title, why, count) in expected {
        text.line(12, format!("{count:>8}  {}: {why}", printable(&title)));
    }
}

fn example_line(example: &DifferenceExample) -> String {
    let shown = |value: &Option<String>| printable(value.as_deref().unwrap_or("nothing"));
    let key = match (&example.source, &example.key) {
        (Some(source), Some(key)) => format!("{}, key {}: ", printable(source), printable(key)),
        _ => String::new(),
    };
    let at = example.at.as_ref().map(|at| format!("{}: ", printable(at))).unwrap_or_default();
    format!("            {key}{at}{} -> {}", shown(&example.old), shown(&example.new))
}

/// Names the field and the kind of a group of differences.
fn title(group: &DifferenceGroup) -> String {
    match (group.field.as_str(), group.kind.as_str()) {
        ("", kind) => kind.to_owned(),
        (field, kind) => format!("{field} ({kind})"),
    }
}

/// Escapes control and invisible characters.
fn printable(text: &str) -> String {
    let escaped = |c: char| {
        let plain = !c.is_control() && (c.is_ascii() || c.escape_debug().count() == 1);
        if plain { c.to_string() } else { c.escape_default().to_string() }
    };
    text.chars().map(escaped).collect()
}

fn json(tally: &ParityTally, old: &str, new: &str, verdict: &str) -> Value {
    let groups: Vec<_> = tally.groups.iter().map(|(group, found)| group_json(group, found)).collect();
    json!({
        "old": old,
        "new": new,
        "requests": tally.requests,
        "identical": tally.identical,
        "expected": tally.as_expected,
        "different": tally.different,
        "accepted": tally.accepted,
        "proven": is_proven(tally),
        "stopped": tally.stopped,
        "verdict": verdict,
        "differences": groups,
        "left_out": tally.left_out,
    })
}

fn group_json(group: &DifferenceGroup, found: &GroupTally) -> Value {
    let examples: Vec<_> = found.examples.iter().map(example_json).collect();
    json!({
        "request": group.request,
        "kind": group.kind.as_str(),
        "field": group.field,
        "class": if group.counts { "different" } else { "expected" },
        "reason": group.expected,
        "count": found.count,
        "examples": examples,
    })
}

/// Formats an example. A missing side is left out. A value that was cut off is given as a string.
fn example_json(example: &DifferenceExample) -> Value {
    let value = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
    let members = [
        ("source", example.source.as_deref().map(Value::from)),
        ("key", example.key.as_deref().map(Value::from)),
        ("at", example.at.as_deref().map(Value::from)),
        ("old", example.old.as_ref().map(value)),
        ("new", example.new.as_ref().map(value)),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
