//! What every page has around its content: the frame that `templates/admin/layout.html` draws.
//!
//! A page is a struct with a [`SiteFrame`] and its own fields, and a template that extends the layout. Templates escape every value.

use super::assets::{ASSETS, Assets};
use super::form::Problems;
use super::look::Look;
use super::notes::Note;
use super::places::{PLACES, RailPlace};
use super::visit::{Stranger, Visit};
use super::words::{Face, display_name};
use crate::directory::Identity;

/// The frame of a page.
pub(super) struct SiteFrame {
    /// The title, without the name of the program.
    pub(super) title: String,
    /// The URLs of stylesheet, script and icons.
    pub(super) assets: &'static Assets,
    /// How it looks.
    pub(super) look: Look,
    /// The host that the site was called under.
    pub(super) host: String,
    /// The version of the program.
    pub(super) version: &'static str,
    /// The result of what was done just before.
    pub(super) note: Option<&'static Note>,
    /// The form that takes back what was done just before.
    pub(super) undo: Option<UndoForm>,
    /// The signed-in person.
    pub(super) person: Option<SignedInPerson>,
    /// The rail.
    pub(super) rail: Vec<RailGroup>,
}

/// A form beside a note that takes back what was done.
pub(super) struct UndoForm {
    /// Where it is sent to.
    pub(super) path: String,
    /// Its hidden fields.
    pub(super) fields: Vec<(&'static str, String)>,
}

/// The signed-in person, as the rail shows them.
pub(super) struct SignedInPerson {
    /// Their name.
    pub(super) name: String,
    /// Their letters.
    pub(super) face: Face,
}

/// Entries of the rail with a heading.
pub(super) struct RailGroup {
    /// The heading; may be empty.
    pub(super) kind: &'static str,
    /// The entries.
    pub(super) links: Vec<RailLink>,
}

/// An entry of the rail.
pub(super) struct RailLink {
    /// The page.
    pub(super) place: &'static RailPlace,
    /// The value of `aria-current`: `page` on the page itself, `true` on pages below it, or nothing.
    pub(super) current: &'static str,
}

/// The most characters of a title. With what stands around it, a tab or a list of bookmarks has room for it.
const TITLE_MAX: usize = 50;

/// Cuts off the end of a title that has a long name in it.
fn shortened(title: String) -> String {
    match title.char_indices().nth(TITLE_MAX) {
        Some(_) => title.chars().take(TITLE_MAX - 1).chain(['…']).collect(),
        None => title,
    }
}

impl SiteFrame {
    /// The frame of a page for a person who may enter. `place` is the path of its entry in the rail.
    pub(super) fn new(title: impl Into<String>, place: &str, visit: &Visit) -> Self {
        let is_itself = visit.request.path.split('?').next() == Some(place);
        let mut page = Self::alone(title, &visit.request);
        page.person = Some(person(&visit.identity));
        page.rail = rail(&visit.identity, place, is_itself);
        page
    }

    /// The frame of a page that stands alone, without the rail.
    pub(super) fn alone(title: impl Into<String>, request: &Stranger) -> Self {
        let note = request.said("done").and_then(Note::named);
        Self { note, ..Self::bare(title, request.look, request.site.host()) }
    }

    /// The frame of a page about an error, for which nothing is read.
    pub(super) fn bare(title: impl Into<String>, look: Look, host: &str) -> Self {
        Self {
            title: shortened(title.into()),
            assets: &ASSETS,
            look,
            host: host.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            note: None,
            undo: None,
            person: None,
            rail: Vec::new(),
        }
    }

    /// Says in the title that something is wrong with the form, if something is.
    pub(super) fn marked(mut self, problems: &Problems) -> Self {
        if problems.are_any() {
            self.title = format!("Problem: {}", self.title);
        }
        self
    }

    /// The value of `aria-pressed` of a button that chooses a part of the look.
    pub(super) fn pressed(&self, value: &str) -> bool {
        [self.look.theme, self.look.density, self.look.keys].contains(&value)
    }
}

fn person(identity: &Identity) -> SignedInPerson {
    let name = display_name(&identity.user);
    SignedInPerson { face: Face::of(&name), name }
}

fn rail(identity: &Identity, current: &str, is_itself: bool) -> Vec<RailGroup> {
    let mut groups: Vec<RailGroup> = Vec::new();
    for place in PLACES.iter().filter(|place| (place.is_open)(identity)) {
        let current = match place.path == current {
            true if is_itself => "page",
            true => "true",
            false => "",
        };
        let link = RailLink { place, current };
        match groups.last_mut() {
            Some(group) if group.kind == place.kind => group.links.push(link),
            _ => groups.push(RailGroup { kind: place.kind, links: vec![link] }),
        }
    }
    groups
}
