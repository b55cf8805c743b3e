//! Checks the security documents against the code: every requirement of ASVS 5.0 up to level 2 has one row in
//! docs/asvs.md, its evidence exists, open rows are listed in docs/security.md, and what is called absent is absent.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::house::{code, house};

const ASVS: &str = include_str!("../../docs/asvs.md");
const SECURITY: &str = include_str!("../../docs/security.md");

/// The requirements of levels 1 and 2, by section: 70 and 183 (OWASP ASVS 5.0.0).
const REQUIREMENTS: &[(&str, &[u32])] = &[
    ("V1.1", &[1, 2]),
    ("V1.2", &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ("V1.3", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ("V1.4", &[1, 2, 3]),
    ("V1.5", &[1, 2]),
    ("V2.1", &[1, 2, 3]),
    ("V2.2", &[1, 2, 3]),
    ("V2.3", &[1, 2, 3, 4]),
    ("V2.4", &[1]),
    ("V3.2", &[1, 2]),
    ("V3.3", &[1, 2, 3, 4]),
    ("V3.4", &[1, 2, 3, 4, 5, 6]),
    ("V3.5", &[1, 2, 3, 4, 5]),
    ("V3.7", &[1, 2]),
    ("V4.1", &[1, 2, 3]),
    ("V4.2", &[1]),
    ("V4.3", &[1, 2]),
    ("V4.4", &[1, 2, 3, 4]),
    ("V5.1", &[1]),
    ("V5.2", &[1, 2, 3]),
    ("V5.3", &[1, 2]),
    ("V5.4", &[1, 2, 3]),
    ("V6.1", &[1, 2, 3]),
    ("V6.2", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ("V6.3", &[1, 2, 3, 4]),
    ("V6.4", &[1, 2, 3, 4]),
    ("V6.5", &[1, 2, 3, 4, 5]),
    ("V6.6", &[1, 2, 3]),
    ("V6.8", &[1, 2, 3, 4]),
    ("V7.1", &[1, 2, 3]),
    ("V7.2", &[1, 2, 3, 4]),
    ("V7.3", &[1, 2]),
    ("V7.4", &[1, 2, 3, 4, 5]),
    ("V7.5", &[1, 2]),
    ("V7.6", &[1, 2]),
    ("V8.1", &[1, 2]),
    ("V8.2", &[1, 2, 3]),
    ("V8.3", &[1]),
    ("V8.4", &[1]),
    ("V9.1", &[1, 2, 3]),
    ("V9.2", &[1, 2, 3, 4]),
    ("V10.1", &[1, 2]),
    ("V10.2", &[1, 2]),
    ("V10.3", &[1, 2, 3, 4]),
    ("V10.4", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ("V10.5", &[1, 2, 3, 4, 5]),
    ("V10.6", &[1, 2]),
    ("V10.7", &[1, 2, 3]),
    ("V11.1", &[1, 2]),
    ("V11.2", &[1, 2, 3]),
    ("V11.3", &[1, 2, 3]),
    ("V11.4", &[1, 2, 3, 4]),
    ("V11.5", &[1]),
    ("V11.6", &[1]),
    ("V12.1", &[1, 2, 3]),
    ("V12.2", &[1, 2]),
    ("V12.3", &[1, 2, 3, 4]),
    ("V13.1", &[1]),
    ("V13.2", &[1, 2, 3, 4, 5]),
    ("V13.3", &[1, 2]),
    ("V13.4", &[1, 2, 3, 4, 5]),
    ("V14.1", &[1, 2]),
    ("V14.2", &[1, 2, 3, 4]),
    ("V14.3", &[1, 2, 3]),
    ("V15.1", &[1, 2, 3]),
    ("V15.2", &[1, 2, 3]),
    ("V15.3", &[1, 2, 3, 4, 5, 6, 7]),
    ("V16.1", &[1]),
    ("V16.2", &[1, 2, 3, 4, 5]),
    ("V16.3", &[1, 2, 3, 4]),
    ("V16.4", &[1, 2, 3]),
    ("V16.5", &[1, 2, 3]),
    ("V17.1", &[1]),
    ("V17.2", &[1, 2, 3, 4]),
    ("V17.3", &[1, 2]),
];

const MET: &str = "met";
const NOT_APPLICABLE: &str = "not applicable";
const OPEN: &str = "open";

/// What docs/asvs.md calls absent: the folder below `src/` that is searched, the words in code that would show it,
/// and the crates that would bring it. If one of these appears, its rows need a new answer.
const ABSENT: &[(&str, &str, &[&str], &[&str])] = &[
    ("commands of the system", "", &["process::Command"], &["duct", "xshell"]),
    ("cookies in the API", "http/api/", &["COOKIE", "\"cookie", "\"set-cookie"], &[]),
    ("redirects to another site", "http/", &["Redirect::", "_REDIRECT", "StatusCode::MOVED_"], &[]),
    ("LDAP", "", &[], &["ldap3"]),
    ("XML", "", &[], &["quick-xml", "roxmltree", "xml-rs"]),
    ("regular expressions", "", &[], &["fancy-regex", "regex"]),
    ("templates that are read at run time", "", &[], &["handlebars", "minijinja", "tera"]),
    ("memcache", "", &[], &["memcache"]),
    ("GraphQL", "", &[], &["async-graphql", "juniper"]),
    ("WebSocket", "", &[], &["tokio-tungstenite", "tungstenite"]),
    ("self-contained tokens, OAuth and OIDC", "", &[], &["jsonwebtoken", "oauth2", "openidconnect"]),
    ("WebRTC", "", &[], &["webrtc"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

struct Row {
    id: String,
    status: String,
    evidence: String,
}

/// Returns the rows about requirements, in order.
fn rows(document: &str) -> Vec<Row> {
    let about = |line: &&str| line.starts_with("| V");
    document.lines().filter(about).map(row).collect()
}

fn row(line: &str) -> Row {
    let mut cells = line.trim().trim_matches('|').split(" | ").map(str::trim);
    let mut next = || cells.next().unwrap_or_default().to_owned();
    let (id, _asked, status, evidence) = (next(), next(), next(), next());
    Row { id, status, evidence }
}

/// Returns everything that is wrong with the table.
fn faults(document: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut missing: BTreeSet<String> = required().into_iter().collect();
    for Row { id, status, evidence } in rows(document) {
        if !missing.remove(&id) {
            faults.push(format!("{id} is no requirement of level 2, or has two rows"));
        }
        if ![MET, NOT_APPLICABLE, OPEN].contains(&status.as_str()) {
            faults.push(format!("{id}: {status:?} is no status"));
        }
        let named = named(&evidence);
        if evidence.is_empty() || (status == MET && named.is_empty()) {
            faults.push(format!("{id} is {status} without evidence or reason"));
        }
        faults.extend(named.iter().filter_map(|name| Some(format!("{id}: {}", absent(name)?))));
    }
    faults.extend(missing.into_iter().map(|id| format!("{id} has no row")));
    faults
}

/// Returns the ids of all requirements.
fn required() -> Vec<String> {
    let mut ids = Vec::new();
    for (section, numbers) in REQUIREMENTS {
        ids.extend(numbers.iter().map(|number| format!("{section}.{number}")));
    }
    ids
}

/// Returns the evidence that a text names: what is quoted and looks like a path.
fn named(text: &str) -> Vec<&str> {
    const ENDINGS: [&str; 6] = [".json", ".lock", ".md", ".rs", ".sql", ".toml"];
    let quoted = text.split('`').skip(1).step_by(2);
    let is_path = |name: &&str| {
        let file = name.split(['#', ':']).next().unwrap_or_default();
        // A route begins with a slash, a path does not.
        !name.starts_with('/') && (file.contains('/') || ENDINGS.iter().any(|ending| file.ends_with(*ending)))
    };
    quoted.filter(is_path).collect()
}

/// Returns what is wrong with a piece of evidence: `file`, `file::function` or `file#section`.
fn absent(name: &str) -> Option<String> {
    let file = name.split(['#', ':']).next().unwrap_or_default();
    let path = root().join(file);
    if !path.exists() {
        return Some(format!("there is no {file}"));
    }
    if let Some((_, function)) = name.split_once("::") {
        let there = read(&path).contains(&format!("fn {function}("));
        return (!there).then(|| format!("{file} has no function {function}"));
    }
    let (_, section) = name.split_once('#')?;
    let there = read(&path).lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == section);
    (!there).then(|| format!("{file} has no section {section}"))
}

/// Returns the anchor of a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|c| c.is_alphanumeric() || ['-', '_'].contains(c)).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_requirement_has_one_row_whose_evidence_exists() {
    assert_eq!(required().len(), 253, "the list of requirements is not complete");
    assert_eq!(faults(ASVS), Vec::<String>::new());
}

/// Guards the check above: each kind of mistake is found.
#[test]
fn a_made_up_row_is_found() {
    let first = ASVS.lines().find(|line| line.starts_with("| V1.1.1 ")).unwrap();
    for (row, expected) in [
        ("| V1.1.1 | x | met | `src/made_up.rs` |", "V1.1.1: there is no src/made_up.rs"),
        ("| V1.1.1 | x | met | `made/up` |", "V1.1.1: there is no made/up"),
        ("| V1.1.1 | x | open | `made_up.md` |", "V1.1.1: there is no made_up.md"),
        ("| V1.1.1 | x | met | `src/main.rs::made_up` |", "V1.1.1: src/main.rs has no function made_up"),
        ("| V1.1.1 | x | met | `README.md#made-up` |", "V1.1.1: README.md has no section made-up"),
        ("| V1.1.1 | x | met | because of `Token <key>` |", "V1.1.1 is met without evidence or reason"),
        ("| V1.1.1 | x | not applicable |  |", "V1.1.1 is not applicable without evidence or reason"),
        ("| V1.1.1 | x | nearly | `README.md` |", "V1.1.1: \"nearly\" is no status"),
        ("| V1.2.10 | x | met | `README.md` |", "V1.2.10 is no requirement of level 2, or has two rows"),
        ("| V1.1.2 | x | met | `README.md` |", "V1.1.2 is no requirement of level 2, or has two rows"),
        ("", "V1.1.1 has no row"),
    ] {
        let found = faults(&ASVS.replacen(first, row, 1));
        assert!(found.iter().any(|fault| fault == expected), "{row}: {found:?}");
    }
}

/// docs/security.md lists the open rows of the table, and no others.
#[test]
fn open_requirements_are_listed() {
    let open: BTreeSet<_> =
        rows(ASVS).into_iter().filter(|row| row.status == OPEN).map(|row| row.id).collect();
    let listed: BTreeSet<_> = rows(SECURITY).into_iter().map(|row| row.id).collect();
    assert_eq!(open, listed);
}

/// Links between documents, and to their sections, have a target.
#[test]
fn links_lead_somewhere() {
    for (file, document) in [("docs/asvs.md", ASVS), ("docs/security.md", SECURITY)] {
        let links = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            let name = match link.strip_prefix("../") {
                Some(above) => above.to_owned(),
                None if link.starts_with('#') => format!("{file}{link}"),
                None => format!("docs/{link}"),
            };
            assert_eq!(absent(&name), None, "{file}: {link}");
        }
    }
}

/// If a requirement does not apply because something is absent, it is absent.
#[test]
fn what_the_reasons_call_absent_is_absent() {
    let manifest = read(&root().join("Cargo.toml"));
    let crates: BTreeSet<_> = manifest.lines().filter_map(|line| line.split(" = ").next()).collect();
    assert!(crates.contains("axum"), "the dependencies were not found");
    let sources = house();
    for (what, place, words, names) in ABSENT {
        for (file, text) in sources.iter().filter(|(file, _)| file.starts_with(*place)) {
            let code = code(text);
            let met = words.iter().find(|word| code.contains(**word));
            assert_eq!(met, None, "{file}: docs/asvs.md says that there is no such thing: {what}");
        }
        let met = names.iter().find(|name| crates.contains(**name));
        assert_eq!(met, None, "Cargo.toml: docs/asvs.md says that there is no such thing: {what}");
    }
}
