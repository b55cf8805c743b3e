//! The parameters of the lists, for the OpenAPI document. What they mean, `directory::query` says.

use utoipa::IntoParams;

/// What every list knows.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct ListParameters {
    /// Terms with blanks or commas between, each of which must be found in some field; without regard to
    /// case. At most 500 characters and 16 terms.
    #[param(example = "alex techcorp")]
    search: Option<String>,
    /// Rows a page, 1 to 1000; 10 when not said.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    limit: Option<i64>,
    /// Rows to skip. Late pages cost more than early ones: a cursor does not.
    #[param(minimum = 0, default = 0)]
    offset: Option<i64>,
    /// Empty to begin, then as `next` and `previous` have it. Every page costs the same; `count` is null.
    #[param(example = "")]
    cursor: Option<String>,
    /// Only these fields of each row, by name, with commas between.
    #[param(example = "id,created_at")]
    fields: Option<String>,
    /// `json`, the only format there is.
    #[param(example = "json")]
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
    created_date_from: Option<String>,
    /// Created on this day or earlier.
    #[param(format = Date)]
    created_date_to: Option<String>,
    /// Last changed on this day (UTC).
    #[param(format = Date)]
    updated_date: Option<String>,
    /// Last changed on this day or later.
    #[param(format = Date)]
    updated_date_from: Option<String>,
    /// Last changed on this day or earlier.
    #[param(format = Date)]
    updated_date_to: Option<String>,
}

/// What the list of users knows besides. Search is over id, username, mobile_number, email, first_name and
/// last_name.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct UserListParameters {
    /// Names with commas between, `-` in front for descending: `id`, `username`, `email`, `gender`,
    /// `last_login`, `created_at`, `updated_at`. Always ends with the id.
    #[param(example = "-last_login,username")]
    ordering: Option<String>,
    /// Last signed in on this day (UTC).
    #[param(format = Date)]
    last_login_date: Option<String>,
    /// Last signed in on this day or later.
    #[param(format = Date)]
    last_login_date_from: Option<String>,
    /// Last signed in on this day or earlier.
    #[param(format = Date)]
    last_login_date_to: Option<String>,
    /// Has an email address?
    has_email: Option<bool>,
    /// Has an image?
    has_avatar: Option<bool>,
    /// Has a mobile number?
    has_phone: Option<bool>,
    /// Has a token that works now?
    has_token: Option<bool>,
    /// Has a first name?
    has_first_name: Option<bool>,
    /// Has a last name?
    has_last_name: Option<bool>,
    /// Belongs to a group?
    has_groups: Option<bool>,
    /// May it authenticate?
    is_active: Option<bool>,
    /// May it enter the back office?
    is_staff: Option<bool>,
    /// May it do everything?
    is_admin: Option<bool>,
    /// Was one of its tokens used in the last five minutes?
    is_online: Option<bool>,
    /// With exactly this username.
    #[param(example = "alex_thompson")]
    username: Option<String>,
    /// With this email address, without regard to case.
    #[param(example = "alex.thompson@techcorp.com")]
    email: Option<String>,
    /// With exactly this mobile number.
    #[param(example = "+1-555-0123")]
    mobile_number: Option<String>,
    /// `male`, `female`, `non-binary` or `other`.
    #[param(example = "non-binary")]
    gender: Option<String>,
    /// Belongs to the group with this ID.
    group_id: Option<i64>,
    /// Belongs to one of these groups: IDs with commas between, at most 100.
    #[param(example = "1,4,5")]
    groups_in: Option<String>,
}

/// What the list of groups knows besides. Search is over name and notes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct GroupListParameters {
    /// Names with commas between, `-` in front for descending: `id`, `name`, `users_count`, `created_at`,
    /// `updated_at`. Always ends with the id.
    #[param(example = "-users_count")]
    ordering: Option<String>,
    /// The least number of members.
    users_count_min: Option<i64>,
    /// The greatest number of members.
    users_count_max: Option<i64>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::directory::query::{COMMON, GroupQuery, UserQuery};

    fn documented<T: IntoParams>() -> Vec<String> {
        T::into_params(|| None).into_iter().map(|parameter| parameter.name).collect()
    }

    /// What is documented is known, and what is known is documented.
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
    }
}

/// What the recycle bin knows. Search is over id, username, mobile_number, email, first_name and last_name.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(super) struct DeletedListParameters {
    /// Terms with blanks or commas between, each of which must be found in some field; without regard to case.
    #[param(example = "alex techcorp")]
    search: Option<String>,
    /// Names with commas between, `-` in front for descending: `id`, `username`, `deleted_at`.
    #[param(example = "-deleted_at")]
    ordering: Option<String>,
    /// Rows a page, 1 to 1000; 10 when not said.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    limit: Option<i64>,
    /// Rows to skip.
    #[param(minimum = 0, default = 0)]
    offset: Option<i64>,
    /// Empty to begin, then as `next` and `previous` have it. Every page costs the same; `count` is null.
    #[param(example = "")]
    cursor: Option<String>,
    /// Only these fields of each row, by name, with commas between.
    #[param(example = "id,deleted_at")]
    fields: Option<String>,
    /// `json`, the only format there is.
    #[param(example = "json")]
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
    deleted_date_from: Option<String>,
    /// Deleted on this day or earlier.
    #[param(format = Date)]
    deleted_date_to: Option<String>,
}
