//! Variables of the environment that look like settings and are none: a typing error would silently leave the default.

use super::flags::CONFIG_ENV;
use super::setting::Setting;
use super::sources::{ConfigError, distance};

const PREFIX: &str = "WARDROOM_";
/// The test suite describes its machine with these.
const OF_TESTS: &str = "WARDROOM_TEST_";
/// The source of an import or a comparison, which may contain a password.
pub const IMPORT_FROM_ENV: &str = "WARDROOM_IMPORT_FROM";
/// The destination of a move, which may contain a password.
pub const MOVE_TO_ENV: &str = "WARDROOM_MOVE_TO";
/// The variables of arguments that are no settings.
pub const ARGUMENT_ENVS: [&str; 3] = [CONFIG_ENV, IMPORT_FROM_ENV, MOVE_TO_ENV];
/// What people call a setting elsewhere.
const OTHER_NAMES: [(&str, &str); 9] = [
    ("PORT", "LISTEN"),
    ("HOST", "LISTEN"),
    ("ADDRESS", "LISTEN"),
    ("BIND", "LISTEN"),
    ("DB_URL", "DATABASE_URL"),
    ("DATABASE", "DATABASE_URL"),
    ("DATA", "DATA_DIR"),
    ("URL", "PUBLIC_URL"),
    ("LOG", "LOG_LEVEL"),
];

/// Refuses a variable that begins with our prefix and is no setting. Values are not read, except for what Kubernetes sets
/// for every service, one called `wardroom` among them.
pub(super) fn check(
    settings: &[Setting],
    variables: impl Iterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    let mut unknown: Vec<String> = variables
        .filter(|(name, value)| name.starts_with(PREFIX) && !is_of_kubernetes(name, value))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with(OF_TESTS) && !ARGUMENT_ENVS.contains(&name.as_str()))
        .filter(|name| !settings.iter().any(|setting| setting.env == *name))
        .collect();
    unknown.sort();
    match unknown.into_iter().next() {
        None => Ok(()),
        Some(name) => Err(ConfigError::UnknownVariable { hint: hint(settings, &name), name }),
    }
}

/// Whether Kubernetes sets this variable for a service: `X_SERVICE_HOST`, `X_SERVICE_PORT`, `X_SERVICE_PORT_NAME`, and
/// `X_PORT` and more with the URL of the service.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    let is_link =
        |value: &str| ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let of_port = |(_, rest): (&str, &str)| rest.starts_with(|first: char| first.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.split_once("_PORT_").is_some_and(of_port)
        || (name.ends_with("_PORT") && is_link(value))
}

fn hint(settings: &[Setting], name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    let typed = upper.strip_prefix(PREFIX).unwrap_or(&upper);
    if let Some((_, meant)) = OTHER_NAMES.iter().find(|(other, _)| *other == typed) {
        return format!("did you mean {PREFIX}{meant}?");
    }
    let nearest = settings.iter().map(|setting| (distance(&upper, &setting.env), &setting.env)).min();
    match nearest {
        Some((edits, near)) if edits <= 1 + typed.len() / 5 => format!("did you mean {near}?"),
        _ => "unset it; `wardroom help settings` lists all of them".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SETTINGS;

    fn said(name: &str, value: &str) -> Option<String> {
        let variables = [("HOME".to_owned(), "/".to_owned()), (name.to_owned(), value.to_owned())];
        check(&SETTINGS, variables.into_iter()).err().map(|error| error.to_string())
    }

    #[test]
    fn a_variable_that_is_no_setting_is_refused_with_the_likely_name() {
        for (name, expected) in [
            ("WARDROOM_DATADIR", "did you mean WARDROOM_DATA_DIR?"),
            ("WARDROOM_DATABSE_URL", "did you mean WARDROOM_DATABASE_URL?"),
            ("WARDROOM_ALLOWED_HOST", "did you mean WARDROOM_ALLOWED_HOSTS?"),
            ("WARDROOM_listen", "did you mean WARDROOM_LISTEN?"),
            ("WARDROOM_PORT", "did you mean WARDROOM_LISTEN?"),
            ("WARDROOM_DB_URL", "did you mean WARDROOM_DATABASE_URL?"),
            ("WARDROOM_COLOUR", "unset it; `wardroom help settings`"),
        ] {
            let said = said(name, "8000").expect(name);
            assert!(said.contains(name) && said.contains(expected), "{said}");
        }
    }

    #[test]
    fn settings_and_what_kubernetes_sets_are_no_mistakes() {
        for setting in SETTINGS.iter() {
            assert_eq!(said(&setting.env, "x"), None);
        }
        for (name, value) in [
            ("WARDROOM_CONFIG", "/x"),
            ("WARDROOM_IMPORT_FROM", "/x"),
            ("WARDROOM_MOVE_TO", "/x"),
            ("WARDROOM_TEST_POSTGRES", "x"),
            ("WARDROOM_SERVICE_HOST", "10.0.0.1"),
            ("WARDROOM_SERVICE_PORT", "8000"),
            ("WARDROOM_SERVICE_PORT_HTTP", "8000"),
            ("WARDROOM_PORT", "tcp://10.0.0.1:8000"),
            ("WARDROOM_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
            ("WARDROOM_PORT_8000_TCP_ADDR", "10.0.0.1"),
            ("WARDROOM_METRICS_PORT", "tcp://10.0.0.2:9464"),
            ("WARDROOM_METRICS_PORT_9464_TCP_PROTO", "tcp"),
            ("WARDROOMS", "x"),
        ] {
            assert_eq!(said(name, value), None, "{name}");
        }
    }
}
