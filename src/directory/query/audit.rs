//! Queries of the audit trail.

use super::Parameters;
use crate::directory::model::{AuditFilter, OBJECT_KINDS, Timestamp, ValidationErrors, Violation};

/// Events per page by default.
const LIMIT: u32 = 10;
/// The longest text that an event can be filtered by, in characters.
const TEXT_MAX: usize = 254;

/// A query of events.
#[derive(Clone, Debug)]
pub struct AuditQuery {
    /// The filters. All that are given must hold.
    pub filter: AuditFilter,
    /// The most events of a page.
    pub limit: u32,
    /// Where an export continues: only events with a higher number.
    pub after: i64,
}

impl AuditQuery {
    /// The names of the filters.
    pub const FILTERS: [&'static str; 9] = [
        "action",
        "actor_id",
        "actor_name",
        "object_kind",
        "object_id",
        "object_name",
        "address",
        "from",
        "to",
    ];

    /// Parses the filters, and the parameters of the page that are named. Collects all errors.
    pub fn parse(pairs: &[(String, String)], page: &[&str]) -> Result<Self, ValidationErrors> {
        let known = |name: &str| name == "format" || Self::FILTERS.contains(&name) || page.contains(&name);
        let mut given = Parameters::new(pairs, known);
        let filter = AuditFilter {
            before: given.integer("before"),
            action: given.parsed("action", text),
            actor_id: given.integer("actor_id"),
            actor_name: given.parsed("actor_name", text),
            object_kind: given.parsed("object_kind", kind),
            object_id: given.integer("object_id"),
            object_name: given.parsed("object_name", text),
            address: given.parsed("address", text),
            from: given.parsed("from", timestamp),
            to: given.parsed("to", timestamp),
        };
        let limit = given.parsed("limit", limit).unwrap_or(LIMIT);
        let after = given.integer("after").unwrap_or_default();
        given.finish().map(|()| Self { filter, limit, after })
    }
}

/// Parses the head of the chain: the SHA-256 of an event.
pub fn audit_head(raw: &str) -> Result<String, Violation> {
    let is_hash = raw.len() == 64 && raw.bytes().all(|byte| byte.is_ascii_hexdigit());
    let wrong = || Violation::Other("A head has 64 hexadecimal digits.".to_owned());
    if is_hash { Ok(raw.to_ascii_lowercase()) } else { Err(wrong()) }
}

fn text(raw: &str) -> Result<String, Violation> {
    match raw {
        raw if raw.contains('\0') => Err(Violation::NullCharacter),
        raw if raw.chars().count() > TEXT_MAX => Err(Violation::TooLong(TEXT_MAX)),
        raw => Ok(raw.to_owned()),
    }
}

fn kind(raw: &str) -> Result<String, Violation> {
    if OBJECT_KINDS.contains(&raw) { Ok(raw.to_owned()) } else { Err(Violation::Choice(raw.to_owned())) }
}

/// Parses a time of RFC 3339, or the beginning of a day (UTC).
fn timestamp(raw: &str) -> Result<Timestamp, Violation> {
    if raw.len() == 10 { format!("{raw}T00:00:00Z").parse() } else { raw.parse() }
}

/// Parses the number of rows of a page.
pub(super) fn limit(raw: &str) -> Result<u32, Violation> {
    match raw.parse::<i64>().map_err(|_| Violation::Integer)? {
        limit @ 1..=1000 => u32::try_from(limit).map_err(|_| Violation::Integer),
        limit if limit < 1 => Err(Violation::AtLeast(1)),
        _ => Err(Violation::Other("Ensure this value is less than or equal to 1000.".to_owned())),
    }
}
