//! Users and groups in filters, chosen by name.
//!
//! A form sends names in an input of its own. If each is a name that exists, the browser is led to the list with the numbers in
//! the address, as the API takes them. Otherwise the page comes back with what was typed, and with those that may be meant.

use axum::response::Response;

use super::filters::{
    Choice, Chosen, FilterField, FilterKind, FilterNames, FilterPanel, FilterWords, Unresolved,
};
use super::listing::{ListAddress, typed_name};
use super::responses::see_other;
use super::visit::Visit;
use crate::directory::error::Error;
use crate::directory::model::{GroupId, GroupKey, UserId, UserKey, ValidationErrors, Violation};
use crate::directory::query::{GroupQuery, UserQuery};
use crate::http::app::App;
use crate::http::error::ApiError;

/// Those that are offered for a name that no one has.
const OFFERED: &str = "8";
/// The most names in an input, as in the API.
const NAMES_MAX: usize = 100;

/// What became of the names in an address.
enum ResolvedNames {
    /// There are none.
    None,
    /// The list with their numbers.
    Found(Response),
    /// Some are not known.
    Unknown(Vec<Unresolved>),
}

/// What an address asks of a list.
pub(super) enum Asked<Q> {
    /// Nothing here: it leads to the address with numbers in place of names.
    Elsewhere(Response),
    /// This query.
    Query(Q),
    /// Nothing that can be answered.
    Refused(FilterPanel),
}

/// Reads the filters of an address.
pub(super) async fn asked<Q>(
    app: &App,
    visit: &Visit,
    address: &ListAddress,
    (filters, words): (&'static [FilterField], &'static FilterWords),
    parse: impl FnOnce(&[(String, String)]) -> Result<Q, ValidationErrors>,
) -> Result<Asked<Q>, ApiError> {
    let typed = match resolve(app, visit, address, filters).await? {
        ResolvedNames::Found(list) => return Ok(Asked::Elsewhere(list)),
        ResolvedNames::None => None,
        ResolvedNames::Unknown(unresolved) => Some(unresolved),
    };
    let faults = match parse(&address.api()) {
        Ok(query) if typed.is_none() => return Ok(Asked::Query(query)),
        Ok(_) => None,
        Err(faults) => Some(faults),
    };
    let names = names(app, visit, address, filters, std::iter::empty()).await?;
    let mut panel = FilterPanel::new(address, filters, words, &names);
    if let Some(faults) = faults {
        panel = panel.refused(&faults);
    }
    Ok(Asked::Refused(panel.unresolved(typed.unwrap_or_default())))
}

/// Looks up the names in a query.
async fn resolve(
    app: &App,
    visit: &Visit,
    address: &ListAddress,
    filters: &'static [FilterField],
) -> Result<ResolvedNames, ApiError> {
    let (mut pairs, mut unknown, mut has_names) = (address.parameters().to_vec(), Vec::new(), false);
    for filter in filters {
        let FilterKind::Chosen(what, _) = filter.kind else { continue };
        let Some(typed) = visit.request.parameter(&typed_name(filter.name)) else { continue };
        let names: Vec<_> = typed.lines().map(str::trim).filter(|name| !name.is_empty()).collect();
        has_names |= !names.is_empty();
        let (mut ids, mut missing) = (Vec::new(), None);
        for name in names.iter().take(NAMES_MAX) {
            match id_of(app, visit, what, name).await? {
                Some(id) => ids.push(id.to_string()),
                None => missing = missing.or(Some(*name)),
            }
        }
        pairs.retain(|(name, _)| name != filter.name);
        match missing {
            None if ids.is_empty() => {}
            None => pairs.push((filter.name.to_owned(), ids.join(","))),
            Some(name) => unknown.push((filter, what, ids, name.to_owned(), typed.to_owned())),
        }
    }
    let list = ListAddress::new(address.path(), &pairs, "");
    if unknown.is_empty() {
        return Ok(if has_names {
            ResolvedNames::Found(see_other(&list.whole()))
        } else {
            ResolvedNames::None
        });
    }
    let mut shown = Vec::new();
    for (filter, what, ids, name, typed) in unknown {
        let choices = similar(app, visit, what, &name).await?.into_iter().map(|(id, name)| {
            let ids: Vec<_> = ids.iter().cloned().chain([id.to_string()]).collect();
            Choice { name, path: list.with(filter.name, &ids.join(",")) }
        });
        let choices: Vec<_> = choices.collect();
        let noun = if what == Chosen::User { "user" } else { "group" };
        let violation = match choices.is_empty() {
            true => format!("There is no {noun} with the name “{name}”."),
            false => format!("There is no {noun} with exactly the name “{name}”. Choose one:"),
        };
        shown.push(Unresolved {
            filter: filter.name,
            typed,
            violation: Violation::Other(violation),
            choices,
        });
    }
    Ok(ResolvedNames::Unknown(shown))
}

/// The number of a user or a group: by its name, or else by the number itself.
async fn id_of(app: &App, visit: &Visit, what: Chosen, name: &str) -> Result<Option<i64>, ApiError> {
    let (directory, actor) = (app.directory(), &visit.actor);
    let found = match what {
        Chosen::User => {
            directory.user(actor, &UserKey::Name(name.to_owned())).await.map(|user| user.id.get())
        }
        Chosen::Group | Chosen::Groups => {
            let key = GroupKey::Name(name.to_owned());
            directory.group_details(actor, &key).await.map(|details| details.group.id.get())
        }
    };
    let number = match what {
        Chosen::User => name.parse().ok().map(UserId::get),
        Chosen::Group | Chosen::Groups => name.parse().ok().map(GroupId::get),
    };
    match found {
        Ok(id) => Ok(Some(id)),
        // Who may not read names can still name a number.
        Err(Error::NotFound { .. } | Error::Denied(_)) => Ok(number),
        Err(error) => Err(error.into()),
    }
}

/// Users or groups that a search for a name finds.
async fn similar(app: &App, visit: &Visit, what: Chosen, name: &str) -> Result<Vec<(i64, String)>, ApiError> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let pairs = [pair("search", name), pair("cursor", ""), pair("limit", OFFERED)];
    let found = match what {
        Chosen::User => {
            let Ok(query) = UserQuery::parse(&pairs) else { return Ok(Vec::new()) };
            let found = app.directory().list_users(&visit.actor, &query).await;
            found.map(|page| page.rows.iter().map(|user| (user.id.get(), user.username.clone())).collect())
        }
        Chosen::Group | Chosen::Groups => {
            let Ok(query) = GroupQuery::parse(&pairs) else { return Ok(Vec::new()) };
            let found = app.directory().list_groups(&visit.actor, &query).await;
            found.map(|page| page.rows.iter().map(|group| (group.id.get(), group.name.clone())).collect())
        }
    };
    match found {
        Ok(found) => Ok(found),
        Err(Error::Denied(_)) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// The names of the users and groups that an address is about, and of more groups.
pub(super) async fn names(
    app: &App,
    visit: &Visit,
    address: &ListAddress,
    filters: &'static [FilterField],
    more: impl Iterator<Item = GroupId>,
) -> Result<FilterNames, ApiError> {
    let mut names = FilterNames::default();
    let mut groups: Vec<GroupId> = more.collect();
    for filter in filters {
        let FilterKind::Chosen(what, _) = filter.kind else { continue };
        let ids = address.get(filter.name).split(',').map(str::trim);
        match what {
            Chosen::Group | Chosen::Groups => groups.extend(ids.filter_map(|id| id.parse::<GroupId>().ok())),
            Chosen::User => {
                let users: Vec<UserId> = ids.filter_map(|id| id.parse().ok()).take(1).collect();
                match app.directory().users_of_ids(&visit.actor, &users).await {
                    Ok(found) => {
                        names.users.extend(found.into_iter().map(|user| (user.id.get(), user.username)));
                    }
                    Err(Error::Denied(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    groups.sort_unstable();
    groups.dedup();
    let named = app.directory().group_names(&visit.actor, &groups).await?;
    names.groups.extend(named.into_iter().map(|(id, name)| (id.get(), name)));
    Ok(names)
}
