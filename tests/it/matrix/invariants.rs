//! Invariants after every request, whatever the rules say: no user gains rights by editing.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::{is_admin, is_self};
use super::world::{Actor, Codes, World};
use crate::support::Rows;

/// The rights of a user, as the database has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    staff: bool,
    admin: bool,
    active: bool,
    codes: Codes,
}

pub type Standings = BTreeMap<i64, Standing>;

/// A line for every user, and one for each right with its source.
const STANDINGS: &str = "\
    SELECT u.id || ' ' || CAST(u.is_staff AS INTEGER) || ' ' || CAST(u.is_admin AS INTEGER) || ' ' || \
        CAST(u.is_active AS INTEGER) FROM users u \
    UNION ALL SELECT up.user_id || ' ' || p.code FROM user_permissions up \
        JOIN permissions p ON p.id = up.permission_id \
    UNION ALL SELECT m.user_id || ' ' || p.code FROM memberships m \
        JOIN group_permissions gp ON gp.group_id = m.group_id JOIN permissions p ON p.id = gp.permission_id";

/// The rights of all users, their own and those from groups.
pub async fn statuses(rows: &Rows) -> Standings {
    let mut statuses = Standings::new();
    for line in rows.texts(STANDINGS).await {
        let mut numbers = line.split(' ').map(|number| number.parse::<i64>().unwrap());
        let (id, next) = (numbers.next().unwrap(), numbers.next().unwrap());
        let status = statuses.entry(id).or_default();
        match (numbers.next(), numbers.next()) {
            (Some(admin), Some(active)) => {
                (status.staff, status.admin, status.active) = (next == 1, admin == 1, active == 1);
            }
            _ => drop(status.codes.insert(next)),
        }
    }
    statuses
}

/// Whether a change may have changed a user's rights.
pub fn concerns_rights(happened: &BTreeSet<String>) -> bool {
    let table = |change: &str| change.split(' ').next().map(str::to_owned).unwrap_or_default();
    happened.iter().any(|change| match table(change).as_str() {
        "tokens" | "deleted_users" | "deleted_groups" | "deleted_memberships" => false,
        "users" => is_power(change),
        _ => true,
    })
}

/// Returns the invariants that a change by an actor breaks.
pub fn broken(
    world: &World,
    actor: &Actor,
    before: &Standings,
    after: &Standings,
    happened: &BTreeSet<String>,
) -> Vec<String> {
    let mut broken = Vec::new();
    if !after.values().any(|status| status.admin && status.active) {
        broken.push("no active admin is left".to_owned());
    }
    let Some(person) = actor.person.as_ref().filter(|_| !is_admin(actor)) else { return broken };
    for (id, status) in after {
        let was = before.get(id).cloned().unwrap_or_default();
        let gained: Codes = status.codes.difference(&was.codes).copied().collect();
        if (status.admin && !was.admin) || !gained.is_subset(&actor.rights) {
            broken.push(format!("{id} has gained what the actor does not hold: {gained:?}"));
        }
        let raised = (status.staff && !was.staff) || (status.active && !was.active) || !gained.is_empty();
        if *id == person.id && raised {
            broken.push("the actor has gained".to_owned());
        }
    }
    let stronger = |id: &i64| {
        let was = before.get(id).cloned().unwrap_or_default();
        // Their own record, with a token that has scopes, takes none of their rights.
        !is_self(actor, *id) && (was.admin || !was.codes.is_subset(&actor.rights))
    };
    for change in happened {
        let owners = owners(world, change);
        if owners.is_empty() {
            continue;
        }
        let is_admin = |id: &i64| !is_self(actor, *id) && before.get(id).is_some_and(|was| was.admin);
        if owners.iter().all(is_admin) {
            broken.push(format!("an admin was touched: {change}"));
        } else if is_power(change) && owners.iter().all(stronger) {
            broken.push(format!("a user with more rights was changed: {change}"));
        }
    }
    broken
}

/// The owner of a change. The end of a token derived from a sign-in is up to its owner and to the user who signed in.
fn owners(world: &World, change: &str) -> Vec<i64> {
    let words: Vec<_> = change.split(' ').collect();
    let ends = ["revoked_at", "expires_at"].contains(words.last().unwrap());
    let found = match words[..] {
        ["users" | "memberships" | "user_permissions", id, ..] => id.parse().ok(),
        ["tokens", "new", of, ..] => of.strip_prefix("of=").and_then(|id| id.parse().ok()),
        ["tokens", id, ..] => {
            let token = world.tokens.iter().find(|token| id == token.id.to_string()).unwrap();
            return token.came_of.filter(|_| ends).into_iter().chain([token.owner]).collect();
        }
        _ => None,
    };
    found.into_iter().collect()
}

/// Whether a change affects a user's identity, existence or rights-bearing names. A membership belongs to its group;
/// the check above already ensures that a user gets no more than the actor holds.
fn is_power(change: &str) -> bool {
    let harmless = [" first_name=", " last_name=", " gender=", " updated_at"];
    let user = change.starts_with("users ") && !harmless.iter().any(|column| change.contains(column));
    user || change.starts_with("tokens ") || change.starts_with("user_permissions ")
}
