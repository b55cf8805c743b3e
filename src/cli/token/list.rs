//! `wardroom token list`.

use clap::Args;

use super::view::{listed_json, table};
use crate::cli::accounts::Accounts;
use crate::cli::lists::{FilterForm, ListFilter, ListFlags, ListNoun};
use crate::cli::names;
use crate::cli::report::{CliError, Report};
use crate::directory::model::UserKey;

/// The list of tokens.
#[derive(Clone, Debug)]
pub(in crate::cli) struct TokenList;

impl ListNoun for TokenList {
    const FILTERS: &'static [ListFilter] = &[
        ListFilter {
            name: "state",
            flag: "state",
            form: FilterForm::Choice(&["active", "expired", "revoked"]),
            help: "Only tokens in this state",
        },
        ListFilter {
            name: "kind",
            flag: "kind",
            form: FilterForm::Choice(&["api", "sign_in", "imported"]),
            help: "Only tokens of this kind",
        },
        ListFilter::text("name", ["name", "NAME"], "Only tokens with exactly this name"),
        ListFilter::text(
            "key",
            ["key", "ENDS"],
            "Only tokens whose key has these ends, as lists and logs show them: wrd_h3Kd...Yc0q",
        ),
        ListFilter::day("created_date", "created-date", "Only tokens issued on this day (UTC)"),
        ListFilter::day("created_from", "created-from", "Only tokens issued on this day or later"),
        ListFilter::day("created_to", "created-to", "Only tokens issued on this day or earlier"),
        ListFilter::day("expires_date", "expires-date", "Only tokens that expire on this day"),
        ListFilter::day("expires_from", "expires-from", "Only tokens that expire on this day or later"),
        ListFilter::day("expires_to", "expires-to", "Only tokens that expire on this day or earlier"),
        ListFilter::day("last_used_date", "last-used-date", "Only tokens last used on this day"),
        ListFilter::day("last_used_from", "last-used-from", "Only tokens last used on this day or later"),
        ListFilter::day("last_used_to", "last-used-to", "Only tokens last used on this day or earlier"),
        ListFilter::switch(
            "has_expiry",
            ["has-expiry", "no-expiry"],
            ["Only tokens that expire some time", "Only tokens that do not expire"],
        ),
        ListFilter::switch(
            "is_used",
            ["used", "never-used"],
            ["Only tokens that were used", "Only tokens that were never used"],
        ),
        ListFilter::day(
            "unused_since",
            "unused-since",
            "Only tokens neither used nor issued on this day (UTC) or later",
        ),
        ListFilter::text("scope", ["scope", "SCOPE"], "Only tokens with this scope, such as user_read"),
        ListFilter::switch(
            "has_scopes",
            ["has-scopes", "no-scopes"],
            ["Only tokens with scopes", "Only tokens without scopes"],
        ),
        ListFilter::switch(
            "read_only",
            ["read-only", "read-write"],
            ["Only tokens that can only read", "Only tokens that can also write"],
        ),
        ListFilter::text(
            "network",
            ["network", "NETWORK"],
            "Only tokens with exactly this network among those that they may be used from, such as 10.0.0.0/8",
        ),
        ListFilter::switch(
            "has_networks",
            ["has-networks", "any-network"],
            [
                "Only tokens that may be used from some networks only",
                "Only tokens that may be used from anywhere",
            ],
        ),
        ListFilter::number("id_min", "id-min", "The least id"),
        ListFilter::number("id_max", "id-max", "The greatest id"),
    ];
    const COLUMNS: &'static [&'static str] = &["id", "created_at", "expires_at", "last_used_at"];
    const SEARCH: Option<&'static str> = None;
}

#[derive(Args)]
pub(in crate::cli) struct ListTokens {
    /// The user, by id or username. Without one, the tokens of all users are listed.
    user: Option<UserKey>,
    #[command(flatten)]
    list: ListFlags<TokenList>,
}

pub(super) async fn list(accounts: &Accounts, args: ListTokens) -> Result<Report, CliError> {
    let mut list = args.list;
    if let Some(key) = &args.user {
        for user in names::users(accounts, std::slice::from_ref(key)).await? {
            list = list.with("user_id", user.id).usually_all();
        }
    }
    let found = list.fetch(async |parameters| accounts.tokens(parameters).await).await?;
    let now = accounts.now();
    let json = found.rows.iter().map(|row| listed_json(row, now)).collect();
    Ok(Report::list(table(&found.rows, args.user.is_none(), now), json, found.cut))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::directory::query::{Column as _, TokenColumn, TokenQuery};

    /// Every filter and every order has its flag.
    #[test]
    fn no_filter_and_no_order_is_missing() {
        let filters = TokenList::FILTERS.iter().map(|filter| filter.name).chain(["user_id"]);
        assert_eq!(filters.collect::<BTreeSet<_>>(), TokenQuery::FILTERS.into_iter().collect());
        let columns: BTreeSet<_> = TokenColumn::ALL.iter().map(|(name, _)| *name).collect();
        assert_eq!(TokenList::COLUMNS.iter().copied().collect::<BTreeSet<_>>(), columns);
    }
}
