//! Use cases about views of lists that people saved for themselves. A view is a name for the filters and the order of a list; it
//! gives no right, and only its owner sees it.

use serde_json::json;

use super::Directory;
use super::access::{Action, Actor, Who, authorize};
use super::audit::{self, AuditObject};
use super::error::{Denial, Error};
use super::model::{SavedView, UserId, ViewName, Violation};
use super::store::saved_views;

/// The most views of a user.
pub const VIEWS_MAX: usize = 100;
/// The longest query of a view, in characters.
const QUERY_MAX: usize = 2000;

impl Directory {
    /// Returns the views that the actor saved of a list, or of all lists, ordered by list and name.
    pub async fn saved_views(&self, actor: &Actor, place: Option<&str>) -> Result<Vec<SavedView>, Error> {
        self.store.all(saved_views::of_user(own_id(actor)?, place)).await
    }

    /// Saves a view for the actor, in place of the one that has its name.
    pub async fn save_view(&self, actor: &Actor, view: &SavedView) -> Result<SavedView, Error> {
        authorize(actor, Action::ManageSelf)?;
        let name: Result<ViewName, _> = view.name.parse();
        let name = name.map_err(|violation| Error::invalid("name", &violation))?.into();
        if view.query.chars().count() > QUERY_MAX {
            return Err(Error::invalid("query", &Violation::TooLong(QUERY_MAX)));
        }
        let (owner, view) = (own_id(actor)?, SavedView { name, ..view.clone() });
        self.change(actor, move |change| {
            change.check(Action::ManageSelf)?;
            let known: Vec<SavedView> = change.tx.all(&saved_views::of_user(owner, None))?;
            let is_same = |one: &SavedView| one.place == view.place && one.name == view.name;
            if known.len() >= VIEWS_MAX && !known.iter().any(is_same) {
                let text =
                    format!("You have {VIEWS_MAX} saved views, the most that there can be. Remove one.");
                return Err(Error::invalid("name", &Violation::Other(text)));
            }
            change.tx.put_view(owner, &view)?;
            record(change, "view.save", &view)?;
            Ok(view.clone())
        })
        .await
    }

    /// Removes a view of the actor.
    pub async fn remove_view(&self, actor: &Actor, place: &str, name: &str) -> Result<(), Error> {
        authorize(actor, Action::ManageSelf)?;
        let owner = own_id(actor)?;
        let gone = SavedView { place: place.to_owned(), name: name.to_owned(), query: String::new() };
        self.change(actor, move |change| {
            change.check(Action::ManageSelf)?;
            match change.tx.delete_view(owner, &gone.place, &gone.name)? {
                true => record(change, "view.remove", &gone),
                false => Err(Error::not_found("view", format!("named \"{}\"", gone.name))),
            }
        })
        .await
    }
}

fn own_id(actor: &Actor) -> Result<UserId, Error> {
    match &actor.who {
        Who::Person(identity) => Ok(identity.user.id),
        Who::Operator(_) | Who::Anonymous => Err(Denial::NoRight.into()),
    }
}

fn record(
    change: &super::change::Change<'_, '_>,
    action: &'static str,
    view: &SavedView,
) -> Result<(), Error> {
    let Who::Person(identity) = &change.actor.who else { return Err(Denial::NoRight.into()) };
    let changes = json!({ "list": view.place, "name": view.name, "query": view.query });
    audit::record(change, action, &AuditObject::User(&identity.user), changes)
}
