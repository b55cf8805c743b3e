//! Parses JSON within bounds. Fields, items and values are counted while they are parsed, so a body with too many is
//! refused before it has cost anything.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::bounds;
use super::bounds::{FIELDS_MAX, ITEMS_MAX, VALUES_MAX};
use super::object::{JsonObject, python_type};
use crate::directory::model::ValidationErrors;
use crate::http::error::ApiError;
use crate::http::text::Charset;

/// Parses an object. Returns it and the number of its values. A byte order mark in front is ignored (RFC 8259, section
/// 8.1).
pub(super) fn object(bytes: &[u8], charset: Charset) -> Result<(JsonObject, usize), ApiError> {
    let not_text =
        || ApiError::Malformed(format!("JSON parse error - the body is not valid {}", charset.name()));
    let text = charset.decode(bytes).ok_or_else(not_text)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let state = ParseState::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let value = ValueAt { state: &state, depth: 0, field: None }.deserialize(&mut json);
    match value.and_then(|value| json.end().map(|()| value)) {
        Ok(Value::Object(object)) => Ok((object, state.values.get())),
        Ok(other) => Err(ApiError::Invalid(ValidationErrors::whole(format!(
            "Invalid data. Expected a dictionary, but got {}.",
            python_type(&other)
        )))),
        Err(error) => Err(match state.excess.take() {
            Some(excess) => ApiError::Invalid(excess),
            None => ApiError::Malformed(format!("JSON parse error - {error}")),
        }),
    }
}

/// Whether a text begins as an object or a list does.
pub(super) fn looks_like_json(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    matches!(bytes.trim_ascii_start(), [b'{' | b'[', ..])
}

/// The state of parsing.
#[derive(Default)]
struct ParseState {
    values: Cell<usize>,
    /// The bound that was exceeded.
    excess: RefCell<Option<ValidationErrors>>,
}

/// Parses one value at its place in the document.
#[derive(Clone, Copy)]
struct ValueAt<'a> {
    state: &'a ParseState,
    depth: usize,
    /// The field that holds the value itself, if it is a field of the outermost object.
    field: Option<&'a str>,
}

impl ValueAt<'_> {
    fn refuse<E: Error>(&self, excess: ValidationErrors) -> E {
        *self.state.excess.borrow_mut() = Some(excess);
        E::custom("more than is read")
    }

    /// Counts a value; too many are an error.
    fn count<E: Error>(&self) -> Result<(), E> {
        let values = self.state.values.get() + 1;
        self.state.values.set(values);
        if values > VALUES_MAX { Err(self.refuse(bounds::too_many_values())) } else { Ok(()) }
    }

    fn inside<'b>(&'b self, field: Option<&'b str>) -> ValueAt<'b> {
        ValueAt { state: self.state, depth: self.depth + 1, field: field.filter(|_| self.depth == 0) }
    }
}

impl<'de> DeserializeSeed<'de> for ValueAt<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueAt<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.count().map(|()| Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.count().map(|()| Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.count().map(|()| Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.count().map(|()| Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.count().map(|()| Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.count().map(|()| Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        self.count().map(|()| Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.count()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self.inside(None))? {
            if values.len() == ITEMS_MAX {
                return Err(self.refuse(bounds::too_many_items(self.field)));
            }
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        self.count()?;
        let mut object = Map::new();
        let mut count = 0;
        while let Some(name) = pairs.next_key::<String>()? {
            count += 1;
            if count > FIELDS_MAX {
                return Err(self.refuse(bounds::too_many_fields()));
            }
            let value = pairs.next_value_seed(self.inside(Some(&name)))?;
            // As in the framework, the last value of a name counts.
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> String {
        match object(text.as_bytes(), Charset::DEFAULT) {
            Ok((_, values)) => format!("{values} values"),
            Err(ApiError::Invalid(faults)) => {
                assert_eq!(faults.count(), 1);
                faults.iter().map(|(field, messages)| format!("{field}: {}", messages.join(" "))).collect()
            }
            Err(ApiError::Malformed(detail)) => detail,
            Err(other) => format!("{other:?}"),
        }
    }

    fn list(length: usize) -> String {
        format!("[{}1]", "1,".repeat(length - 1))
    }

    fn fields(count: usize) -> String {
        (0..count).map(|number| format!("\"f{number}\":1")).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn each_bound_holds_to_the_item_and_has_one_fault() {
        assert_eq!(outcome(&format!("{{{}}}", fields(FIELDS_MAX))), "65 values");
        let of_whole = "non_field_errors: An object may have at most 64 fields.";
        assert_eq!(outcome(&format!("{{{}}}", fields(FIELDS_MAX + 1))), of_whole);
        assert_eq!(outcome(&format!("{{\"users\":[{{{}}}]}}", fields(FIELDS_MAX + 1))), of_whole);
        assert_eq!(outcome(&format!("{{\"a\":{}}}", list(ITEMS_MAX))), "1002 values");
        let long = list(ITEMS_MAX + 1);
        let of_field = "a: Ensure this field has no more than 1000 elements.";
        assert_eq!(outcome(&format!("{{\"b\":1,\"a\":{long}}}")), of_field);
        let nested = "non_field_errors: A list may have at most 1000 items.";
        assert_eq!(outcome(&format!("{{\"a\":[{long}]}}")), nested);
        assert_eq!(outcome(&format!("{{\"a\":{{\"b\":{long}}}}}")), nested);
        assert_eq!(outcome(&long), nested);
        let full = list(ITEMS_MAX);
        let values = format!("{{\"a\":[{}1]}}", format!("{full},").repeat(VALUES_MAX / (ITEMS_MAX + 1)));
        assert!(outcome(&values).ends_with(" values"), "{}", outcome(&values));
        let more = format!("{{\"a\":[{}1]}}", format!("{full},").repeat(VALUES_MAX / ITEMS_MAX));
        assert_eq!(outcome(&more), "non_field_errors: A request body may have at most 50000 values.");
    }

    /// Guards issue 13, number 1: nothing beyond a bound is read, however much there is.
    #[test]
    fn finding_01_nothing_behind_a_bound_is_looked_at() {
        for broken in [
            format!("{{{},\"x\":", fields(FIELDS_MAX + 1)),
            format!("{{\"a\":{},", list(ITEMS_MAX + 1).trim_end_matches(']')),
        ] {
            assert!(outcome(&broken).contains(" at most ") || outcome(&broken).contains(" no more than "));
        }
    }

    #[test]
    fn values_are_what_they_would_be_without_bounds() {
        for text in [
            r#"{"a":null,"b":[true,false,-1,18446744073709551615,1.5,1e300],"c":{"d":"\u00e9\n","e":[]},"":{}}"#,
            r#"{"a":123456789012345678901234567890,"b":-0,"c":1.0,"d":9223372036854775807}"#,
        ] {
            let (read, _) = object(text.as_bytes(), Charset::DEFAULT).ok().unwrap();
            assert_eq!(Value::Object(read), serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
        for bad in ["{}x", "{\"a\":1e999}", "", "{", "{\"a\"}", "[1", "nul"] {
            let expected = serde_json::from_str::<Value>(bad).unwrap_err();
            assert_eq!(outcome(bad), format!("JSON parse error - {expected}"), "{bad}");
        }
    }
}
