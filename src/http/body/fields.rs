//! Reads the fields of a body one by one, and collects what is wrong with them.

use serde_json::Value;

use super::file::{NOT_A_FILE, SentFile, UploadedFile};
use super::object::{JsonObject, python_type};
use crate::directory::model::{Timestamp, ValidationErrors, Violation};
use crate::http::error::ApiError;
use crate::server::memory::MemoryShare;

const TRUE: [&str; 14] =
    ["t", "T", "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "1"];
const FALSE: [&str; 14] =
    ["f", "F", "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", "0"];

const NO_LIST: &str = "This list may not be empty. Null is no limit; a form cannot say null, so send JSON.";

/// The fields of a body that have not been read yet.
pub struct Fields {
    rest: JsonObject,
    /// The names of those that have been read.
    read: Vec<String>,
    faults: ValidationErrors,
    file: Option<UploadedFile>,
    share: Option<MemoryShare>,
}

impl Fields {
    pub(super) fn of(rest: JsonObject) -> Self {
        Self { rest, read: Vec::new(), faults: ValidationErrors::default(), file: None, share: None }
    }

    /// Adds the file that came with them, and keeps the memory share of the body until the fields are dropped.
    pub(super) fn with(self, file: Option<UploadedFile>, share: MemoryShare) -> Self {
        Self { file, share: Some(share), ..self }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let value = self.rest.shift_remove(name)?;
        self.read.push(name.to_owned());
        Some(value)
    }

    /// Reads a text that may not be null.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let value = self.take(name)?;
        self.faults.take(name, text(value))
    }

    /// Reads a text or null, which differs from an empty text.
    pub fn text_or_null(&mut self, name: &str) -> Option<Option<String>> {
        match self.take(name)? {
            Value::Null => Some(None),
            value => self.faults.take(name, text(value)).map(Some),
        }
    }

    /// Reads a file. Of several texts in a form the last one counts, as in the framework.
    pub fn file(&mut self, name: &str) -> Option<SentFile> {
        if let Some(file) = self.file.take_if(|file| file.field == name) {
            self.take(name);
            self.read.push(name.to_owned());
            let content = self.faults.take(name, file.checked())?;
            return Some(SentFile::Content(content, self.share.take()));
        }
        let value = match self.take(name)? {
            Value::Array(mut values) if values.len() > 1 && values.iter().all(Value::is_string) => {
                values.pop().unwrap_or_default()
            }
            value => value,
        };
        let sent = match value {
            Value::Null => Ok(SentFile::None),
            Value::String(text) if text.is_empty() => Ok(SentFile::None),
            Value::String(text) => Ok(SentFile::Text(text)),
            _ => Err(Violation::Other(NOT_A_FILE.to_owned())),
        };
        self.faults.take(name, sent)
    }

    /// Reads a text that may be sent only once. In a form, a name that comes several times is a list.
    pub fn single_text(&mut self, name: &str) -> Option<String> {
        let value = self.take(name)?;
        let text = match value {
            Value::Array(_) => Err(Violation::Other("Send this field only once.".to_owned())),
            value => text(value),
        };
        self.faults.take(name, text)
    }

    /// Reads a list of texts without blanks around them: at least one, each of 1 to `longest` characters. A single one
    /// in a form counts as a list. Faults name places, never texts.
    pub fn texts(&mut self, name: &str, longest: usize) -> Option<Vec<String>> {
        let values = match self.take(name)? {
            Value::Array(values) if values.is_empty() => {
                Err(Violation::Other("This list may not be empty.".to_owned()))
            }
            Value::Array(values) => Ok(values),
            Value::Null => Err(Violation::Null),
            single @ Value::String(_) => Ok(vec![single]),
            other => Err(not("Expected a list of items", &other)),
        };
        let values = self.faults.take(name, values)?;
        let mut texts = Vec::with_capacity(values.len());
        for (place, value) in values.into_iter().enumerate() {
            match item_text(&value, place + 1, longest) {
                Ok(text) => texts.push(text),
                Err(violation) => self.faults.add(name, &violation),
            }
        }
        Some(texts)
    }

    /// Ignores the fields that have not been read, whatever their names are.
    pub fn ignore_rest(&mut self) {
        self.rest.clear();
    }

    /// Reads a time, or null.
    pub fn timestamp(&mut self, name: &str) -> Option<Option<Timestamp>> {
        match self.take(name)? {
            Value::Null => Some(None),
            value => self.faults.take(name, text(value).and_then(|text| text.parse())).map(Some),
        }
    }

    /// Reads a whole number from 0 to `max`.
    pub fn at_most(&mut self, name: &str, max: u64) -> Option<u64> {
        let value = self.take(name)?;
        let number = id(&value).and_then(|number| u64::try_from(number).map_err(|_| Violation::AtLeast(0)));
        let too_large = || Violation::Other(format!("Ensure this value is less than or equal to {max}."));
        let number = number.and_then(|number| if number <= max { Ok(number) } else { Err(too_large()) });
        self.faults.take(name, number)
    }

    /// Reads true or false in any of the framework's spellings.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.take(name)?;
        self.faults.take(name, boolean(&value))
    }

    /// Reads a list of ids. A single one in a form counts as a list.
    pub fn ids(&mut self, name: &str) -> Option<Vec<i64>> {
        let value = self.take(name)?;
        self.faults.take(name, ids(value))
    }

    /// Reads a list of texts, or null. A single one in a form counts as a list. An empty one is refused: an empty field of a form
    /// does not say whether it means nothing or everything.
    pub fn texts_or_null(&mut self, name: &str) -> Option<Option<Vec<String>>> {
        match self.take(name)? {
            Value::Null => Some(None),
            value => self.faults.take(name, texts(value)).map(Some),
        }
    }

    /// Reads an integer of 64 bits.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        let value = self.take(name)?;
        self.faults.take(name, id(&value))
    }

    /// Reads a list of objects, each with fields of its own.
    pub fn items(&mut self, name: &str) -> Option<Vec<Self>> {
        let value = self.take(name)?;
        self.faults.take(name, items(value))
    }

    /// Adds a fault that the caller has found.
    pub fn refuse(&mut self, name: &str, rule: &Violation) {
        self.faults.add(name, rule);
    }

    /// Whether a field was sent, whatever its value.
    pub fn contains(&self, name: &str) -> bool {
        self.rest.contains_key(name)
    }

    /// The names of the fields that were sent and have been read.
    pub fn read_names(&self) -> impl Iterator<Item = &str> {
        self.read.iter().map(String::as_str)
    }

    /// Ignores the fields of these names that have not been read: answers show them, and no caller can write them. So
    /// a client may send back what it has read.
    pub fn ignore(&mut self, shown: &[&str]) {
        self.rest.retain(|name, _| !shown.contains(&name.as_str()));
    }

    /// Adds a fault for a required field that was not sent, unless it has a fault already.
    pub fn require(&mut self, name: &str, is_there: bool) {
        if !is_there && !self.faults.has(name) {
            self.faults.add(name, &Violation::Required);
        }
    }

    /// Adds a fault for a required text that was not sent or is empty. Blanks alone are a text.
    pub fn require_some(&mut self, name: &str, value: Option<&str>) {
        self.require(name, value.is_some());
        if value.is_some_and(str::is_empty) {
            self.faults.add(name, &Violation::Blank);
        }
    }

    /// Adds a fault for a required text that was not sent or is blank.
    pub fn require_filled(&mut self, name: &str, value: Option<&str>) {
        self.require(name, value.is_some());
        if value.is_some_and(|value| value.trim().is_empty()) {
            self.faults.add(name, &Violation::Blank);
        }
    }

    /// Refuses the body if any field has a fault; a name that this route does not know is one.
    pub fn end(self) -> Result<(), ApiError> {
        self.faults().into_result().map_err(ApiError::Invalid)
    }

    /// Returns all faults, those of unknown names included.
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

fn texts(value: Value) -> Result<Vec<String>, Violation> {
    match value {
        Value::Array(values) => values.into_iter().map(text).collect(),
        Value::String(text) if text.is_empty() => Err(Violation::Other(NO_LIST.to_owned())),
        Value::String(text) => Ok(vec![text]),
        other => Err(not("Expected a list of items", &other)),
    }
}

fn not(what: &str, value: &Value) -> Violation {
    Violation::Other(format!("{what} but got type \"{}\".", python_type(value)))
}

/// Reads the text at a place of a list, counted from 1.
fn item_text(value: &Value, place: usize, longest: usize) -> Result<String, Violation> {
    let Value::String(text) = value else {
        return Err(not(&format!("Item {place}: expected a string"), value));
    };
    match text.trim() {
        "" => Err(Violation::Other(format!("Item {place} is blank."))),
        text if text.chars().count() > longest => {
            Err(Violation::Other(format!("Item {place} has more than {longest} characters.")))
        }
        text => Ok(text.to_owned()),
    }
}

fn items(value: Value) -> Result<Vec<Fields>, Violation> {
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

    use super::super::{form, json};
    use super::*;
    use crate::http::text::Charset;

    fn fields(value: Value) -> Fields {
        Fields::of(json::object(value.to_string().as_bytes(), Charset::DEFAULT).unwrap().0)
    }

    fn faults(fields: Fields) -> String {
        match fields.end() {
            Err(ApiError::Invalid(faults)) => faults
                .iter()
                .map(|(name, messages)| format!("{name}: {}", messages.join(" ")))
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
        let form = b"ids=1&ids=2&flag=on&email=&name=A%20B";
        let mut form = Fields::of(form::object(form, Charset::DEFAULT).unwrap().0);
        assert_eq!(form.ids("ids"), Some(vec![1, 2]));
        assert_eq!(form.boolean("flag"), Some(true));
        assert_eq!(form.text_or_null("email"), Some(Some(String::new())));
        assert_eq!(form.text("name").as_deref(), Some("A B"));
        assert!(form.end().is_ok());
    }

    #[test]
    fn what_is_no_json_object_is_told() {
        let detail = |bytes: &[u8]| match json::object(bytes, Charset::DEFAULT) {
            Err(ApiError::Malformed(detail)) => detail,
            Err(ApiError::Invalid(faults)) => faults.iter().next().unwrap().1.join(" "),
            other => format!("{other:?}"),
        };
        assert_eq!(detail(b"[1]"), "Invalid data. Expected a dictionary, but got list.");
        let deep = "[".repeat(100_000);
        for bad in [
            &b"{"[..],
            b"\xef\xbb\xbf\xef\xbb\xbf{}",
            b"{}\xef\xbb\xbf",
            b"{\"a\": NaN}",
            br#"{"a": "\ud800"}"#,
            b"{\"a\": \"\xff\"}",
            deep.as_bytes(),
        ] {
            assert!(detail(bad).starts_with("JSON parse error - "), "{:?}", detail(bad));
        }
        assert_eq!(json::object(br#"{"a": 1, "a": 2}"#, Charset::DEFAULT).unwrap().0["a"], 2);
        assert_eq!(json::object(b"\xef\xbb\xbf{\"a\": 2}", Charset::DEFAULT).unwrap().0["a"], 2);
    }
}
