//! Giving permissions to users and groups, and taking them.

use serde_json::{Value, json};

use super::report::Report;
use crate::directory::model::Permission;

/// What is done with permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    Give,
    Take,
}

impl Grant {
    /// Returns the ids of all permissions afterwards, and those permissions that change.
    pub(super) fn apply(self, held: &[Permission], named: &[Permission]) -> (Vec<i64>, Vec<Permission>) {
        let changes: Vec<_> =
            named.iter().filter(|one| held.contains(one) == (self == Self::Take)).cloned().collect();
        let kept = held.iter().filter(|one| self == Self::Give || !changes.contains(one));
        let new = changes.iter().filter(|_| self == Self::Give);
        (kept.chain(new).map(|one| one.id.get()).collect(), changes)
    }

    /// Reports what was done to a user or a group.
    pub(super) fn report(
        self,
        target: &str,
        named: &[Permission],
        changes: &[Permission],
        mut json: Value,
    ) -> Report {
        let list = |permissions: &[&Permission]| {
            let names: Vec<_> =
                permissions.iter().map(|one| format!("{} ({})", one.name, one.code)).collect();
            names.join(", ")
        };
        let unchanged: Vec<_> = named.iter().filter(|one| !changes.contains(one)).collect();
        let changed: Vec<_> = changes.iter().collect();
        let (done, already) = match self {
            Self::Give => ("Gave", format!("{target} had it already")),
            Self::Take => ("Took", format!("not attached to {target}")),
        };
        let mut text = String::new();
        if !changed.is_empty() {
            let way = if self == Self::Give { "to" } else { "from" };
            text += &format!("{done} {} {way} {target}.\n", list(&changed));
        }
        for one in &unchanged {
            text += &format!("Left out {}: {already}.\n", list(&[one]));
        }
        if let Value::Object(object) = &mut json {
            let codes = changed.iter().map(|one| json!({ "code": one.code, "name": one.name })).collect();
            object.insert("changed".to_owned(), codes);
        }
        Report::new(text, json)
    }
}
