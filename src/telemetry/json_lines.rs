//! Log lines as JSON: one object per line, whose fields are all at its top level.
//!
//! The time, the level and the message come first, then the fields of the event, its module, and the fields of the spans
//! around it, such as the id of the request.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The target of the lines of crates that use the crate `log`. The real one is in a field.
const BRIDGED: &str = "log";

/// Formats events. The fields of spans must be formatted as JSON.
pub(super) struct FlatJson;

impl<S, N> FormatEvent<S, N> for FlatJson
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (mut at, metadata) = (String::new(), event.metadata());
        SystemTime.format_time(&mut Writer::new(&mut at))?;
        let mut line = LogLine(Map::new());
        line.set("timestamp", at);
        line.set("level", metadata.level().as_str());
        // Its place is here, whatever the order of the fields.
        line.set("message", "");
        event.record(&mut line);
        if metadata.target() != BRIDGED {
            line.set("target", metadata.target());
        }
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().map(|fields| fields.fields.as_str());
            let fields = fields.and_then(|fields| serde_json::from_str::<Map<String, Value>>(fields).ok());
            for (name, value) in fields.into_iter().flatten() {
                line.0.entry(name).or_insert(value);
            }
        }
        write_escaped(&mut writer, &Value::Object(line.0).to_string())?;
        writeln!(writer)
    }
}

/// Writes JSON with control characters and marks of direction as escapes. They can only be in its strings, where clients
/// can put them, and a terminal may obey them.
fn write_escaped(writer: &mut impl fmt::Write, json: &str) -> fmt::Result {
    for character in json.chars() {
        let is_mark =
            matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match is_mark || character.is_control() {
            true => write!(writer, "\\u{:04x}", u32::from(character))?,
            false => writer.write_char(character)?,
        }
    }
    Ok(())
}

/// The fields of a line.
struct LogLine(Map<String, Value>);

impl LogLine {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        let name = match name.strip_prefix("log.") {
            None => name.strip_prefix("r#").unwrap_or(name),
            Some("target") => "target",
            Some(_) => return,
        };
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for LogLine {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt;
    use tracing_subscriber::fmt::format::JsonFields;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        let mut written = String::new();
        let text = "\u{9b}2J\u{7f}\u{202e}\u{200f}\n\u{e9}\u{1f600}";
        write_escaped(&mut written, &Value::from(text).to_string()).unwrap();
        assert_eq!(written, "\"\\u009b2J\\u007f\\u202e\\u200f\\n\u{e9}\u{1f600}\"");
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), Value::from(text));
    }

    #[test]
    fn every_field_is_at_the_top_and_so_is_the_request_s_id() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = fmt()
            .event_format(FlatJson)
            .fmt_fields(JsonFields::new())
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", request_id = "a-1", status = 7);
            let _entered = span.enter();
            let none: Option<u64> = None;
            tracing::info!(status = 200, client = %"1.2.3.4", flag = true, rate = 1.5, none, text = "a\n\"b\"", "answered");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let (line, rest) = text.split_once('\n').unwrap();
        assert_eq!(rest, "");
        let mut line: Map<String, Value> = serde_json::from_str(line).unwrap();
        let names: Vec<_> = line.keys().map(String::as_str).collect();
        let expected = [
            "timestamp",
            "level",
            "message",
            "status",
            "client",
            "flag",
            "rate",
            "text",
            "target",
            "request_id",
        ];
        assert_eq!(names, expected);
        line.remove("timestamp")
            .unwrap()
            .as_str()
            .unwrap()
            .parse::<crate::directory::model::Timestamp>()
            .unwrap();
        assert_eq!(
            Value::Object(line),
            serde_json::json!({
                "level": "INFO", "message": "answered", "status": 200, "client": "1.2.3.4", "flag": true, "rate": 1.5,
                "text": "a\n\"b\"", "target": module_path!(), "request_id": "a-1",
            })
        );
    }
}
