//! The details of an event in words: what changed from what to what, and what else was recorded.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::directory::access::BUILT_IN;
use crate::directory::model::{GroupId, RecordedEvent};

/// Actions whose details are pairs of a value before and one after. Those of others are what was recorded.
const PAIRED: &[&str] = &["user.update", "group.update", "token.update", "permission.rename"];
/// The most items of a list that a page shows.
const ITEMS_MAX: usize = 20;
/// The longest value that a page shows, in characters.
const VALUE_MAX: usize = 400;

/// A field that changed.
pub(super) struct ShownChange {
    /// The field.
    pub(super) field: String,
    /// The value before.
    pub(super) before: String,
    /// The value after.
    pub(super) after: String,
}

/// A field that was recorded with one value.
pub(super) struct RecordedField {
    /// The field.
    pub(super) name: String,
    /// Its value.
    pub(super) value: String,
}

/// Names of groups, which events know by id.
pub(super) type NamesOfGroups = BTreeMap<GroupId, String>;

/// Reads the details of an event: the fields that changed, and the others.
pub(super) fn details(
    recorded: &RecordedEvent,
    names: &NamesOfGroups,
) -> (Vec<ShownChange>, Vec<RecordedField>) {
    let is_paired = PAIRED.contains(&recorded.event.action.as_str());
    let (mut changes, mut fields) = (Vec::new(), Vec::new());
    for (name, value) in recorded_fields(recorded) {
        let field = words(&name);
        match value {
            Value::Array(pair) if is_paired && pair.len() == 2 => {
                let [before, after] = [0, 1].map(|at| shown(&name, pair.get(at), names));
                changes.push(ShownChange { field, before, after });
            }
            value => fields.push(RecordedField { name: field, value: shown(&name, Some(&value), names) }),
        }
    }
    (changes, fields)
}

fn recorded_fields(recorded: &RecordedEvent) -> Map<String, Value> {
    match serde_json::from_str(&recorded.event.changes) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// Lists the groups that the details of events name by id.
pub(super) fn groups_in(events: &[RecordedEvent]) -> Vec<GroupId> {
    let mut ids = Vec::new();
    for recorded in events {
        if let Some(list) = recorded_fields(recorded).get("groups") {
            collect_ids(list, &mut ids);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn collect_ids(value: &Value, ids: &mut Vec<GroupId>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_ids(item, ids)),
        Value::Number(number) => ids.extend(number.as_i64().and_then(|id| GroupId::try_from(id).ok())),
        _ => {}
    }
}

/// The words of a field.
fn words(name: &str) -> String {
    let known = [
        ("is_active", "may sign in"),
        ("is_staff", "staff"),
        ("is_admin", "admin"),
        ("permissions", "rights"),
        ("users_count", "members"),
        ("users", "people"),
        ("asked", "request"),
        ("why", "reason"),
    ];
    known
        .iter()
        .find(|(field, _)| *field == name)
        .map_or_else(|| name.replace('_', " "), |(_, words)| (*words).to_owned())
}

/// Shows the value of a field.
fn shown(field: &str, value: Option<&Value>, names: &NamesOfGroups) -> String {
    let text = match value.unwrap_or(&Value::Null) {
        Value::Null => "nothing".to_owned(),
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::String(text) if text.is_empty() => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => list(field, items, names),
        other => other.to_string(),
    };
    match text.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{} and more", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn list(field: &str, items: &[Value], names: &NamesOfGroups) -> String {
    let mut texts: Vec<_> = items.iter().take(ITEMS_MAX).map(|item| item_text(field, item, names)).collect();
    if let Some(more) = items.len().checked_sub(ITEMS_MAX).filter(|more| *more > 0) {
        texts.push(format!("and {more} more"));
    }
    texts.join(", ")
}

fn item_text(field: &str, item: &Value, names: &NamesOfGroups) -> String {
    match (field, item) {
        ("permissions", Value::Number(code)) => {
            let known = BUILT_IN.iter().find(|known| Some(known.code) == code.as_i64());
            known.map_or_else(|| code.to_string(), |known| known.name.to_owned())
        }
        ("groups", Value::Number(id)) => {
            let known = id.as_i64().and_then(|id| GroupId::try_from(id).ok());
            let name = known.and_then(|id| names.get(&id));
            name.cloned().unwrap_or_else(|| format!("group {id}"))
        }
        // Members are recorded with id and name.
        (_, Value::Array(pair)) => match pair.as_slice() {
            [_, Value::String(name)] => name.clone(),
            _ => item.to_string(),
        },
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::model::{ChainLink, Event, Timestamp};

    fn event(action: &str, changes: &str) -> RecordedEvent {
        let event = Event {
            actor_kind: "operator".into(),
            actor_id: None,
            actor_name: "test".into(),
            action: action.into(),
            object_kind: "user".into(),
            object_id: Some(1),
            object_name: "ann".into(),
            changes: changes.into(),
            address: None,
            request_id: None,
        };
        RecordedEvent {
            id: 1,
            at: Timestamp::EPOCH,
            event,
            link: ChainLink { previous_hash: Vec::new(), hash: Vec::new() },
        }
    }

    fn in_words(action: &str, changes: &str) -> String {
        let names = NamesOfGroups::from([(GroupId::try_from(7).unwrap(), "Support".to_owned())]);
        let (changes, fields) = details(&event(action, changes), &names);
        let changes = changes.iter().map(|one| format!("{}: {} to {}", one.field, one.before, one.after));
        let fields = fields.iter().map(|one| format!("{}: {}", one.name, one.value));
        changes.chain(fields).collect::<Vec<_>>().join("; ")
    }

    /// Two items are a change only where an action records pairs.
    #[test]
    fn details_are_read_by_their_action() {
        for (action, changes, words) in [
            ("user.update", r#"{"email":[null,"a@b.example"]}"#, "email: nothing to a@b.example"),
            ("user.update", r#"{"groups":[[7],[7,9]]}"#, "groups: Support to Support, group 9"),
            ("group.update", r#"{"permissions":[[],[1222,10000]]}"#, "rights: none to user_read, 10000"),
            ("user.create", r#"{"permissions":[1222,1223]}"#, "rights: user_read, user_update"),
            ("group.add_members", r#"{"users":[[1,"ann"],[2,"bob"]]}"#, "people: ann, bob"),
            ("group.add_members", r#"{"users":[[1,"ann"]]}"#, "people: ann"),
            ("user.update", r#"{"is_admin":[false,true]}"#, "admin: no to yes"),
            ("sign_in.refused", "no json", ""),
        ] {
            assert_eq!(in_words(action, changes), words, "{action} {changes}");
        }
        let many = format!("{{\"users\":[{}]}}", vec!["[1,\"ann\"]"; 25].join(","));
        assert!(in_words("group.add_members", &many).ends_with("and 5 more"));
        assert_eq!(groups_in(&[event("user.update", r#"{"groups":[[7],[7,9]]}"#)]).len(), 2);
    }
}
