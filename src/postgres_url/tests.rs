//! What a URL says, and which URLs are refused with what to write instead.

use std::path::PathBuf;

use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use super::{PostgresUrl, Protection, UrlError};

fn parse(url: &str) -> PostgresUrl {
    PostgresUrl::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn a_server_on_another_machine_needs_tls_or_a_word() {
    let remote = |host: &str| host.to_owned();
    for (url, expected) in [
        ("postgres://u@localhost/d", Protection::Local),
        ("postgres://u@LOCALHOST/d", Protection::Local),
        ("postgres://u@127.0.0.1/d", Protection::Local),
        ("postgres://u@127.8.9.10/d?sslmode=disable", Protection::Local),
        ("postgres://u@[::1]/d", Protection::Local),
        ("postgres://u@[::ffff:127.0.0.1]/d", Protection::Local),
        ("postgres://u@%2Frun%2Fpostgresql/d", Protection::Local),
        ("postgres://u@/d?host=/run/postgresql", Protection::Local),
        ("postgres://u@localhost/d?sslmode=require", Protection::Tls),
        ("postgres://u@db.example.com/d?sslmode=require", Protection::Tls),
        ("postgres://u@db.example.com/d?sslmode=verify-full", Protection::Tls),
        ("postgres://u@db.example.com/d?sslmode=verify-ca&sslrootcert=/ca.crt", Protection::Tls),
        ("postgres://u@db.example.com/d", Protection::Missing(remote("db.example.com"))),
        ("postgres://u@db.example.com/d?sslmode=disable", Protection::Disabled(remote("db.example.com"))),
        ("postgres://u@localhost.example.com/d", Protection::Missing(remote("localhost.example.com"))),
        ("postgres://u@10.0.0.1/d", Protection::Missing(remote("10.0.0.1"))),
        ("postgres://u@[2001:db8::1]/d", Protection::Missing(remote("2001:db8::1"))),
        ("postgres://u@0.0.0.0/d", Protection::Missing(remote("0.0.0.0"))),
        // With several hosts, any of them may be used.
        ("postgres://u@localhost,db2/d", Protection::Missing(remote("db2"))),
        ("postgres://u@localhost:1,127.0.0.1:2/d", Protection::Local),
        ("postgres://u@localhost,db2/d?sslmode=disable", Protection::Disabled(remote("db2"))),
        ("postgres:///d?host=localhost,db2", Protection::Missing(remote("db2"))),
        // The address counts, not the name.
        ("postgres://u@localhost/d?hostaddr=10.0.0.1", Protection::Missing(remote("10.0.0.1"))),
        ("postgres://u@db.example.com/d?hostaddr=127.0.0.1", Protection::Local),
        ("postgres://u@a,b/d?hostaddr=127.0.0.1,10.0.0.2", Protection::Missing(remote("10.0.0.2"))),
    ] {
        assert_eq!(parse(url).protection(), expected, "{url}");
    }
}

#[test]
fn the_certificate_is_checked_as_the_url_says() {
    let base = "postgres://u@db/d?sslmode=";
    for (end, roots, check_host) in [
        ("require", None, true),
        ("verify-full", None, true),
        ("verify-full&sslrootcert=system", None, true),
        ("require&sslrootcert=/etc/ca.crt", Some("/etc/ca.crt"), true),
        ("verify-full&sslrootcert=%2Fetc%2Fca.crt", Some("/etc/ca.crt"), true),
        ("verify-ca&sslrootcert=/etc/ca.crt", Some("/etc/ca.crt"), false),
    ] {
        let url = parse(&format!("{base}{end}"));
        let tls = url.tls.unwrap();
        assert_eq!((tls.roots, tls.check_host), (roots.map(PathBuf::from), check_host), "{end}");
        assert_eq!((url.config.get_ssl_mode(), tls.client), (SslMode::Require, None), "{end}");
    }
    let own =
        parse(&format!("{base}verify-full&sslcert=/c.crt&sslkey=/c.key&sslnegotiation=direct")).tls.unwrap();
    assert_eq!(own.client, Some(("/c.crt".into(), "/c.key".into())));
    assert!(own.is_direct);
    assert!(parse("postgres://u@localhost/d").tls.is_none());
    let disabled = parse(&format!("{base}disable"));
    assert!(disabled.tls.is_none() && disabled.config.get_ssl_mode() == SslMode::Disable);
}

/// Each refusal names what was met and what to write instead. None shows the password.
#[test]
fn what_would_be_ignored_or_weaker_than_it_looks_is_refused() {
    for (end, named, instead) in [
        ("?sslmode=prefer", "sslmode=prefer", "?sslmode=require"),
        ("?sslmode=allow", "sslmode=allow", "?sslmode=disable"),
        ("?sslmode=on", "\"on\"", "verify-full"),
        ("?sslmode=verify-ca", "verify-ca", "sslrootcert=/path"),
        ("?sslmode=verify-ca&sslrootcert=system", "verify-ca", "sslmode=verify-full"),
        ("?sslmode=require&sslrootcert=ca.crt", "\"ca.crt\"", "sslrootcert=/path"),
        ("?sslrootcert=/ca.crt", "sslrootcert", "sslmode=verify-full"),
        ("?sslmode=disable&sslcert=/c.crt&sslkey=/c.key", "sslcert", "sslmode=verify-full"),
        ("?sslmode=require&sslcert=/c.crt", "sslcert", "sslkey"),
        ("?sslmode=require&sslkey=/c.key", "sslkey", "sslcert"),
        ("?sslmode=require&sslnegotiation=now", "\"now\"", "direct"),
        ("?sslcrl=/crl", "\"sslcrl\"", "sslrootcert"),
        ("?gssencmode=prefer", "\"gssencmode\"", "sslmode"),
        ("?password=hunter2", "password", "before the host"),
        ("?port=1", "port", "question mark"),
        ("?user=v", "user", "question mark"),
        ("?keepalives=yes", "\"yes\"", "0 or 1"),
        ("?connect_timeout=0", "connect_timeout", "above 0"),
        ("?sslmode=require&sslmode=disable", "sslmode", "twice"),
        ("?target_session_attrs=read-only", "target_session_attrs", "read-write"),
        ("?schema=", "schema", "?schema=wardroom"),
        ("?schema=pg_catalog", "pg_catalog", "?schema=wardroom"),
        ("?schema=a&options=-csearch_path%3Db", "search_path", "leave one"),
    ] {
        let url = format!("postgres://u:hunter2@db/d{end}");
        let Err(UrlError::Refused(why)) = PostgresUrl::parse(&url) else {
            panic!("{end} is not refused by name")
        };
        assert!(why.contains(named) && why.contains(instead) && !why.contains("hunter2"), "{end}: {why}");
    }
    let socket = PostgresUrl::parse("postgres:///d?host=/run/postgresql&sslmode=require").err().unwrap();
    assert!(socket.to_string().contains("socket"), "{socket}");
    let address = PostgresUrl::parse("postgres:///d?hostaddr=10.0.0.1&sslmode=require").err().unwrap();
    assert!(address.to_string().contains("host=NAME"), "{address}");
}

/// A standby would answer with old rows.
#[test]
fn of_several_hosts_only_the_writable_one_is_used() {
    for (url, expected) in [
        ("postgres://u@localhost/d", TargetSessionAttrs::Any),
        ("postgres://u@localhost/d?target_session_attrs=any", TargetSessionAttrs::Any),
        ("postgres://u@localhost:1,localhost:2/d", TargetSessionAttrs::ReadWrite),
        ("postgres://u@localhost,localhost/d?target_session_attrs=read-write", TargetSessionAttrs::ReadWrite),
    ] {
        assert_eq!(parse(url).config.get_target_session_attrs(), expected, "{url}");
    }
    assert!(PostgresUrl::parse("postgres://u@localhost,localhost/d?target_session_attrs=any").is_err());
    assert_eq!(parse("postgres://u@localhost:1,[::1]:2/d").servers(), "localhost:1, [::1]:2");
    assert_eq!(parse("postgres:///d?host=/run/pg&port=6432").servers(), "/run/pg/.s.PGSQL.6432");
}

#[test]
fn the_drivers_parameters_reach_it() {
    let url = "postgres://u:p%40w@localhost:6/d?application_name=x%20y&options=-c%20geqo%3Doff&connect_timeout=3\
               &keepalives_idle=30&keepalives_count=4&channel_binding=require&schema=a%22b";
    let url = parse(url);
    let config = &url.config;
    assert_eq!(
        (config.get_user(), config.get_password(), config.get_dbname()),
        (Some("u"), Some(&b"p@w"[..]), Some("d"))
    );
    assert_eq!((config.get_application_name(), config.get_options()), (Some("x y"), Some("-c geqo=off")));
    assert_eq!(config.get_connect_timeout().unwrap().as_secs(), 3);
    assert_eq!((config.get_keepalives_idle().as_secs(), config.get_keepalives_retries()), (30, Some(4)));
    assert_eq!(config.get_channel_binding(), tokio_postgres::config::ChannelBinding::Require);
    assert_eq!((url.schema.as_deref(), config.get_ports()), (Some("a\"b"), &[6][..]));
    assert!(url.shown().starts_with("postgres://u:***@localhost:6/d?"));
}
