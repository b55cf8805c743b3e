//! `wardroom user list` and `wardroom user deleted`.

use clap::Args;
use serde_json::json;

use super::view::{deleted_table, json as user_json, table};
use crate::cli::accounts::Accounts;
use crate::cli::lists::{FilterForm, ListFilter, ListFlags, ListNoun};
use crate::cli::names::Names;
use crate::cli::report::{CliError, Report};
use crate::directory::model::{GroupKey, UserId};

/// The list of users.
#[derive(Clone, Debug)]
pub(in crate::cli) struct UserList;

/// The list of deleted users.
#[derive(Clone, Debug)]
pub(in crate::cli) struct DeletedList;

impl ListNoun for UserList {
    const FILTERS: &'static [ListFilter] = &[
        ListFilter::switch(
            "is_active",
            ["active", "no-active"],
            ["Only active users", "Only inactive users, who cannot authenticate"],
        )
        .or_no("inactive"),
        ListFilter::switch("is_staff", ["staff", "no-staff"], ["Only staff", "Only users who are not staff"]),
        ListFilter::switch(
            "is_admin",
            ["admin", "no-admin"],
            ["Only admins", "Only users who are not admins"],
        ),
        ListFilter::switch(
            "is_online",
            ["online", "no-online"],
            [
                "Only users with a token that was used in the last five minutes",
                "Only users without such a token",
            ],
        ),
        ListFilter::switch(
            "has_token",
            ["has-token", "no-token"],
            ["Only users with a valid token", "Only users without a valid token"],
        ),
        ListFilter::switch(
            "has_groups",
            ["has-groups", "no-groups"],
            ["Only members of a group", "Only users in no group"],
        ),
        ListFilter::switch(
            "has_email",
            ["has-email", "no-email"],
            ["Only users with an email address", "Only users without one"],
        ),
        ListFilter::switch(
            "has_phone",
            ["has-phone", "no-phone"],
            ["Only users with a mobile number", "Only users without one"],
        ),
        ListFilter::switch(
            "has_avatar",
            ["has-avatar", "no-avatar"],
            ["Only users with an image", "Only users without one"],
        ),
        ListFilter::switch(
            "has_first_name",
            ["has-first-name", "no-first-name"],
            ["Only users with a first name", "Only users without one"],
        ),
        ListFilter::switch(
            "has_last_name",
            ["has-last-name", "no-last-name"],
            ["Only users with a last name", "Only users without one"],
        ),
        ListFilter::text("username", ["username", "NAME"], "Only the user with exactly this username"),
        ListFilter::text(
            "email",
            ["email", "ADDRESS"],
            "Only the user with this email address, ignoring case",
        ),
        ListFilter::text(
            "mobile_number",
            ["mobile-number", "NUMBER"],
            "Only the user with exactly this mobile number",
        ),
        ListFilter {
            name: "gender",
            flag: "gender",
            form: FilterForm::Choice(&["male", "female", "non-binary", "other"]),
            help: "Only users with this gender",
        },
        ListFilter::day("created_date", "created-date", "Only users created on this day (UTC)"),
        ListFilter::day("created_from", "created-from", "Only users created on this day or later"),
        ListFilter::day("created_to", "created-to", "Only users created on this day or earlier"),
        ListFilter::day("updated_date", "updated-date", "Only users last changed on this day"),
        ListFilter::day("updated_from", "updated-from", "Only users last changed on this day or later"),
        ListFilter::day("updated_to", "updated-to", "Only users last changed on this day or earlier"),
        ListFilter::day("last_login_date", "last-login-date", "Only users who last signed in on this day"),
        ListFilter::day(
            "last_login_from",
            "last-login-from",
            "Only users who last signed in on this day or later",
        ),
        ListFilter::day(
            "last_login_to",
            "last-login-to",
            "Only users who last signed in on this day or earlier",
        ),
        ListFilter::number("id_min", "id-min", "The least id"),
        ListFilter::number("id_max", "id-max", "The greatest id"),
    ];
    const COLUMNS: &'static [&'static str] =
        &["id", "username", "email", "gender", "last_login", "created_at", "updated_at"];
    const SEARCH: Option<&'static str> = Some(
        "Only users that match all these terms, separated by blanks: in id, username, mobile number, email, first or last name",
    );
}

impl ListNoun for DeletedList {
    const FILTERS: &'static [ListFilter] = &[
        ListFilter::day("deleted_date", "deleted-date", "Only users deleted on this day (UTC)"),
        ListFilter::day("deleted_from", "deleted-from", "Only users deleted on this day or later"),
        ListFilter::day("deleted_to", "deleted-to", "Only users deleted on this day or earlier"),
        ListFilter::number("id_min", "id-min", "The least id"),
        ListFilter::number("id_max", "id-max", "The greatest id"),
    ];
    const COLUMNS: &'static [&'static str] = &["id", "username", "deleted_at"];
    const SEARCH: Option<&'static str> = Some("Only users that match all these terms, separated by blanks");
}

#[derive(Args)]
pub(in crate::cli) struct ListUsers {
    #[command(flatten)]
    list: ListFlags<UserList>,
    /// Only users with a higher id. To page, give the last id of the previous page.
    #[arg(long, value_name = "ID")]
    after: Option<UserId>,
    /// Only members of this group, by id or name. Repeat it for members of any of several groups.
    #[arg(long, value_name = "GROUP")]
    group: Vec<GroupKey>,
}

#[derive(Args)]
pub(in crate::cli) struct ListDeleted {
    #[command(flatten)]
    list: ListFlags<DeletedList>,
}

pub(super) async fn list(accounts: &Accounts, args: ListUsers) -> Result<Report, CliError> {
    let ListUsers { list, after, group } = args;
    let mut list = list.after(after.map(UserId::get));
    if !group.is_empty() {
        let mut names = Names::new(accounts);
        let groups = names.groups(&group).await?;
        names.check()?;
        let ids: Vec<_> = groups.iter().map(|found| found.group.id.to_string()).collect();
        list = list.with("groups_in", ids.join(","));
    }
    let found = list.fetch(async |parameters| accounts.users(parameters).await).await?;
    let json = found.rows.iter().map(user_json).collect();
    Ok(Report::list(table(&found.rows), json, found.cut))
}

pub(super) async fn deleted(accounts: &Accounts, args: ListDeleted) -> Result<Report, CliError> {
    let list = args.list.usually_by("-deleted_at");
    let found = list.fetch(async |parameters| accounts.deleted(parameters).await).await?;
    let kept_for = accounts.deleted_kept_for().unwrap_or_default();
    let json = found.rows.iter().map(|user| {
        json!({
            "id": user.id.get(),
            "username": user.username,
            "email": user.email,
            "deleted_at": user.deleted_at.to_string(),
            "deleted_by": user.deleted_by,
            "purge_at": user.purge_at(kept_for).to_string(),
        })
    });
    let json = json.collect();
    Ok(Report::list(deleted_table(&found.rows, |user| user.purge_at(kept_for)), json, found.cut))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::directory::query::{Column as _, DeletedColumn, DeletedQuery, UserColumn, UserQuery};

    /// Every filter and every order of the API's lists has its flag.
    #[test]
    fn no_filter_and_no_order_is_missing() {
        fn names<N: ListNoun>(more: &[&'static str]) -> BTreeSet<&'static str> {
            N::FILTERS.iter().map(|filter| filter.name).chain(more.iter().copied()).collect()
        }
        assert_eq!(names::<UserList>(&["group_id", "groups_in"]), UserQuery::FILTERS.into_iter().collect());
        assert_eq!(names::<DeletedList>(&[]), DeletedQuery::FILTERS.into_iter().collect());
        let columns = |all: &[&'static str]| all.iter().copied().collect::<BTreeSet<_>>();
        let users: BTreeSet<_> = UserColumn::ALL.iter().map(|(name, _)| *name).collect();
        assert_eq!(columns(UserList::COLUMNS), users);
        let deleted: BTreeSet<_> = DeletedColumn::ALL.iter().map(|(name, _)| *name).collect();
        assert_eq!(columns(DeletedList::COLUMNS), deleted);
    }
}
