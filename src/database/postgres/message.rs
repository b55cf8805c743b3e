//! What the server says about an error, in words for an operator: its message with SQLSTATE, detail and hint, and what to do.

use std::fmt;

use tokio_postgres::error::DbError;

/// An error that the server reported, or that a connection met.
#[derive(Debug)]
pub(crate) struct ServerMessage {
    /// The SQLSTATE, if the server reported the error.
    code: Option<String>,
    text: String,
    /// What to do about it.
    remedy: Option<String>,
}

/// The classes of SQLSTATE whose detail never quotes a row: connections, authorisation, names, resources, operation.
const CLASSES_WITH_DETAIL: [&str; 12] =
    ["08", "0A", "25", "28", "3D", "3F", "42", "53", "55", "57", "58", "XX"];

/// What this program needs for a table of its own.
const ALL_RIGHTS: &str = "SELECT, INSERT, UPDATE, DELETE ON";

/// The role lacks a right.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// What to do about a certificate that is not accepted.
const UNTRUSTED: &str = "check that the certificate is for the host in the URL, and that sslrootcert (or this machine) trusts its authority";
/// What to do about a server's certificate that is an authority's and is not in sslrootcert.
const AUTHORITY_AS_SERVER: &str = "the server's certificate is itself an authority's (CA:TRUE), and such a certificate is accepted only \
     if sslrootcert contains it: copy the server's own certificate into that file, or give the server one with CA:FALSE";
/// How the driver ends its message when the server refuses TLS.
const WITHOUT_TLS: &str = "server does not support TLS";
/// What to do about such a server.
const TLS_NEEDED: &str = "the URL asks for TLS, and TLS is off on the server: set ssl = on with ssl_cert_file and ssl_key_file in \
     postgresql.conf; or, if the network path to the server is trusted, write sslmode=disable into the URL";

impl ServerMessage {
    /// Describes an error: what the server reported, or the causes of a lost connection.
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
        if let Some(db) = error.as_db_error() {
            return Self::of_server(db);
        }
        let causes = std::iter::successors(std::error::Error::source(error), |source| source.source());
        let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
        let remedy = match tls_error(error) {
            Some(tls) if is_authority_as_server(tls) => Some(AUTHORITY_AS_SERVER),
            Some(_) => Some(UNTRUSTED),
            None => text.ends_with(WITHOUT_TLS).then_some(TLS_NEEDED),
        };
        Self { code: None, text, remedy: remedy.map(str::to_owned) }
    }

    fn of_server(db: &DbError) -> Self {
        let code = db.code().code();
        let mut text = format!("{} (SQLSTATE {code})", db.message());
        if code.get(..2).is_some_and(|class| CLASSES_WITH_DETAIL.contains(&class)) {
            for (name, more) in [("detail", db.detail()), ("hint", db.hint())] {
                if let Some(more) = more {
                    text.push_str(&format!("; {name}: {more}"));
                }
            }
        }
        let remedy = match db.detail() {
            // PostgreSQL names the missing right here alone.
            Some(detail) if code == INSUFFICIENT_PRIVILEGE && detail.contains("CONNECT") => {
                Some("run GRANT CONNECT ON DATABASE with its name TO the role in the URL".to_owned())
            }
            _ => remedy(code, db.message()),
        };
        Self { code: Some(code.to_owned()), text, remedy }
    }

    /// Returns whether the role lacks a right.
    pub(crate) fn is_denial(&self) -> bool {
        self.code.as_deref() == Some(INSUFFICIENT_PRIVILEGE)
    }

    /// Returns the message for a database that is only read.
    pub(crate) fn for_reading(&self) -> Self {
        let remedy = self.remedy.as_ref().map(|remedy| remedy.replace(ALL_RIGHTS, "SELECT ON"));
        Self { code: self.code.clone(), text: self.text.clone(), remedy }
    }

    /// Returns the message with another remedy.
    pub(crate) fn with_remedy(self, remedy: String) -> Self {
        Self { remedy: Some(remedy), ..self }
    }
}

impl fmt::Display for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.remedy.as_ref().map_or(Ok(()), |remedy| write!(f, ": {remedy}"))
    }
}

impl std::error::Error for ServerMessage {}

/// Returns whether a connection could not be opened because of TLS. Waiting does not help.
pub(crate) fn is_tls(error: &tokio_postgres::Error) -> bool {
    tls_error(error).is_some()
}

fn tls_error(error: &tokio_postgres::Error) -> Option<&rustls::Error> {
    let causes = std::iter::successors(std::error::Error::source(error), |source| source.source());
    causes.into_iter().find_map(|cause| {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause.downcast_ref().or_else(|| inner.and_then(|inner| inner.downcast_ref()))
    })
}

/// Returns whether the certificate that a server presented is one of an authority.
pub(super) fn is_authority_as_server(error: &rustls::Error) -> bool {
    // The type of this error is in a crate that rustls does not export.
    matches!(error, rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) if other.0.to_string() == "CaUsedAsEndEntity")
}

/// Returns whether a pooler refuses the options of a URL.
pub(crate) fn is_refused_option(db: &DbError) -> bool {
    db.message().starts_with("unsupported startup parameter")
}

/// Says what an operator can do about an error.
fn remedy(code: &str, message: &str) -> Option<String> {
    Some(match code {
        "28000" if message.contains("client certificate") => {
            "name a certificate and its key in the URL: sslcert=FILE&sslkey=FILE".to_owned()
        }
        "28P01" | "28000" => {
            "check the user and the password in the URL, and pg_hba.conf on the server".to_owned()
        }
        "3D000" => "create the database, or correct its name in the URL".to_owned(),
        "53300" => "lower database_connections, or raise max_connections on the server".to_owned(),
        INSUFFICIENT_PRIVILEGE => denied(message)?,
        _ if message.starts_with("unsupported startup parameter") => {
            "a connection pooler refuses it: remove options from the URL; ?schema=NAME chooses a schema without it".to_owned()
        }
        _ => return None,
    })
}

/// Returns the grant that a refused statement needs. The message names the object, but not the role, and it may be in another
/// language.
fn denied(message: &str) -> Option<String> {
    if message.starts_with("must be owner of ") {
        return Some("use a URL with the role that owns the tables".to_owned());
    }
    let (grant, rest) = [
        (ALL_RIGHTS, "permission denied for table "),
        ("USAGE, SELECT ON SEQUENCE", "permission denied for sequence "),
        ("EXECUTE ON FUNCTION", "permission denied for function "),
        ("USAGE, CREATE ON SCHEMA", "permission denied for schema "),
        ("CREATE ON DATABASE", "permission denied for database "),
    ]
    .into_iter()
    .find_map(|(grant, start)| Some((grant, message.strip_prefix(start)?)))?;
    Some(format!("run GRANT {grant} {rest} TO the role in the URL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_named() {
        assert_eq!(
            remedy("42501", "permission denied for table users").unwrap(),
            "run GRANT SELECT, INSERT, UPDATE, DELETE ON users TO the role in the URL"
        );
        assert_eq!(remedy("42501", "keine Berechtigung f\u{fc}r Tabelle users"), None);
        assert_eq!(remedy("42P01", "relation \"x\" does not exist"), None);
    }
}
