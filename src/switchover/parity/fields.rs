//! Compares two JSON values: which fields are missing, extra, or of another type or value.
//!
//! Numbers beyond 64 bits are compared as doubles. Never in here: headers, or whether a difference is expected (see
//! `expected`).

use http::Method;
use serde_json::{Map, Value};

use super::expected;
use super::finding::{Difference, DifferenceKind};

/// Returns all differences of two JSON bodies. A field and everything below it is ignored if its path ends with one of
/// `ignored`.
pub(super) fn differences(method: &Method, old: &Value, new: &Value, ignored: &[String]) -> Vec<Difference> {
    let mut walk = Walk { describes: *method == Method::OPTIONS, path: vec![], ignored, found: vec![] };
    walk.values(old, new);
    walk.found
}

enum PathStep<'a> {
    Name(&'a str),
    Item(usize),
}

struct Walk<'a> {
    /// Whether the bodies describe the server and not a user.
    describes: bool,
    path: Vec<PathStep<'a>>,
    ignored: &'a [String],
    found: Vec<Difference>,
}

impl<'a> Walk<'a> {
    fn values(&mut self, old: &'a Value, new: &'a Value) {
        match (old, new) {
            _ if !holds_objects(old) && old == new => {}
            (Value::Object(old), Value::Object(new)) => self.objects(old, new),
            (Value::Array(was), Value::Array(is)) if holds_objects(old) || holds_objects(new) => {
                self.items(was, is)
            }
            _ if kind(old) == kind(new) => self.note(DifferenceKind::Value, Some(old), Some(new)),
            _ => self.note(DifferenceKind::Type, Some(old), Some(new)),
        }
    }

    fn objects(&mut self, old: &'a Map<String, Value>, new: &'a Map<String, Value>) {
        for (name, was) in old {
            self.below(PathStep::Name(name), |walk| match new.get(name) {
                Some(is) => walk.values(was, is),
                None => walk.note(DifferenceKind::Missing, Some(was), None),
            });
        }
        for (name, is) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
            self.below(PathStep::Name(name), |walk| walk.note(DifferenceKind::Extra, None, Some(is)));
        }
        let order = |own: &'a Map<String, Value>, other: &Map<String, Value>| -> Vec<&'a str> {
            own.keys().filter(|name| other.contains_key(*name)).map(String::as_str).collect()
        };
        let (was, is) = (order(old, new), order(new, old));
        if was != is {
            self.note(DifferenceKind::KeyOrder, Some(&was.into()), Some(&is.into()));
        }
    }

    fn items(&mut self, old: &'a [Value], new: &'a [Value]) {
        for number in 0..old.len().max(new.len()) {
            self.below(PathStep::Item(number), |walk| match (old.get(number), new.get(number)) {
                (Some(was), Some(is)) => walk.values(was, is),
                (was, None) => walk.note(DifferenceKind::Missing, was, None),
                (None, is) => walk.note(DifferenceKind::Extra, None, is),
            });
        }
    }

    fn below(&mut self, step: PathStep<'a>, compare: impl FnOnce(&mut Self)) {
        self.path.push(step);
        if !self.is_ignored() {
            compare(self);
        }
        self.path.pop();
    }

    fn is_ignored(&self) -> bool {
        if self.ignored.is_empty() {
            return false;
        }
        let names: Vec<_> = self.names().collect();
        let path = names.join(".");
        self.ignored.iter().any(|ignored| {
            path.strip_suffix(ignored.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    fn names(&self) -> impl Iterator<Item = &'a str> {
        self.path.iter().filter_map(|step| match step {
            PathStep::Name(name) => Some(*name),
            PathStep::Item(_) => None,
        })
    }

    fn note(&mut self, kind: DifferenceKind, old: Option<&Value>, new: Option<&Value>) {
        let path = |item: &dyn Fn(usize) -> String| {
            let steps = self.path.iter().map(|step| match step {
                PathStep::Name(name) => (*name).to_owned(),
                PathStep::Item(number) => item(*number),
            });
            steps.collect::<Vec<_>>().join(".")
        };
        let field = path(&|_| "*".to_owned());
        let at = path(&|number| number.to_string());
        let why = match (kind, old, new) {
            _ if self.describes && self.names().next().is_some_and(expected::describes) => {
                Some(expected::DESCRIPTION)
            }
            (DifferenceKind::KeyOrder, ..) => Some(expected::KEY_ORDER),
            (DifferenceKind::Value, Some(old), Some(new)) => {
                expected::value(self.names().last().unwrap_or_default(), old, new)
            }
            _ => None,
        };
        let difference = Difference::new(kind, &field, old.cloned(), new.cloned()).expected(why);
        self.found.push(Difference { at: (at != field).then_some(at), ..difference });
    }
}

/// Whether a value contains objects. Arrays of plain values are compared as a whole, other arrays item by item.
fn holds_objects(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => items.iter().any(|item| item.is_object() || item.is_array()),
        _ => false,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
