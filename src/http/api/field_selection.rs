//! Selects some of an object's fields, in the object's own order: those that `?fields=` names, or those that were
//! written.

use serde::Serialize;
use serde_json::Value;

use crate::directory::model::{ValidationErrors, Violation};
use crate::http::body::Fields;
use crate::http::error::ApiError;

/// The names of the selected fields.
pub(super) struct FieldSelection(Vec<String>);

impl FieldSelection {
    /// Parses a list of names with commas between. `None` selects all fields. A name that is not `known` is refused.
    pub(super) fn parse(list: Option<&str>, known: &[&str]) -> Result<Option<Self>, ApiError> {
        let Some(list) = list.filter(|list| !list.is_empty()) else { return Ok(None) };
        let (mut names, mut faults) = (Vec::new(), ValidationErrors::default());
        for name in list.split(',').map(str::trim) {
            match known.contains(&name) {
                false => faults.add("fields", &Violation::Choice(name.to_owned())),
                // Each name once, because all of them are compared with each field of each row.
                true if names.iter().any(|earlier| earlier == name) => {}
                true => names.push(name.to_owned()),
            }
        }
        faults.into_result().map(|()| Some(Self(names))).map_err(ApiError::Invalid)
    }

    /// Selects the names that were read from a body, and the id: what a writer gets back without the permission to read.
    /// A name that was ignored is not among them: it would show what the writer has not written.
    pub(super) fn written(fields: &Fields) -> Self {
        Self(fields.read_names().chain(["id"]).map(str::to_owned).collect())
    }

    /// Selects only the id.
    pub(super) fn id() -> Self {
        Self(vec!["id".to_owned()])
    }

    /// Reduces an object to the selected fields.
    pub(super) fn apply<T: Serialize>(&self, object: &T) -> Result<Value, ApiError> {
        let mut value =
            serde_json::to_value(object).map_err(|error| ApiError::Internal(error.to_string()))?;
        if let Value::Object(object) = &mut value {
            object.retain(|name, _| self.0.contains(name));
        }
        Ok(value)
    }
}
