//! Links of the documents: each leads to a file that exists, and to a heading that it has. The index names every document.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All documents: those of the root, of `docs` and of `bench`, with the folders below.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("docs"), root().join("bench")];
    found.extend(pages(root()));
    while let Some(folder) = folders.pop() {
        found.extend(pages(&folder));
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        folders.extend(entries.filter(|path| path.is_dir()));
    }
    assert!(found.len() >= 12, "the documents were not found: {found:?}");
    found
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The text without fenced blocks and code.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            kept += &line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            kept.push('\n');
        }
    }
    kept
}

/// The anchors of a document's headings, as the hosts of repositories make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let heading = line.trim_start_matches('#');
        if fenced || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = heading.trim().to_lowercase().replace(' ', "-");
        let anchor: String = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
        let again = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(again).find(|anchor| !found.contains(anchor));
        found.extend(free);
    }
    found
}

/// What is wrong with the links of a document.
fn dead(document: &Path, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for link in prose(text).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
        let target =
            if file.is_empty() { document.to_owned() } else { document.parent().unwrap().join(file) };
        let about = format!("{}: {link}", document.strip_prefix(root()).unwrap_or(document).display());
        if !file.is_empty() && !target.exists() {
            wrong.push(format!("{about}: there is no such file"));
        } else if let Some(anchor) = anchor {
            let there = if file.is_empty() {
                text.to_owned()
            } else {
                fs::read_to_string(&target).unwrap_or_default()
            };
            if !anchors(&there).contains(anchor) {
                wrong.push(format!("{about}: there is no such heading"));
            }
        }
    }
    wrong
}

#[test]
fn no_link_is_dead() {
    let texts = documents().into_iter().map(|document| (fs::read_to_string(&document).unwrap(), document));
    let wrong: Vec<String> = texts.flat_map(|(text, document)| dead(&document, &text)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_planted_dead_link_is_found() {
    let text = "# At 3 a.m.\n## Twice\n## Twice\n[a](#at-3-am) [b](#twice-1) [c](README.md)\n```\n[d](#none)\n```\n`[e](#none)`\n";
    assert_eq!(dead(&root().join("planted.md"), text), Vec::<String>::new());
    let wrong = dead(&root().join("planted.md"), "[a](#none) [b](none.md) [c](README.md#none)");
    assert_eq!(wrong.len(), 3, "{wrong:?}");
}

/// docs/README.md lists every document of its folder, and the README links to it.
#[test]
fn the_index_names_every_document() {
    let index = fs::read_to_string(root().join("docs/README.md")).unwrap();
    for page in pages(&root().join("docs")) {
        let name = page.file_name().unwrap().to_str().unwrap();
        assert!(
            name == "README.md" || index.contains(&format!("| [{name}]({name}) |")),
            "docs/README.md lacks {name}"
        );
    }
    assert!(fs::read_to_string(root().join("README.md")).unwrap().contains("(docs/README.md)"));
}
