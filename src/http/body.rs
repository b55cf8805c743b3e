//! The body of a request, read into named values: JSON, a form, or a multipart form without files.
//!
//! [`Body`] is the raw object, within the bounds that [`bounds`] names; [`Fields`] takes it apart field by field and
//! collects faults, an unknown name among them. The messages are Django REST Framework's. Never in here: what a value
//! may be beyond its JSON type; the directory's own types know that.

pub(super) mod bounds;
mod form;
mod json;
mod read;

use axum::extract::{FromRequest, Request};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::{Map, Value};

use super::app::App;
use super::error::ApiError;
use super::memory::{SMALL, Share};
use crate::directory::model::{Timestamp, ValidationErrors, Violation};

const TRUE: [&str; 14] =
    ["t", "T", "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "1"];
const FALSE: [&str; 14] =
    ["f", "F", "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", "0"];

/// The largest body of an operation that anybody may ask for, without a token; in bytes.
pub const OPEN_BODY_BYTES: usize = SMALL;

/// How many bytes the body of a request may have. Without one in the request it is [`OPEN_BODY_BYTES`], so a route
/// that nobody thought of has the small limit.
#[derive(Clone, Copy)]
pub(super) struct BodyLimit(pub(super) usize);

/// The fields of an object.
type Object = Map<String, Value>;

/// The object that a request sent, with what it uses of the budget of memory.
#[derive(Debug)]
pub struct Body(Object, Share);

impl FromRequest<App> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let text = |name| parts.headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let limit = parts.extensions.get::<BodyLimit>().map_or(OPEN_BODY_BYTES, |limit| limit.0);
        let announced = text(CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(ApiError::BodyTooLarge);
        }
        let mut share = app.memory().share();
        let bytes = read::whole(body, limit, &mut share).await?;
        let media_type = text(CONTENT_TYPE).unwrap_or_default().to_owned();
        let object = read::parsed(app, media_type, bytes, &mut share).await?;
        Ok(Self(object, share))
    }
}

fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// A body that is being taken apart.
pub struct Fields {
    rest: Object,
    faults: ValidationErrors,
    #[expect(dead_code, reason = "held for its drop")]
    share: Option<Share>,
}

impl From<Body> for Fields {
    fn from(body: Body) -> Self {
        Self { share: Some(body.1), ..Self::of(body.0) }
    }
}

impl Fields {
    fn of(rest: Object) -> Self {
        Self { rest, faults: ValidationErrors::default(), share: None }
    }

    /// A text that may not be null.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let value = self.rest.shift_remove(name)?;
        self.faults.take(name, text(value))
    }

    /// A text that null or nothing empties.
    pub fn nullable(&mut self, name: &str) -> Option<Option<String>> {
        match self.rest.shift_remove(name)? {
            Value::Null => Some(None),
            value => self.faults.take(name, text(value)).map(|text| (!text.is_empty()).then_some(text)),
        }
    }

    /// A time, or null.
    pub fn moment(&mut self, name: &str) -> Option<Option<Timestamp>> {
        match self.rest.shift_remove(name)? {
            Value::Null => Some(None),
            value => self.faults.take(name, text(value).and_then(|text| text.parse())).map(Some),
        }
    }

    /// A whole number from 0 to `max`.
    pub fn at_most(&mut self, name: &str, max: u64) -> Option<u64> {
        let value = self.rest.shift_remove(name)?;
        let number = id(&value).and_then(|number| u64::try_from(number).map_err(|_| Violation::AtLeast(0)));
        let told = || Violation::Other(format!("Ensure this value is less than or equal to {max}."));
        let number = number.and_then(|number| if number <= max { Ok(number) } else { Err(told()) });
        self.faults.take(name, number)
    }

    /// True or false, in any of the framework's spellings.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.rest.shift_remove(name)?;
        self.faults.take(name, boolean(&value))
    }

    /// A list of ids; a single one in a form counts as a list.
    pub fn ids(&mut self, name: &str) -> Option<Vec<i64>> {
        let value = self.rest.shift_remove(name)?;
        self.faults.take(name, ids(value))
    }

    /// An integer of 64 bits.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        let value = self.rest.shift_remove(name)?;
        self.faults.take(name, id(&value))
    }

    /// A list of objects, each to be taken apart by itself.
    pub fn items(&mut self, name: &str) -> Option<Vec<Self>> {
        let value = self.rest.shift_remove(name)?;
        self.faults.take(name, items(value))
    }

    /// Notes a fault that the caller has found.
    pub fn refuse(&mut self, name: &str, rule: &Violation) {
        self.faults.add(name, rule);
    }

    /// Whether a field was sent, whatever it holds.
    pub fn names(&self, name: &str) -> bool {
        self.rest.contains_key(name)
    }

    /// The names of all fields that were sent and are not read yet.
    pub fn all_names(&self) -> impl Iterator<Item = &str> {
        self.rest.keys().map(String::as_str)
    }

    /// Notes a field that has to be there and neither was nor has a fault of its own.
    pub fn require(&mut self, name: &str, is_there: bool) {
        if !is_there && !self.faults.has(name) {
            self.faults.add(name, &Violation::Required);
        }
    }

    /// Notes a text that has to be there with something in it.
    pub fn require_filled(&mut self, name: &str, value: Option<&str>) {
        self.require(name, value.is_some());
        if value.is_some_and(|value| value.trim().is_empty()) {
            self.faults.add(name, &Violation::Blank);
        }
    }

    /// Refuses what is left: names that this route does not know.
    pub fn end(self) -> Result<(), ApiError> {
        self.faults().into_result().map_err(ApiError::Invalid)
    }

    /// All that is wrong, names that this route does not know among it.
    pub fn faults(mut self) -> ValidationErrors {
        for name in self.rest.keys() {
            self.faults.add(name, &Violation::Other("Unknown field.".to_owned()));
        }
        self.faults
    }
}

fn text(value: Value) -> Result<String, Violation> {
    match value {
        Value::Null => Err(Violation::Null),
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(Violation::Other("Not a valid string.".to_owned())),
    }
}

fn boolean(value: &Value) -> Result<bool, Violation> {
    let known = match value {
        Value::Null => return Err(Violation::Null),
        Value::Bool(value) => Some(*value),
        Value::Number(number) => {
            number.as_i64().and_then(|number| [false, true].into_iter().nth(usize::try_from(number).ok()?))
        }
        Value::String(text) if TRUE.contains(&text.as_str()) => Some(true),
        Value::String(text) if FALSE.contains(&text.as_str()) => Some(false),
        _ => None,
    };
    known.ok_or_else(|| Violation::Other("Must be a valid boolean.".to_owned()))
}

fn ids(value: Value) -> Result<Vec<i64>, Violation> {
    match value {
        Value::Null => Err(Violation::Null),
        Value::Array(values) => values.iter().map(id).collect(),
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        single @ Value::String(_) => Ok(vec![id(&single)?]),
        other => Err(Violation::Other(format!(
            "Expected a list of items but got type \"{}\".",
            python_type(&other)
        ))),
    }
}

fn items(value: Value) -> Result<Vec<Fields>, Violation> {
    let not = |what: &str, value: &Value| {
        Violation::Other(format!("{what} but got type \"{}\".", python_type(value)))
    };
    let Value::Array(values) = value else { return Err(not("Expected a list of items", &value)) };
    let object = |value: Value| match value {
        Value::Object(object) => Ok(Fields::of(object)),
        other => Err(not("Expected a list of dictionaries,", &other)),
    };
    values.into_iter().map(object).collect()
}

fn id(value: &Value) -> Result<i64, Violation> {
    match value {
        Value::Number(number) => number.as_i64().ok_or(Violation::Integer),
        Value::String(text) => text.trim().parse().map_err(|_| Violation::Integer),
        _ => Err(Violation::Integer),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        Fields::of(json::object(value.to_string().as_bytes()).unwrap().0)
    }

    fn faults(fields: Fields) -> String {
        match fields.end() {
            Err(ApiError::Invalid(faults)) => faults
                .iter()
                .map(|(name, told)| format!("{name}: {}", told.join(" ")))
                .collect::<Vec<_>>()
                .join("; "),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn every_wrong_type_is_told_by_name() {
        let mut read = fields(json!({"a": null, "b": [], "c": "maybe", "d": [1, "x"], "e": 5, "f": 1}));
        read.text("a");
        read.text("b");
        read.boolean("c");
        read.ids("d");
        read.ids("e");
        let g = read.text("g");
        read.require("g", g.is_some());
        read.require("a", false);
        assert_eq!(
            faults(read),
            "a: This field may not be null.; b: Not a valid string.; c: Must be a valid boolean.; \
             d: A valid integer is required.; e: Expected a list of items but got type \"int\".; \
             g: This field is required.; f: Unknown field."
        );
    }

    #[test]
    fn forms_and_json_say_the_same() {
        let mut form = Fields::of(form::object(b"ids=1&ids=2&flag=on&email=&name=A%20B").unwrap().0);
        assert_eq!(form.ids("ids"), Some(vec![1, 2]));
        assert_eq!(form.boolean("flag"), Some(true));
        assert_eq!(form.nullable("email"), Some(None));
        assert_eq!(form.text("name").as_deref(), Some("A B"));
        assert!(form.end().is_ok());
    }

    #[test]
    fn what_is_no_json_object_is_told() {
        let detail = |bytes: &[u8]| match json::object(bytes) {
            Err(ApiError::Malformed(detail)) => detail,
            Err(ApiError::Invalid(faults)) => faults.iter().next().unwrap().1.join(" "),
            other => format!("{other:?}"),
        };
        assert_eq!(detail(b"[1]"), "Invalid data. Expected a dictionary, but got list.");
        let deep = "[".repeat(100_000);
        for bad in [
            &b"{"[..],
            b"\xef\xbb\xbf{}",
            b"{\"a\": NaN}",
            br#"{"a": "\ud800"}"#,
            b"{\"a\": \"\xff\"}",
            deep.as_bytes(),
        ] {
            assert!(detail(bad).starts_with("JSON parse error - "), "{:?}", detail(bad));
        }
        assert_eq!(json::object(br#"{"a": 1, "a": 2}"#).unwrap().0["a"], 2);
    }
}
