//! The parameters of the lists, for the OpenAPI document. `directory::query` defines their meaning.

use utoipa::IntoParams;
use utoipa::openapi::schema::Object;

use super::bodies::choices;
use crate::directory::model::{Gender, TokenKind, TokenState};

/// The formats of responses.
pub(super) fn formats() -> Object {
    choices("JSON.", ["json"])
}

fn counts() -> Object {
    choices("No count.", ["none"])
}

fn genders() -> Object {
    choices("A gender.", Gender::ALL.map(Gender::as_str))
}

/// The parameters of every list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct ListParameters {
    /// Terms, separated by blanks or commas. Each must be found in some field; upper and lower case are equal. At
    /// most 500 characters and 16 terms. Example: `alex techcorp`.
    search: Option<String>,
    /// Rows per page, 1 to 1000; 10 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// Rows to skip. Late pages cost more than early ones; with a cursor they do not.
    #[param(minimum = 0)]
    offset: Option<i64>,
    /// Empty for the first page, then as in `next` and `previous`. Every page costs the same; `count` is null.
    cursor: Option<String>,
    /// `none` leaves the count out: `count` is null.
    #[param(schema_with = counts)]
    count: Option<String>,
    /// Only these fields of each row: names, separated by commas. Example: `id,created_at`.
    fields: Option<String>,
    /// The format of the response; there is only one.
    #[param(schema_with = formats)]
    format: Option<String>,
    /// The least id.
    id_min: Option<i64>,
    /// The greatest id.
    id_max: Option<i64>,
    /// Created on this day (UTC).
    #[param(format = Date)]
    created_date: Option<String>,
    /// Created on this day or later.
    #[param(format = Date)]
    created_from: Option<String>,
    /// Created on this day or earlier.
    #[param(format = Date)]
    created_to: Option<String>,
    /// Last changed on this day (UTC).
    #[param(format = Date)]
    updated_date: Option<String>,
    /// Last changed on this day or later.
    #[param(format = Date)]
    updated_from: Option<String>,
    /// Last changed on this day or earlier.
    #[param(format = Date)]
    updated_to: Option<String>,
}

/// Further parameters of the list of users. The search covers id, username, mobile_number, email, first_name and
/// last_name.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct UserListParameters {
    /// Names, separated by commas; `-` in front for descending order: `id`, `username`, `email`, `gender`,
    /// `last_login`, `created_at`, `updated_at`. The id is always the last. Example: `-last_login,username`.
    ordering: Option<String>,
    /// Last signed in on this day (UTC).
    #[param(format = Date)]
    last_login_date: Option<String>,
    /// Last signed in on this day or later.
    #[param(format = Date)]
    last_login_from: Option<String>,
    /// Last signed in on this day or earlier.
    #[param(format = Date)]
    last_login_to: Option<String>,
    /// Has an email address?
    has_email: Option<bool>,
    /// Has an image?
    has_avatar: Option<bool>,
    /// Has a mobile number?
    has_phone: Option<bool>,
    /// Has a token that is valid now?
    has_token: Option<bool>,
    /// Has a first name?
    has_first_name: Option<bool>,
    /// Has a last name?
    has_last_name: Option<bool>,
    /// Belongs to a group?
    has_groups: Option<bool>,
    /// Can the user authenticate?
    is_active: Option<bool>,
    /// Can the user enter the back office?
    is_staff: Option<bool>,
    /// Does the user have all rights?
    is_admin: Option<bool>,
    /// Was one of the user's tokens used in the last five minutes?
    is_online: Option<bool>,
    /// With exactly this username. Example: `alex_thompson`.
    username: Option<String>,
    /// With this email address; upper and lower case are equal. Example: `alex.thompson@techcorp.com`.
    email: Option<String>,
    /// With exactly this mobile number. Example: `+1-555-0123`.
    mobile_number: Option<String>,
    /// With this gender.
    #[param(schema_with = genders)]
    gender: Option<String>,
    /// Belongs to the group with this ID.
    group_id: Option<i64>,
    /// Belongs to one of these groups: IDs, separated by commas, at most 100. Example: `1,4,5`.
    groups_in: Option<String>,
}

/// Further parameters of the list of groups. The search covers name and notes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct GroupListParameters {
    /// Names, separated by commas; `-` in front for descending order: `id`, `name`, `users_count` (also written
    /// `_users_count`), `created_at`, `updated_at`. The id is always the last. Example: `-users_count`.
    ordering: Option<String>,
    /// The least number of members.
    users_count_min: Option<i64>,
    /// The greatest number of members.
    users_count_max: Option<i64>,
}

fn token_kinds() -> Object {
    choices("A kind of token.", TokenKind::ALL.map(TokenKind::as_str))
}

fn token_states() -> Object {
    choices("A state of tokens.", TokenState::ALL.map(TokenState::as_str))
}

/// The parameters of the list of tokens.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct TokenListParameters {
    /// Names, separated by commas; `-` in front for descending order: `id`, `created_at`, `expires_at`, `last_used_at`.
    /// Only the id has an index. Example: `-id`.
    ordering: Option<String>,
    /// Rows per page, 1 to 1000; 10 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// Rows to skip. Late pages cost more than early ones; with a cursor they do not.
    #[param(minimum = 0)]
    offset: Option<i64>,
    /// Empty for the first page, then as in `next` and `previous`. Every page costs the same; `count` is null.
    cursor: Option<String>,
    /// `none` leaves the count out: `count` is null.
    #[param(schema_with = counts)]
    count: Option<String>,
    /// Only these fields of each row: names, separated by commas. Example: `id,user_id,state`.
    fields: Option<String>,
    /// The format of the response; there is only one.
    #[param(schema_with = formats)]
    format: Option<String>,
    /// The least id.
    id_min: Option<i64>,
    /// The greatest id.
    id_max: Option<i64>,
    /// Of the user with this ID.
    user_id: Option<i64>,
    /// With exactly this name. Example: `laptop`.
    name: Option<String>,
    /// Whose key has these ends, as lists and logs show them; never the whole key. Example: `wrd_1vko...FINE`.
    key: Option<String>,
    /// In this state now.
    #[param(schema_with = token_states)]
    state: Option<String>,
    /// Of this kind.
    #[param(schema_with = token_kinds)]
    kind: Option<String>,
    /// Issued on this day (UTC).
    #[param(format = Date)]
    created_date: Option<String>,
    /// Issued on this day or later.
    #[param(format = Date)]
    created_from: Option<String>,
    /// Issued on this day or earlier.
    #[param(format = Date)]
    created_to: Option<String>,
    /// Expires on this day (UTC).
    #[param(format = Date)]
    expires_date: Option<String>,
    /// Expires on this day or later.
    #[param(format = Date)]
    expires_from: Option<String>,
    /// Expires on this day or earlier.
    #[param(format = Date)]
    expires_to: Option<String>,
    /// Last used on this day (UTC).
    #[param(format = Date)]
    last_used_date: Option<String>,
    /// Last used on this day or later.
    #[param(format = Date)]
    last_used_from: Option<String>,
    /// Last used on this day or earlier.
    #[param(format = Date)]
    last_used_to: Option<String>,
    /// Has an expiry?
    has_expiry: Option<bool>,
    /// Was it ever used?
    is_used: Option<bool>,
    /// Neither used nor issued on this day (UTC) or later.
    #[param(format = Date)]
    unused_since: Option<String>,
    /// With this scope. A token without scopes is not one of them. Example: `user_read`.
    scope: Option<String>,
    /// Has scopes?
    has_scopes: Option<bool>,
    /// Can it only read?
    read_only: Option<bool>,
    /// With exactly this network among those that it may be used from. Example: `192.0.2.0/24`.
    network: Option<String>,
    /// Can it be used only from some networks?
    has_networks: Option<bool>,
}

/// Further parameters of the list of deleted users. The search covers id, username, mobile_number, email, first_name and last_name.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct DeletedListParameters {
    /// Terms, separated by blanks or commas. Each must be found in some field; upper and lower case are equal. Example: `alex techcorp`.
    search: Option<String>,
    /// Names, separated by commas; `-` in front for descending order: `id`, `username`, `deleted_at`. Example: `-deleted_at`.
    ordering: Option<String>,
    /// Only these fields of each row: names, separated by commas. Example: `id,deleted_at`.
    fields: Option<String>,
}

/// Further parameters of the list of deleted groups. The search covers name and notes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct DeletedGroupListParameters {
    /// Terms, separated by blanks or commas. Each must be found in some field; upper and lower case are equal. Example:
    /// `billing`.
    search: Option<String>,
    /// Names, separated by commas; `-` in front for descending order: `id`, `name`, `deleted_at`. Example: `-deleted_at`.
    ordering: Option<String>,
    /// Only these fields of each row: names, separated by commas. Example: `id,deleted_at`.
    fields: Option<String>,
}

/// The parameters that both lists of the recycle bin have.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct BinListParameters {
    /// Rows per page, 1 to 1000; 10 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// Rows to skip.
    #[param(minimum = 0)]
    offset: Option<i64>,
    /// Empty for the first page, then as in `next` and `previous`. Every page costs the same; `count` is null.
    cursor: Option<String>,
    /// `none` leaves the count out: `count` is null.
    #[param(schema_with = counts)]
    count: Option<String>,
    /// The format of the response; there is only one.
    #[param(schema_with = formats)]
    format: Option<String>,
    /// The least id.
    id_min: Option<i64>,
    /// The greatest id.
    id_max: Option<i64>,
    /// Deleted on this day (UTC).
    #[param(format = Date)]
    deleted_date: Option<String>,
    /// Deleted on this day or later.
    #[param(format = Date)]
    deleted_from: Option<String>,
    /// Deleted on this day or earlier.
    #[param(format = Date)]
    deleted_to: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::directory::query::{COMMON, GroupQuery, TokenQuery, UserQuery};

    fn documented<T: IntoParams>() -> Vec<String> {
        T::into_params(|| None).into_iter().map(|parameter| parameter.name).collect()
    }

    /// The documented parameters are exactly those that are parsed.
    #[test]
    fn the_document_names_every_parameter() {
        let common = documented::<ListParameters>();
        for (own, filters) in [
            (documented::<UserListParameters>(), &UserQuery::FILTERS[..]),
            (documented::<GroupListParameters>(), &GroupQuery::FILTERS[..]),
        ] {
            let documented: BTreeSet<_> = common.iter().chain(&own).map(String::as_str).collect();
            assert_eq!(documented, COMMON.iter().chain(filters).copied().collect());
        }
        // Tokens have no search.
        let tokens = documented::<TokenListParameters>();
        let tokens: BTreeSet<_> = tokens.iter().map(String::as_str).chain(["search"]).collect();
        assert_eq!(tokens, COMMON.iter().chain(&TokenQuery::FILTERS).copied().collect());
    }
}
