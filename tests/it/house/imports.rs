//! Which source file imports which, read from the sources.
//!
//! A file imports another when it names an item that is defined there. A re-export is followed to the definition, so
//! `pub use` in a `mod.rs` ties nothing. Code under `#[cfg(test)]` does not count. Calls of methods are not seen: they
//! name no item.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemMod, ItemUse, UseTree, Visibility};

type Path = Vec<String>;

/// A module: a file, or a part of one in braces.
#[derive(Default)]
struct Module {
    file: String,
    children: BTreeSet<String>,
    items: BTreeSet<String>,
    /// Imported names and what they stand for.
    imports: Vec<(String, Path)>,
    /// Modules of which everything is imported.
    globs: Vec<Path>,
    /// Every path that the code names, with those of private imports.
    uses: Vec<Path>,
}

/// What a path leads to.
enum Target {
    Module(Path),
    Item { file: String },
}

/// The modules of a crate by their paths.
pub struct Crate {
    modules: BTreeMap<Path, Module>,
}

impl Crate {
    /// Reads the modules of a library from its files: (path below `src/`, text).
    pub fn read(files: &[(String, String)]) -> Self {
        let mut modules = BTreeMap::new();
        let texts: BTreeMap<&str, &str> =
            files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
        read_file(&texts, "lib.rs", vec![], "", &mut modules);
        Self { modules }
    }

    /// Returns the files that were reached from the root.
    pub fn files(&self) -> BTreeSet<&str> {
        self.modules.values().map(|module| module.file.as_str()).collect()
    }

    /// Returns every import of one file by another: (who imports, from where).
    pub fn imports(&self) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        for (path, module) in &self.modules {
            for used in &module.uses {
                if let Some(Target::Item { file }) = self.resolve(path, used, 0)
                    && file != module.file
                {
                    found.insert((module.file.clone(), file));
                }
            }
        }
        found
    }

    /// Follows a path from a module to a definition.
    fn resolve(&self, from: &Path, path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        if depth > 20 {
            return None;
        }
        let module = self.modules.get(from)?;
        match first.as_str() {
            "crate" => self.walk(vec![], rest, depth),
            "self" => self.walk(from.clone(), rest, depth),
            "super" => self.walk(from.split_last()?.1.to_vec(), rest, depth),
            name if module.children.contains(name) => {
                self.walk([from.as_slice(), &[name.to_owned()]].concat(), rest, depth)
            }
            _ => self.look_up(from, path, depth),
        }
    }

    /// Goes down from a module, name by name.
    fn walk(&self, at: Path, rest: &[String], depth: usize) -> Option<Target> {
        let Some((name, further)) = rest.split_first() else { return Some(Target::Module(at)) };
        let module = self.modules.get(&at)?;
        if name == "super" {
            return self.walk(at.split_last()?.1.to_vec(), further, depth);
        }
        if module.children.contains(name) {
            return self.walk([at.as_slice(), std::slice::from_ref(name)].concat(), further, depth);
        }
        self.look_up(&at, rest, depth)
    }

    /// Looks for a name among the items and imports of a module.
    fn look_up(&self, at: &Path, path: &[String], depth: usize) -> Option<Target> {
        let (name, rest) = path.split_first()?;
        let module = self.modules.get(at)?;
        if module.items.contains(name) {
            return Some(Target::Item { file: module.file.clone() });
        }
        if let Some((_, to)) = module.imports.iter().find(|(imported, _)| imported == name) {
            // An import such as `use name::{...}` may name what it stands for by itself.
            let is_itself = to.first() == Some(name) && !module.children.contains(name);
            return match self.resolve(at, to, if is_itself { 21 } else { depth + 1 })? {
                Target::Module(module) => self.walk(module, rest, depth + 1),
                item => Some(item),
            };
        }
        module.globs.iter().find_map(|glob| match self.resolve(at, glob, depth + 1)? {
            Target::Module(module) => self.walk(module, path, depth + 1),
            Target::Item { .. } => None,
        })
    }
}

/// Returns the circles among imports: groups of files that all reach each other.
pub fn circles(imports: &BTreeSet<(String, String)>) -> Vec<Vec<String>> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in imports {
        next.entry(from).or_default().push(to);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        next.keys().map(|file| (*file, reach(&next, file))).collect();
    let mut circles = BTreeSet::new();
    for (file, there) in &reached {
        let circle: Vec<String> = there
            .iter()
            .filter(|other| reached.get(**other).is_some_and(|back| back.contains(file)))
            .map(|other| (*other).to_owned())
            .collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// Returns all that a file imports, directly or by way of others.
fn reach<'a>(next: &BTreeMap<&'a str, Vec<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = next.get(from).cloned().unwrap_or_default();
    while let Some(file) = open.pop() {
        if found.insert(file) {
            open.extend(next.get(file).into_iter().flatten());
        }
    }
    found
}

fn read_file(
    texts: &BTreeMap<&str, &str>,
    file: &str,
    path: Path,
    folder: &str,
    modules: &mut BTreeMap<Path, Module>,
) {
    let text = texts.get(file).unwrap_or_else(|| panic!("{file} is named by a `mod` line and is not there"));
    let parsed: File = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
    read_items(texts, &parsed.items, file, path, folder, modules);
}

/// Reads the items of a module whose child modules are in `folder`.
fn read_items(
    texts: &BTreeMap<&str, &str>,
    items: &[Item],
    file: &str,
    path: Path,
    folder: &str,
    modules: &mut BTreeMap<Path, Module>,
) {
    let mut module = Module { file: file.to_owned(), ..Module::default() };
    for item in items.iter().filter(|item| !is_test(attributes(item))) {
        match item {
            Item::Mod(child) => {
                let name = child.ident.to_string();
                module.children.insert(name.clone());
                let (path, below) =
                    ([path.as_slice(), std::slice::from_ref(&name)].concat(), format!("{folder}{name}/"));
                match &child.content {
                    Some((_, items)) => read_items(texts, items, file, path, &below, modules),
                    None => {
                        let alone = format!("{folder}{name}.rs");
                        let there =
                            if texts.contains_key(alone.as_str()) { alone } else { format!("{below}mod.rs") };
                        read_file(texts, &there, path, &below, modules);
                    }
                }
            }
            Item::Use(item) => import(&mut module, item),
            other => {
                module.items.extend(name(other));
                Reader { module: &mut module }.visit_item(other);
            }
        }
    }
    modules.insert(path, module);
}

fn import(module: &mut Module, item: &ItemUse) {
    let mut paths = Vec::new();
    flatten(&item.tree, &mut vec![], &mut paths);
    for (name, path) in paths {
        match name {
            None => module.globs.push(path),
            Some(name) => {
                if matches!(item.vis, Visibility::Inherited) {
                    module.uses.push(path.clone());
                }
                module.imports.push((name, path));
            }
        }
    }
}

/// Lists the paths of a `use` with the names they get; a glob has none.
fn flatten(tree: &UseTree, before: &mut Path, found: &mut Vec<(Option<String>, Path)>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, found);
            before.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            found.push((before.last().cloned(), before.clone()));
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            found.push((Some(name.clone()), [before.as_slice(), &[name]].concat()));
        }
        UseTree::Rename(rename) => {
            let path = match rename.ident == "self" {
                true => before.clone(),
                false => [before.as_slice(), &[rename.ident.to_string()]].concat(),
            };
            found.push((Some(rename.rename.to_string()), path));
        }
        UseTree::Glob(_) => found.push((None, before.clone())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, found)),
    }
}

/// The name that an item defines.
pub fn name(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether code is compiled for tests alone.
pub fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

/// Collects the paths that code names.
struct Reader<'a> {
    module: &'a mut Module,
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.module.uses.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        read_tokens(item.tokens.clone(), &mut self.module.uses);
        visit::visit_macro(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        import(self.module, item);
    }

    fn visit_item_mod(&mut self, _: &'ast ItemMod) {}

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }
}

/// Collects what looks like a path in the tokens of a macro.
fn read_tokens(tokens: TokenStream, found: &mut Vec<Path>) {
    let (mut path, mut colons) = (Path::new(), 0);
    for token in tokens {
        match token {
            TokenTree::Ident(name) => {
                if colons != 2 {
                    found.extend((path.len() > 1).then(|| path.clone()));
                    path.clear();
                }
                path.push(name.to_string());
                colons = 0;
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
            TokenTree::Group(group) => {
                found.extend((path.len() > 1).then(|| std::mem::take(&mut path)));
                colons = 0;
                read_tokens(group.stream(), found);
            }
            _ => {
                found.extend((path.len() > 1).then(|| std::mem::take(&mut path)));
                path.clear();
                colons = 0;
            }
        }
    }
    found.extend((path.len() > 1).then_some(path));
}

/// Lists the names in code (`true`) and the words in its texts (`false`). Comments are not among them, but public
/// documentation is, as text.
pub fn words(tokens: TokenStream, found: &mut Vec<(String, bool)>) {
    for token in tokens {
        match token {
            TokenTree::Ident(name) => found.push((name.to_string(), true)),
            TokenTree::Group(group) => words(group.stream(), found),
            TokenTree::Literal(text) => {
                let text = text.to_string();
                let parts = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
                found.extend(parts.map(|word| (word.to_owned(), false)));
            }
            TokenTree::Punct(_) => {}
        }
    }
}
