//! `wardroom group list` and `wardroom group deleted`.

use clap::Args;
use serde_json::json as object;

use super::view::{deleted_table, json, table};
use crate::cli::accounts::Accounts;
use crate::cli::lists::{ListFilter, ListFlags, ListNoun};
use crate::cli::report::{CliError, Report};
use crate::directory::model::GroupId;

/// The list of groups.
#[derive(Clone, Debug)]
pub(in crate::cli) struct GroupList;

/// The list of deleted groups.
#[derive(Clone, Debug)]
pub(in crate::cli) struct DeletedGroupList;

impl ListNoun for GroupList {
    const FILTERS: &'static [ListFilter] = &[
        ListFilter::number("users_count_min", "users-count-min", "The least number of members"),
        ListFilter::number("users_count_max", "users-count-max", "The greatest number of members"),
        ListFilter::day("created_date", "created-date", "Only groups created on this day (UTC)"),
        ListFilter::day("created_from", "created-from", "Only groups created on this day or later"),
        ListFilter::day("created_to", "created-to", "Only groups created on this day or earlier"),
        ListFilter::day("updated_date", "updated-date", "Only groups last changed on this day"),
        ListFilter::day("updated_from", "updated-from", "Only groups last changed on this day or later"),
        ListFilter::day("updated_to", "updated-to", "Only groups last changed on this day or earlier"),
        ListFilter::number("id_min", "id-min", "The least id"),
        ListFilter::number("id_max", "id-max", "The greatest id"),
    ];
    const COLUMNS: &'static [&'static str] = &["id", "name", "users_count", "created_at", "updated_at"];
    const SEARCH: Option<&'static str> =
        Some("Only groups that match all these terms, separated by blanks: in name or notes");
}

impl ListNoun for DeletedGroupList {
    const FILTERS: &'static [ListFilter] = &[
        ListFilter::day("deleted_date", "deleted-date", "Only groups deleted on this day (UTC)"),
        ListFilter::day("deleted_from", "deleted-from", "Only groups deleted on this day or later"),
        ListFilter::day("deleted_to", "deleted-to", "Only groups deleted on this day or earlier"),
        ListFilter::number("id_min", "id-min", "The least id"),
        ListFilter::number("id_max", "id-max", "The greatest id"),
    ];
    const COLUMNS: &'static [&'static str] = &["id", "name", "deleted_at"];
    const SEARCH: Option<&'static str> =
        Some("Only groups that match all these terms, separated by blanks: in name or notes");
}

#[derive(Args)]
pub(in crate::cli) struct ListDeletedGroups {
    #[command(flatten)]
    list: ListFlags<DeletedGroupList>,
}

#[derive(Args)]
pub(in crate::cli) struct ListGroups {
    #[command(flatten)]
    list: ListFlags<GroupList>,
    /// Only groups with a higher id. To page, give the last id of the previous page.
    #[arg(long, value_name = "ID")]
    after: Option<GroupId>,
}

pub(super) async fn list(accounts: &Accounts, args: ListGroups) -> Result<Report, CliError> {
    let list = args.list.after(args.after.map(GroupId::get));
    let found = list.fetch(async |parameters| accounts.groups(parameters).await).await?;
    Ok(Report::list(table(&found.rows), found.rows.iter().map(json).collect(), found.cut))
}

pub(super) async fn deleted(accounts: &Accounts, args: ListDeletedGroups) -> Result<Report, CliError> {
    let list = args.list.usually_by("-deleted_at");
    let found = list.fetch(async |parameters| accounts.deleted_groups(parameters).await).await?;
    let kept_for = accounts.deleted_kept_for().unwrap_or_default();
    let rows = found.rows.iter().map(|group| {
        object!({
            "id": group.id.get(),
            "name": group.name,
            "users_count": group.users_count,
            "deleted_at": group.deleted_at.to_string(),
            "deleted_by": group.deleted_by,
            "purge_at": group.purge_at(kept_for).to_string(),
        })
    });
    let rows = rows.collect();
    Ok(Report::list(deleted_table(&found.rows, |group| group.purge_at(kept_for)), rows, found.cut))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::directory::query::{
        Column as _, DeletedGroupColumn, DeletedGroupQuery, GroupColumn, GroupQuery,
    };

    /// Every filter and every order of the API's list has its flag.
    #[test]
    fn no_filter_and_no_order_is_missing() {
        let filters: BTreeSet<_> = GroupList::FILTERS.iter().map(|filter| filter.name).collect();
        assert_eq!(filters, GroupQuery::FILTERS.into_iter().collect());
        let columns: BTreeSet<_> = GroupList::COLUMNS.iter().copied().collect();
        // A name with an underscore in front is an alias for clients.
        let all = GroupColumn::ALL.iter().map(|(name, _)| *name).filter(|name| !name.starts_with('_'));
        assert_eq!(columns, all.collect());
        let filters: BTreeSet<_> = DeletedGroupList::FILTERS.iter().map(|filter| filter.name).collect();
        assert_eq!(filters, DeletedGroupQuery::FILTERS.into_iter().collect());
        let columns: BTreeSet<_> = DeletedGroupList::COLUMNS.iter().copied().collect();
        assert_eq!(columns, DeletedGroupColumn::ALL.iter().map(|(name, _)| *name).collect());
    }
}
