//! Plain English: the worst of the words that CONTRIBUTING.md's glossary lists are in no source file, no page and no
//! help text.

use std::fs;
use std::path::Path;

use crate::house::house;

/// Words and phrases that are not used, in lower case.
const BANNED: [&str; 40] = [
    "told",
    "tell",
    "tells",
    "telling",
    "whom",
    "whoever",
    "somebody",
    "somebody's",
    "nobody",
    "nobody's",
    "everybody",
    "held against",
    "hold against",
    "holds against",
    "deed",
    "deeds",
    "the house",
    "at the most",
    "at the least",
    "for good",
    "bring in",
    "brings in",
    "bringing in",
    "brought in",
    "open nothing",
    "opens nothing",
    "opened nothing",
    "the like",
    "dealt",
    "shall",
    "mend",
    "mends",
    "mended",
    "mending",
    "what came of",
    "throw-away",
    "journey",
    "takes heed",
    "whole directory",
    "entire directory",
];

/// Texts that may have them: the first sentence of the README, and an answer on the wire.
const ALLOWED: [&str; 2] = ["tells your services", "this token is revoked for good."];

/// The banned words and phrases in a text, with the numbers of their lines.
fn banned(text: &str) -> Vec<(usize, &'static str)> {
    let mut text = text.to_lowercase();
    for allowed in ALLOWED {
        text = text.replace(allowed, &"\n".repeat(allowed.matches('\n').count()));
    }
    // A phrase may go on in the next line, behind its comment signs.
    let mut words: Vec<(usize, String)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start().trim_start_matches(['/', '!', '#', '>', '*', ' ']);
        let parts = line.split(|letter: char| !letter.is_alphanumeric() && !"_'-".contains(letter));
        words.extend(parts.filter(|word| !word.is_empty()).map(|word| (number + 1, word.to_owned())));
    }
    let mut found = Vec::new();
    for (at, (number, _)) in words.iter().enumerate() {
        for phrase in BANNED {
            let mut parts = phrase.split(' ').enumerate();
            if parts.all(|(offset, part)| words.get(at + offset).is_some_and(|(_, word)| word == part)) {
                found.push((*number, phrase));
            }
        }
    }
    found
}

/// The files to look at, without the code for tests.
fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = house().into_iter().filter(|(file, _)| {
        !["tests.rs", "testing.rs", "django/vectors.rs", "leaked/build.rs"]
            .iter()
            .any(|name| file.ends_with(name))
    });
    let code = |text: &str| text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned();
    let mut files: Vec<_> = sources.map(|(file, text)| (format!("src/{file}"), code(&text))).collect();
    let pages = ["docs", "docs/monitoring"].map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let pages = pages.into_iter().flatten().map(|entry| entry.unwrap().path()).filter(|page| page.is_file());
    for page in pages.chain([root.join("README.md"), root.join("ARCHITECTURE.md"), root.join("openapi.json")])
    {
        files.push((
            page.strip_prefix(root).unwrap().display().to_string(),
            fs::read_to_string(&page).unwrap(),
        ));
    }
    files
}

#[test]
fn banned_words_are_not_used() {
    let mut found = Vec::new();
    for (file, text) in files() {
        found.extend(banned(&text).into_iter().map(|(line, word)| format!("{file}:{line}: {word}")));
    }
    assert!(found.is_empty(), "CONTRIBUTING.md names better words for {} places: {found:#?}", found.len());
}

#[test]
fn a_planted_word_is_found() {
    assert_eq!(banned("// The house is told."), [(1, "the house"), (1, "told")]);
    assert_eq!(banned("/// It is held\n/// against it."), [(1, "held against")]);
    assert_eq!(banned("It tells your services. An indeed untold teller."), []);
    assert_eq!(banned("fn what_is_told() {}"), []);
}

/// The README says first what the program is and what it is not.
#[test]
fn the_readme_begins_with_what_it_is() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let words: Vec<&str> = text.lines().skip(1).flat_map(str::split_whitespace).collect();
    let first = "Wardroom stores users, groups, permissions and API tokens, and tells your services which user a token \
         belongs to. It is not an OAuth, OIDC or LDAP server.";
    assert!(words.join(" ").starts_with(first), "{}", words.join(" "));
}
