//! The rules of structure that a compiler does not check: which room may import which, and how large things are.

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::Item;

use self::imports::{Crate, circles};

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

/// The part of a file that is not its module of tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap()
}

/// Imports that run against the order of rooms, each with the reason. The list may only shrink.
const EXCEPTIONS: [(&str, &str); 0] = [];

/// An ordered list of rooms in ARCHITECTURE.md: a code block that begins with "```rooms FOLDER", a room a line.
fn rooms(document: &str, folder: &str) -> Vec<String> {
    let (_, block) = document.split_once(&format!("```rooms {folder}\n")).expect("the list of rooms");
    let (block, _) = block.split_once("```").expect("the end of the list");
    block.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The room of a file directly below a folder: a file without its ending, or a folder.
fn room<'a>(folder: &str, file: &'a str) -> Option<&'a str> {
    let below = file.strip_prefix(folder)?;
    Some(below.split('/').next().unwrap_or(below).trim_end_matches(".rs"))
}

/// Lists the imports between rooms of a folder that run against their order, and rooms that are missing in the list.
fn against(order: &[String], folder: &str, imports: &BTreeSet<(String, String)>) -> Vec<String> {
    let place = |room: &str| order.iter().position(|listed| listed == room);
    let mut wrong = Vec::new();
    for (from, to) in imports {
        let (Some(one), Some(other)) = (room(folder, from), room(folder, to)) else { continue };
        match (place(one), place(other)) {
            (Some(above), Some(below)) if above <= below => {}
            (Some(_), Some(_)) => wrong.push(format!("{from} imports {to}: {other} is above {one}")),
            _ => wrong.push(format!("{one} or {other} is not in the list of rooms of {folder}")),
        }
    }
    wrong.retain(|wrong| !EXCEPTIONS.iter().any(|(import, _)| wrong.starts_with(import)));
    wrong
}

fn imports() -> BTreeSet<(String, String)> {
    let files = house();
    let read = Crate::read(&files);
    let known = read.files();
    // main.rs belongs to another crate; code for tests alone is not read.
    let left: Vec<&str> =
        files.iter().map(|(file, _)| file.as_str()).filter(|file| !known.contains(*file)).collect();
    let tests = ["main.rs", "testing.rs", "tests.rs", "django/vectors.rs", "leaked/build.rs"];
    assert!(left.iter().all(|file| tests.iter().any(|name| file.ends_with(name))), "not read: {left:?}");
    read.imports()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let found = circles(&imports());
    assert!(found.is_empty(), "{found:#?}");
}

/// An import goes down: to a room that stands later in the list of ARCHITECTURE.md.
#[test]
fn imports_go_down_the_list_of_rooms() {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let imports = imports();
    let mut wrong = Vec::new();
    for folder in ["", "directory/", "http/"] {
        let order = rooms(&document, &format!("src/{folder}"));
        wrong.extend(against(&order, folder, &imports));
        for room in order {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder).join(&room);
            assert!(path.is_dir() || path.with_extension("rs").is_file(), "there is no room {folder}{room}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A planted circle and a planted import upward are found, by whatever form of `use` they come.
#[test]
fn a_planted_import_is_found() {
    let files = |lower: &str| {
        vec![
            ("lib.rs".to_owned(), "mod high;\nmod low;\npub use low::Thing;".to_owned()),
            (
                "high/mod.rs".to_owned(),
                "mod part;\npub use part::Part;\npub fn work(_: crate::Thing) {}".to_owned(),
            ),
            ("high/part.rs".to_owned(), "pub struct Part;\npub const NUMBER: u8 = 1;".to_owned()),
            ("low.rs".to_owned(), format!("pub struct Thing;\n{lower}")),
        ]
    };
    let order = ["high".to_owned(), "low".to_owned()];
    let wrong = |lower: &str| against(&order, "", &Crate::read(&files(lower)).imports());
    assert_eq!(wrong(""), [""; 0]);
    assert_eq!(wrong("#[cfg(test)]\nmod tests { use crate::high::Part; }"), [""; 0]);
    for planted in [
        "use crate::high::Part;",
        "use crate::high::{self}; fn f(_: high::Part) {}",
        "use super::high as above; fn f() { above::work(Thing) }",
        "use crate::high::*; fn f(_: Part) {}",
        "fn f() -> u8 { crate::high::part::NUMBER }",
        "fn f() { println!(\"{}\", crate::high::part::NUMBER) }",
        "mod inner { use super::super::high::Part; }",
    ] {
        assert_eq!(wrong(planted).len(), 1, "{planted}");
    }
    let planted = Crate::read(&files("use crate::high::work;")).imports();
    assert_eq!(circles(&planted), [["high/mod.rs", "low.rs"]]);
}

/// The engines at the ground know nothing that the program is about: no name in their code, and no table in their SQL.
#[test]
fn engines_name_no_noun() {
    const NOUNS: [&str; 8] =
        ["user", "username", "token", "group", "permission", "membership", "identity", "audit"];
    // PostgreSQL's words and the operating system's.
    const OTHERS: [&str; 6] =
        ["CancelToken", "cancel_token", "permissions", "set_permissions", "PermissionsExt", "Permissions"];
    const TABLES: [&str; 6] =
        ["users", "tokens", "groups", "memberships", "audit_events", "identity_changes"];
    let mut engines = 0;
    for (file, text) in house() {
        if !(file.starts_with("database/") || file.starts_with("server/")) || file.ends_with("tests.rs") {
            continue;
        }
        engines += 1;
        let mut words = Vec::new();
        imports::words(code(without_tests(&text)).parse().unwrap(), &mut words);
        for (word, is_name) in words.iter().filter(|(word, _)| !OTHERS.contains(&word.as_str())) {
            let noun = match is_name {
                true => split_name(word).iter().any(|part| NOUNS.contains(&part.trim_end_matches('s'))),
                false => TABLES.contains(&word.as_str()),
            };
            assert!(!noun, "{file} knows {word}");
        }
    }
    assert!(engines > 20, "only {engines} files of the engines were found");
}

/// A right is stated once: permission codes stand in one file.
#[test]
fn permission_codes_stand_in_one_file() {
    let is_code = |word: &str| word.len() == 4 && word.parse().is_ok_and(|code| (1200..1260).contains(&code));
    let mut places = BTreeSet::new();
    for (file, text) in house().into_iter().filter(|(file, _)| !file.ends_with("tests.rs")) {
        let mut words = Vec::new();
        imports::words(code(without_tests(&text)).parse().unwrap(), &mut words);
        if words.iter().any(|(word, _)| is_code(word)) {
            places.insert(file);
        }
    }
    assert_eq!(places, BTreeSet::from(["directory/access/codes.rs".to_owned()]));
}

/// The words of a name in snake case or camel case, in lower case.
fn split_name(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter == '_' || letter.is_uppercase() {
            words.push(String::new());
        }
        if letter != '_' {
            words.last_mut().unwrap().extend(letter.to_lowercase());
        }
    }
    words
}

/// One name, one thing.
#[test]
fn no_type_name_is_defined_twice() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in house().into_iter().filter(|(file, _)| !file.ends_with("tests.rs")) {
        let parsed = syn::parse_file(&text).unwrap();
        for item in parsed.items {
            if let Item::Struct(_) | Item::Enum(_) | Item::Trait(_) | Item::Type(_) | Item::Union(_) = &item {
                places.entry(imports::name(&item).unwrap()).or_default().push(file.clone());
            }
        }
    }
    assert!(places.len() > 300, "only {} types were found", places.len());
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

/// The lengths of all functions, in lines from `fn` to the closing brace, with their places.
fn functions() -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (file, text) in house().into_iter().filter(|(file, _)| !file.ends_with("tests.rs")) {
        let lines: Vec<&str> = without_tests(&text).lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let words: Vec<&str> = line.trim_start().split(' ').collect();
            let is_function = words.iter().position(|word| *word == "fn").is_some_and(|at| {
                words[..at].iter().all(|word| {
                    word.starts_with("pub")
                        || ["async", "const", "unsafe", "in", "extern", "\"C\""].contains(word)
                        || word.starts_with("crate::")
                })
            });
            if !is_function || line.trim_end().ends_with(';') {
                continue;
            }
            let end = format!("{}}}", " ".repeat(indent));
            let length = match line.trim_end().ends_with('}') {
                true => 1,
                false => lines[number..].iter().position(|line| *line == end).map_or(0, |length| length + 1),
            };
            if length > 0 {
                found.push((length, format!("{file}:{} {}", number + 1, line.trim())));
            }
        }
    }
    found.sort();
    found
}

/// Functions stay short: half of them in 7 lines, nine in ten in 20, none above 80.
#[test]
fn functions_stay_short() {
    let functions = functions();
    assert!(functions.len() > 1500, "only {} functions were found", functions.len());
    let at = |part: usize| functions[functions.len() * part / 100].0;
    let longest = functions.last().unwrap();
    assert!(at(50) <= 7 && at(90) <= 20, "median {}, 90th percentile {}", at(50), at(90));
    assert!(longest.0 <= 80, "{longest:?}");
}

/// Each library is known to the rooms that it is for.
#[test]
fn libraries_stay_in_their_rooms() {
    let forbidden: [(&str, &[&str]); 6] = [
        ("database/", &["axum", "hyper"]),
        ("directory/", &["axum", "hyper"]),
        ("http/", &["rusqlite", "tokio_postgres"]),
        ("server/", &["axum", "rusqlite", "tokio_postgres"]),
        ("switchover/", &["axum", "rusqlite", "tokio_postgres"]),
        ("cli/", &["rusqlite", "tokio_postgres"]),
    ];
    for (file, text) in house() {
        for (room, names) in forbidden.iter().filter(|(room, _)| file.starts_with(room)) {
            for name in *names {
                assert!(!code(&text).contains(name), "{file}, of {room}, knows {name}");
            }
        }
    }
}

/// The database and the statements stay behind the use cases: some imports go down the list and are still wrong.
#[test]
fn the_database_is_reached_through_the_directory() {
    let allowed = |file: &str| {
        ["directory/", "database/", "switchover/"].iter().any(|room| file.starts_with(room))
            || file == "lib.rs"
    };
    for (file, text) in house().into_iter().filter(|(file, _)| !allowed(file)) {
        for name in ["crate::database", "directory::store"] {
            assert!(!code(&text).contains(name), "{file} knows {name}");
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
        "directory/activity.rs",
        "directory/authentication/attempts.rs",
        "directory/authentication/otp/ask.rs",
        "directory/change.rs",
        "directory/identity/uses.rs",
        "directory/leaked_keys.rs",
        "directory/limiter/requests.rs",
        "directory/media_files.rs",
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
            || text.contains("store.write_after(")
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
