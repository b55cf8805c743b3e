//! The rules of the house that a compiler does not keep: who may know whom, and how large things are.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with its path below `src/` and its text.
pub fn house() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > 30, "the sources were not found");
    let named = |path: &PathBuf| path.strip_prefix(&root).unwrap().display().to_string();
    found.iter().map(|path| (named(path), fs::read_to_string(path).unwrap())).collect()
}

/// The code of a file without its comments.
pub fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Lower floors know nothing of higher ones.
#[test]
fn nothing_climbs_the_stairs() {
    let forbidden: [(&str, &[&str]); 7] = [
        ("database/", &["crate::directory", "crate::http", "crate::cli", "crate::config", "axum", "hyper"]),
        ("directory/", &["crate::http", "crate::cli", "crate::config", "crate::telemetry", "axum", "hyper"]),
        ("http/", &["crate::cli", "crate::database", "directory::store", "rusqlite", "tokio_postgres"]),
        (
            "server/",
            &["crate::http", "crate::cli", "crate::directory", "crate::database", "crate::config", "axum"],
        ),
        ("cli/", &["crate::database", "directory::store", "rusqlite", "tokio_postgres"]),
        ("config/", &["crate::http", "crate::cli", "crate::directory", "crate::telemetry"]),
        ("telemetry.rs", &["crate::http", "crate::cli", "crate::directory", "crate::config"]),
    ];
    for (file, text) in house() {
        for (floor, names) in forbidden.iter().filter(|(floor, _)| file.starts_with(floor)) {
            for name in *names {
                assert!(!code(&text).contains(name), "{file}, of {floor}, knows {name}");
            }
        }
    }
}

#[test]
fn sql_is_written_in_the_store_alone() {
    let elsewhere = |file: &str| !file.starts_with("directory/store/") && !file.starts_with("database/");
    for (file, text) in house().into_iter().filter(|(file, _)| elsewhere(file)) {
        for word in ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "PRAGMA "] {
            assert!(!code(&text).contains(&format!("\"{word}")), "{file} holds SQL: {word}");
        }
    }
}

#[test]
fn status_codes_are_known_to_http_alone() {
    let allowed = |file: &str| file.starts_with("http/") || file.starts_with("server/");
    for (file, text) in house().into_iter().filter(|(file, _)| !allowed(file)) {
        assert!(!code(&text).contains("StatusCode"), "{file} knows status codes");
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (file, text) in house() {
        assert!(
            text.starts_with("//! ") || file.ends_with("tests.rs"),
            "{file} does not open with a paragraph"
        );
    }
}

/// Whoever writes on behalf of a person does it as a `Change`, which reads the person's rights in the transaction. The
/// few files that write by themselves do so on nobody's behalf, or begin a `Change` of their own.
#[test]
fn writes_of_people_are_changes() {
    let by_themselves = [
        "directory/authentication/attempts.rs",
        "directory/change.rs",
        "directory/identity/uses.rs",
        "directory/limiter/requests.rs",
        "directory/password/census.rs",
        "directory/refusals.rs",
        "directory/transfer/import/mod.rs",
        "directory/transfer/seed.rs",
        "directory/unique_values.rs",
    ];
    let mut found = Vec::new();
    for (file, text) in house().into_iter().filter(|(file, _)| !file.starts_with("directory/store/")) {
        let text: String = code(&text).split_whitespace().collect();
        if text.contains("store.write(")
            || text.contains("store.write_alone(")
            || text.contains("store.load(")
        {
            found.push(file);
        }
    }
    found.sort();
    assert_eq!(found, by_themselves);
}

/// A password, its hash or a token's digest that prints itself ends up in a log or a panic message sooner or later.
#[test]
fn finding_14_no_type_prints_a_secret() {
    const SECRET: [&str; 6] = ["password", "old_password", "new_password", "digest", "remains", "key"];
    // A column's name.
    const OTHER: &str = "switchover/django/mapping.rs: pub(super) struct MappedTable prints pub(super) key";
    const PLAIN: [&str; 4] = ["String", "Vec<u8>", "Box<[u8]>", "Value"];
    let plain = |kind: &str| {
        let kind = kind.trim_end_matches(',');
        let kind = kind.strip_prefix("Option<").and_then(|kind| kind.strip_suffix('>')).unwrap_or(kind);
        PLAIN.contains(&kind)
    };
    let (mut looked_at, mut printing) = (0, Vec::new());
    for (file, text) in house() {
        let text = code(&text);
        for part in text.split("#[derive(").skip(1) {
            let (derived, rest) = part.split_once(")]").unwrap_or_default();
            let Some((head, body)) = rest.split_once('{').filter(|(head, _)| head.contains("struct ")) else {
                continue;
            };
            if head.contains(';') || !derived.split(", ").any(|name| name == "Debug") {
                continue;
            }
            looked_at += 1;
            let body = body.split_once("\n}").map_or(body, |(body, _)| body);
            let fields = body.lines().filter_map(|line| line.trim().split_once(": "));
            let secret = fields.filter(|(name, kind)| {
                let name = name.rsplit(' ').next().unwrap_or_default();
                SECRET.contains(&name) && plain(kind)
            });
            printing.extend(secret.map(|(name, _)| format!("{file}: {} prints {name}", head.trim())));
        }
    }
    assert!(looked_at > 50, "only {looked_at} types were found");
    printing.retain(|printed| printed != OTHER);
    assert!(printing.is_empty(), "{printing:#?}");
}

/// Asked, not obeyed blindly: a file above the bound is a reason to look for a second room in it.
#[test]
fn files_stay_small() {
    // Tests of a large room may stand in a file of their own, which may be larger.
    for (file, text) in house().into_iter().filter(|(file, _)| !file.ends_with("tests.rs")) {
        let lines = text.lines().count();
        assert!(lines <= 450, "{file} has {lines} lines: split it, or argue here for an exception");
    }
}
