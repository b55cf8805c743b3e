//! Counts the users who have a second factor, because it is not imported: afterwards the password alone signs them in.

use std::collections::BTreeSet;

use super::catalogue::Catalogue;
use super::evidence::Evidence;
use super::joins::JoinSearch;
use super::options::MappingOptions;
use super::tables::UserTables;
use crate::database::foreign::{ForeignColumn, ForeignTable};
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::import::notices::Notices;

/// Words in the names of tables and columns of second factors, between underscores: django-otp, django-two-factor-auth,
/// allauth.mfa, django-mfa2, trench and their kin.
const WORDS: [&str; 20] = [
    "otp",
    "totp",
    "hotp",
    "mfa",
    "2fa",
    "tfa",
    "twofactor",
    "webauthn",
    "passkey",
    "passkeys",
    "u2f",
    "fido",
    "fido2",
    "yubikey",
    "mfamethod",
    "totpdevice",
    "u2fdevice",
    "webauthndevice",
    "staticdevice",
    "authenticator",
];
/// Columns that say whether a device is in use.
const IN_USE: [&str; 5] = ["confirmed", "is_active", "is_enabled", "enabled", "verified"];

/// Counts the users with a second factor, and names the tables and columns that show it.
pub(super) fn find(
    catalogue: &Catalogue,
    evidence: &dyn Evidence,
    users: &UserTables,
) -> Result<Notices, ImportError> {
    let (mut people, mut found) = (BTreeSet::new(), Vec::new());
    for (table, column, filled) in sources(catalogue, users) {
        let is_readable = column.is_readable && filled.as_ref().is_none_or(|filled| filled.is_readable);
        let values = match is_readable {
            true => evidence.values_where(&table, &column, filled.as_ref())?,
            false => continue,
        };
        if !values.is_empty() {
            let is_own = filled.as_ref().filter(|filled| is_factor(&filled.name));
            let name = is_own.map_or_else(|| table.to_string(), |own| format!("{table}.{}", own.name));
            found.push(format!("{name} ({})", values.len()));
        }
        people.extend(values);
    }
    let mut notices = Notices::default();
    notices.add_all(
        "users have a second factor, which is not imported: afterwards their password alone signs them in",
        people.len() as u64,
        found,
    );
    Ok(notices)
}

/// Returns the tables and columns to look at: the table, the column that says whose a row is, and the column that must be
/// filled.
fn sources(
    catalogue: &Catalogue,
    users: &UserTables,
) -> Vec<(ForeignTable, ForeignColumn, Option<ForeignColumn>)> {
    let mut found = Vec::new();
    for side in users.all() {
        let columns = catalogue.columns(&side.table).iter().filter(|column| is_factor(&column.name));
        found.extend(
            columns.map(|column| (side.table.clone(), side.join.column.clone(), Some(column.clone()))),
        );
    }
    let options = MappingOptions::default();
    for table in catalogue.tables.keys().filter(|table| is_factor(&table.name)) {
        let (owner, field, usual) = (&users.owner, "user_id", "user_id");
        let search = JoinSearch { catalogue, options: &options, owner, table, field, usual };
        let is_read = users.all().any(|side| side.table == *table);
        // Which of several columns is meant does not matter for a count that only warns.
        let join = search.declared().into_iter().next().or_else(|| search.undeclared());
        if let Some(join) = join.filter(|_| !is_read && !catalogue.is_view(table)) {
            let in_use = IN_USE.iter().find_map(|name| catalogue.column(table, name));
            found.push((table.clone(), join.column, in_use.cloned()));
        }
    }
    found
}

fn is_factor(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("two_factor") || name.split('_').any(|word| WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_second_factors_are_known() {
        for name in [
            "otp_totp_totpdevice",
            "two_factor_phonedevice",
            "totp_key",
            "mfa_authenticator",
            "auth_authenticator",
            "shop_u2fdevice",
            "is_2fa_enabled",
        ] {
            assert!(is_factor(name), "{name}");
        }
        for name in ["auth_user", "option", "hotpot_dish", "people_person", "optout"] {
            assert!(!is_factor(name), "{name}");
        }
    }
}
