//! Tests of the list of settings, and of everything that it produces.

use std::path::Path;
use std::time::Duration;

use super::*;

fn load(flags: &Flags, environment: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let lookup = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, text)| text.into());
    Config::load_from(flags, &lookup, Path::new("/nonexistent/wardroom.toml"))
}

#[test]
fn every_default_is_allowed_and_shown_as_declared() {
    let loaded = load(&Flags::default(), &[]).unwrap();
    for (row, setting) in loaded.origins.iter().zip(SETTINGS.iter()) {
        let expected = match setting.key {
            "idle_timeout" => "1m 15s",
            _ => setting.default,
        };
        assert_eq!(
            (row.key, row.value.as_str(), &row.origin),
            (setting.key, expected, &SettingOrigin::Default)
        );
    }
    assert_eq!((loaded.origins.len(), loaded.file), (SETTINGS.len(), None));
}

#[test]
fn values_arrive_as_types() {
    let config = load(&Flags::default(), &[]).unwrap().config;
    assert_eq!(config.data_dir, Path::new("wardroom-data"));
    assert_eq!(config.database_timeout, Duration::from_secs(2));
    assert_eq!((config.max_body_bytes, config.password_min_length), (1 << 20, 15));
    assert_eq!((config.log_format, config.access_log), (LogFormat::Auto, AccessLog::Failures));
    assert!(config.database_url.is_none() && config.tls_key.is_none() && config.metrics_listen.is_none());
}

#[test]
fn a_certificate_needs_its_key() {
    let error = load(&Flags::default().with("tls_certificate", "/c.pem"), &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "tls_key (default) is empty although tls_certificate (flag --tls-certificate) is set; set both, or neither"
    );
    let error = load(&Flags::default(), &[("WARDROOM_TLS_KEY", "/k.pem")]).unwrap_err();
    assert!(
        error.to_string().starts_with("tls_certificate (default) is empty although tls_key (environment")
    );
    let both = Flags::default().with("tls_certificate", "/c.pem").with("tls_key", "/k.pem");
    assert!(load(&both, &[]).unwrap().config.tls_key.is_some());
}

#[test]
fn the_public_host_is_allowed_unasked() {
    let loaded = load(&Flags::default().with("public_url", "https://a.example:8443/"), &[]).unwrap();
    assert!(loaded.config.allowed_hosts.allows("A.example"));
    assert!(loaded.config.allowed_hosts.allows("localhost"));
    let row = loaded.origins.iter().find(|row| row.key == "allowed_hosts").unwrap();
    assert_eq!(row.value, "localhost,127.0.0.1,[::1]");
}

#[test]
fn show_tells_values_and_origins_without_secrets() {
    let flags = Flags::default().with("listen", "[::]:80");
    let loaded = load(&flags, &[("WARDROOM_DATABASE_URL", "postgres://app:hunter2@db/w")]).unwrap();
    let text = render_show(&loaded);
    let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap();
    let words = |key: &str| line(key).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words("listen"), "listen [::]:80 flag --listen");
    assert_eq!(words("metrics_listen"), "metrics_listen - default");
    assert_eq!(
        words("database_url"),
        "database_url postgres://app:***@db/w environment WARDROOM_DATABASE_URL"
    );
    let json = serde_json::to_string(&loaded.origins).unwrap();
    assert!(json.contains(r#"{"key":"listen","value":"[::]:80","origin":"flag --listen"}"#));
    assert!(!format!("{text}{json}{loaded:?}").contains("hunter2"));
}

#[test]
fn the_documentation_names_every_setting() {
    let page = settings_markdown();
    for Setting { key, flag, env, allowed, .. } in SETTINGS.iter() {
        let head = format!("\n### {key}\n\n");
        assert_eq!(page.matches(&head).count(), 1, "{key}");
        assert!(page.contains(&format!("`--{flag} <")) && page.contains(&format!("`{env}`")), "{key}");
        assert!(page.contains(&allowed.replace('*', "\\*")), "{key}");
    }
    assert!(page.contains("- File: `allowed_hosts`, also as an array of strings\n"));
    assert!(page.contains("- Default: `8`\n- Allowed: a whole number from 1 to 1000\n"));
}
