//! The settings of a session. They are set with statements after the start of a connection and not as startup options,
//! which PgBouncer refuses or ignores.

use std::time::Duration;

use crate::database::sql::Name;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionPurpose {
    /// Any statements.
    General,
    /// The writer, and commands. They use indexes rather than sequential scans.
    ///
    /// The server caches the plan of a prepared statement. A plan that was made while a table was nearly empty would keep
    /// reading all of it while it grows, until the server analyses the table again, a minute later or more.
    Writes,
    /// Look-ups of single rows. The same, and the plan is the same whatever the values are. Without being asked, the server
    /// plans some of them anew each time, which takes several times as long as the read.
    ///
    /// That suits no statement whose limit is a parameter and that joins or sorts: it would be planned for a tenth of the
    /// table.
    LookUps,
}

/// Makes the server confirm a commit only when it is durable, whatever is set for the server, the database, the role or
/// in the URL. An operator's stronger or differently ordered setting (`local`, `remote_write`, `remote_apply`) stays: all
/// of them survive a crash of the server.
///
/// It is set in any case, because a session follows the server's setting as long as it has none of its own.
const DURABLE: &str = "SELECT pg_catalog.set_config('synchronous_commit', \
     coalesce(nullif(pg_catalog.current_setting('synchronous_commit'), 'off'), 'on'), false)";

/// Plans each prepared statement once, and reads along an index in the order that the statement asks for.
///
/// A plan that knows nothing of the values is for a third of a table that is beyond some time. To read that many rows, the
/// server would first gather their places from the index or start workers, although a limit ends the read after a few rows.
pub(crate) const ONE_PLAN: &str = "SET plan_cache_mode = force_generic_plan; SET enable_bitmapscan = off; \
     SET max_parallel_workers_per_gather = 0";

/// Returns the statements that begin a session.
///
/// They limit time on the server. The server aborts a statement when this program stops waiting for it, so that an
/// abandoned statement does not occupy a connection. It also ends idle transactions, so that a process that is suspended
/// inside a transaction does not hold the writers' lock for ever.
pub(super) fn statements(purpose: SessionPurpose, timeout: Duration, schema: Option<&str>) -> String {
    let millis = timeout.as_millis();
    let idle = (timeout * 5).max(Duration::from_secs(10)).as_millis();
    let mut statements = format!(
        "SET statement_timeout = {millis}; SET lock_timeout = {millis}; \
         SET idle_in_transaction_session_timeout = {idle}; {DURABLE}"
    );
    if purpose != SessionPurpose::General {
        statements.push_str("; SET enable_seqscan = off");
    }
    if purpose == SessionPurpose::LookUps {
        statements.push_str("; ");
        statements.push_str(ONE_PLAN);
    }
    if let Some(schema) = schema {
        // Temporary tables would come first by default.
        statements.push_str(&format!("; SET search_path = {}, pg_temp", Name::new(schema).quoted()));
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_s_name_is_one_name_whatever_is_in_it() {
        let set = |schema: &str| statements(SessionPurpose::General, Duration::from_secs(1), Some(schema));
        assert!(set("public").ends_with("; SET search_path = \"public\", pg_temp"));
        assert!(set("a b\\c\"d,e").ends_with("; SET search_path = \"a b\\c\"\"d,e\", pg_temp"));
    }
}
