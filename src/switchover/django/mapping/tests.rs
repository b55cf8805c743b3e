use std::collections::BTreeMap;

use super::*;
use crate::database::foreign::{ForeignCatalogue, ForeignColumn, ForeignKey, ForeignShape, ForeignTable};

/// Rows in which every column has the repeated values that are given, and nothing else is known.
struct Rows(&'static [&'static str]);

impl Evidence for Rows {
    fn repeated(&self, _: &ForeignTable, _: &str) -> Result<Vec<String>, ImportError> {
        Ok(self.0.iter().map(ToString::to_string).collect())
    }

    fn are_whole(&self, _: &ForeignTable, _: &ForeignColumn) -> Result<bool, ImportError> {
        Ok(false)
    }

    fn are_same(
        &self,
        _: (&ForeignTable, &str),
        _: (&ForeignTable, &str),
        _: (&str, &str),
    ) -> Result<bool, ImportError> {
        Ok(false)
    }

    fn values_where(
        &self,
        _: &ForeignTable,
        _: &ForeignColumn,
        _: Option<&ForeignColumn>,
    ) -> Result<Vec<String>, ImportError> {
        Ok(Vec::new())
    }
}

fn table(name: &str) -> ForeignTable {
    let (schema, name) = name.split_once('.').map_or((None, name), |(schema, name)| (Some(schema), name));
    ForeignTable { schema: schema.map(str::to_owned), name: name.to_owned() }
}

/// Tables with columns (`id uuid`; the first one is the primary key) and unique constraints (`!user_id`), and references
/// (`from column to`, to the column `id` or the one after a dot).
fn catalogue(tables: &[(&str, &[&str])], references: &[(&str, &str, &str)]) -> Catalogue {
    let mut found = ForeignCatalogue::default();
    for (name, lines) in tables {
        let mut shape = ForeignShape::default();
        for line in *lines {
            if let Some(unique) = line.strip_prefix('!') {
                shape.uniques.push(unique.split(' ').map(str::to_owned).collect());
                continue;
            }
            let (column, kind) = line.split_once(' ').unwrap_or((line, "integer"));
            if shape.columns.is_empty() {
                shape.primary_key = vec![column.to_owned()];
                shape.uniques.push(shape.primary_key.clone());
            }
            shape.columns.push(ForeignColumn { name: column.into(), kind: kind.into(), is_readable: true });
        }
        found.tables.insert(table(name), shape);
    }
    found.references = references
        .iter()
        .map(|(from, column, to)| {
            let (to, to_column) = to.split_once(':').unwrap_or((to, "id"));
            ForeignKey {
                table: table(from),
                column: (*column).into(),
                to: table(to),
                to_column: to_column.into(),
            }
        })
        .collect();
    Catalogue::from(found)
}

const PLAIN: &[(&str, &[&str])] = &[
    (
        "auth_user",
        &["id", "password", "last_login", "is_superuser", "username", "email", "date_joined", "first_name"],
    ),
    ("auth_user_groups", &["id", "user_id", "group_id"]),
    ("auth_group", &["id", "name"]),
    ("authtoken_token", &["key", "created", "user_id"]),
];
const CUSTOM: &[(&str, &[&str])] = &[
    ("auth_user", &["id", "password", "last_login", "username"]),
    (
        "people_person",
        &["id", "password", "last_login", "username", "phone", "created_at", "date_joined", "department"],
    ),
    ("people_person_groups", &["id", "person_id", "group_id", "!person_id group_id"]),
    ("auth_group", &["id", "name"]),
    ("people_groupprofile", &["id", "notes", "created_at", "group_id", "!group_id"]),
    ("django_admin_log", &["id", "user_id"]),
];
const CUSTOM_KEYS: &[(&str, &str, &str)] = &[
    ("django_admin_log", "user_id", "people_person"),
    ("people_person_groups", "person_id", "people_person"),
    ("people_person_groups", "group_id", "auth_group"),
    ("people_groupprofile", "group_id", "auth_group"),
];

fn find(catalogue: &Catalogue, options: &MappingOptions) -> Result<Mapping, ImportError> {
    Mapping::find(catalogue, &Rows(&[]), options)
}

fn sources(mapping: &Mapping) -> BTreeMap<String, String> {
    mapping.describe().into_iter().collect()
}

fn listed(mapping: &Mapping, notice: &str) -> Vec<String> {
    let found = mapping.notices.iter().find(|(text, _)| text.starts_with(notice));
    found.map(|(_, notice)| notice.examples.clone()).unwrap_or_default()
}

fn with(change: impl Fn(&mut MappingOptions)) -> MappingOptions {
    let mut options = MappingOptions::default();
    change(&mut options);
    options
}

fn map(field: &str, column: &str) -> MappingOptions {
    with(|options| drop(options.columns.insert(field.into(), column.into())))
}

#[test]
fn django_s_own_tables_are_found_without_a_word() {
    let found = sources(&find(&catalogue(PLAIN, &[]), &MappingOptions::default()).unwrap());
    assert_eq!(found["user created_at"], "auth_user.date_joined");
    assert_eq!(found["user is_admin"], "auth_user.is_superuser");
    assert_eq!(found["memberships"], "auth_user_groups");
    assert_eq!(
        found["memberships joined by"],
        "auth_user_groups.user_id = auth_user.id, auth_user_groups.group_id = auth_group.id"
    );
    assert_eq!(
        (found["tokens of Django REST Framework"].as_str(), found["tokens of knox"].as_str()),
        ("authtoken_token", "nowhere")
    );
}

#[test]
fn a_custom_model_is_found_by_what_refers_to_it() {
    let mapping = find(&catalogue(CUSTOM, CUSTOM_KEYS), &MappingOptions::default()).unwrap();
    let found = sources(&mapping);
    assert_eq!(
        (found["user mobile_number"].as_str(), found["user created_at"].as_str()),
        ("people_person.phone", "people_person.created_at")
    );
    assert_eq!(
        (found["memberships"].as_str(), found["group notes"].as_str()),
        ("people_person_groups", "people_groupprofile.notes")
    );
    assert_eq!(
        listed(&mapping, "columns that are not read"),
        ["people_person.date_joined", "people_person.department"]
    );
    assert_eq!(listed(&mapping, "tables that refer to users"), ["django_admin_log (user_id)"]);
}

#[test]
fn what_is_not_clear_is_asked() {
    let uuid: &[(&str, &[&str])] = &[("auth_user", &["id uuid", "password", "last_login", "username"])];
    let nameless: &[(&str, &[&str])] = &[("auth_user", &["id", "password", "last_login"])];
    for (tables, keys, options, expected) in [
        (&[("books", &["id"][..])][..], &[][..], MappingOptions::default(), "no table of users"),
        (
            CUSTOM,
            &[],
            MappingOptions::default(),
            "several tables could be the table of users: auth_user, people_person;",
        ),
        (
            PLAIN,
            &[],
            with(|options| options.user_table = Some("people".into())),
            "no table \"people\" (--user-table)",
        ),
        (
            PLAIN,
            &[],
            with(|options| options.profile_table = Some("auth_group".into())),
            "auth_group does not refer to auth_user",
        ),
        (
            PLAIN,
            &[],
            with(|options| options.group_profile_table = Some("auth_group".into())),
            "use --groups-table",
        ),
        (
            PLAIN,
            &[],
            with(|options| options.group_profile_table = Some("authtoken_token".into())),
            "neither notes nor times",
        ),
        (PLAIN, &[], map("age", "x"), "there is no field \"age\""),
        (PLAIN, &[], map("gender", "x"), "no table of users has the column \"x\" for gender"),
        (PLAIN, &[], map("is_staff", "group:"), "needs the name of a group"),
        (PLAIN, &[], map("knox_user", "x"), "no table of knox is read; name it with --knox-table"),
        (PLAIN, &[], map("profile_user", "x"), "no profile is read"),
        (PLAIN, &[], map("group_notes", "x"), "no table of groups has this column"),
        (uuid, &[], MappingOptions::default(), "of the type \"uuid\""),
        (nameless, &[], MappingOptions::default(), "no column for username"),
        (
            &[("auth_user", &["id", "username"][..])][..],
            &[],
            with(|options| options.user_table = Some("auth_user".into())),
            "no column for password",
        ),
    ] {
        let error = find(&catalogue(tables, keys), &options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let without = find(&catalogue(PLAIN, &[]), &map("email", "")).unwrap();
    assert!(listed(&without, "columns").contains(&"auth_user.email".to_owned()));
    assert!(find(&catalogue(uuid, &[]), &map("user_id", "")).is_ok());
}

/// Whatever the order of columns and references, the unique key says whose row a profile is.
#[test]
fn uniqueness_says_whose_row_it_is_and_never_the_order() {
    let options = with(|options| options.profile_table = Some("shop_profile".into()));
    let columns = ["id", "phone", "owner_id", "user_id"];
    let keys = [("shop_profile", "owner_id", "auth_user"), ("shop_profile", "user_id", "auth_user")];
    for (unique, expected) in [
        (&["!user_id"][..], Ok("shop_profile.user_id = auth_user.id")),
        (&["!owner_id"], Ok("shop_profile.owner_id = auth_user.id")),
        (&[], Err("owner_id, user_id")),
        (&["!owner_id", "!user_id"], Err("owner_id, user_id")),
        (&["!owner_id user_id"], Err("owner_id, user_id")),
    ] {
        let lines = [&columns[..], unique].concat();
        let tables = [PLAIN, &[("shop_profile", lines.as_slice())]].concat();
        for keys in [keys, [keys[1], keys[0]]] {
            let found = find(&catalogue(&tables, &keys), &options);
            match (found, expected) {
                (Ok(mapping), Ok(expected)) => assert_eq!(sources(&mapping)["profile joined by"], expected),
                (Err(error), Err(expected)) => {
                    let error = error.to_string();
                    assert!(error.contains("--map profile_user=COLUMN"), "{error}");
                    assert!(expected.split(", ").all(|column| error.contains(column)), "{error}");
                }
                (found, _) => panic!("{unique:?}: {found:?}"),
            }
        }
    }
}

/// A profile that is not unique by a constraint is checked by its rows.
#[test]
fn a_profile_has_one_row_for_each_user() {
    let tables = [PLAIN, &[("shop_profile", &["id", "phone", "user_id"][..])]].concat();
    let catalogue = catalogue(&tables, &[("shop_profile", "user_id", "auth_user")]);
    let options = with(|options| options.profile_table = Some("shop_profile".into()));
    assert!(Mapping::find(&catalogue, &Rows(&[]), &options).is_ok());
    let error = Mapping::find(&catalogue, &Rows(&["7", "8"]), &options).unwrap_err().to_string();
    assert!(error.contains("shop_profile has several rows with the same user_id (7, 8)"), "{error}");
}

/// Where a reference is declared it decides, whatever the columns are called.
#[test]
fn a_declared_reference_to_another_table_is_not_ours() {
    let tables = [PLAIN, &[("clients_client", &["id", "name"][..])]].concat();
    let found = find(
        &catalogue(&tables, &[("authtoken_token", "user_id", "clients_client")]),
        &with(|options| options.user_table = Some("auth_user".into())),
    );
    let mapping = found.unwrap();
    assert_eq!(mapping.tokens, None);
    assert_eq!(
        listed(&mapping, "tables of tokens that are not read"),
        ["authtoken_token.user_id refers to clients_client.id"]
    );
    let named = with(|options| {
        options.user_table = Some("auth_user".into());
        options.token_table = Some("authtoken_token".into());
    });
    let catalogue = catalogue(&tables, &[("authtoken_token", "user_id", "clients_client")]);
    let error = find(&catalogue, &named).unwrap_err().to_string();
    assert!(error.contains("authtoken_token.user_id refers to clients_client.id"), "{error}");
}

/// Keys by multi-table inheritance, and references to other unique columns, identify users.
#[test]
fn inherited_keys_and_other_unique_columns_identify_users() {
    let tables: &[(&str, &[&str])] = &[
        ("hr_party", &["id", "phone", "created_at"]),
        ("hr_account", &["party_ptr_id", "password", "last_login", "username", "!username"]),
        ("hr_vendor", &["party_ptr_id"]),
        ("hr_account_groups", &["id", "account_id", "group_id"]),
        ("auth_group", &["id", "name"]),
        ("authtoken_token", &["key", "created", "user_id"]),
        ("hr_card", &["id", "email", "login", "!login"]),
        ("hr_invoice", &["id", "vendor_id"]),
    ];
    let keys = &[
        ("hr_account", "party_ptr_id", "hr_party"),
        ("hr_vendor", "party_ptr_id", "hr_party"),
        ("hr_account_groups", "account_id", "hr_account:party_ptr_id"),
        ("hr_account_groups", "group_id", "auth_group"),
        ("authtoken_token", "user_id", "hr_account:party_ptr_id"),
        ("hr_card", "login", "hr_account:username"),
        ("hr_invoice", "vendor_id", "hr_vendor:party_ptr_id"),
    ];
    let options = with(|options| options.profile_table = Some("hr_card".into()));
    let mapping = find(&catalogue(tables, keys), &options).unwrap();
    let found = sources(&mapping);
    assert_eq!(found["user id"], "hr_account.party_ptr_id");
    assert_eq!(
        (found["user mobile_number"].as_str(), found["user email"].as_str()),
        ("hr_party.phone", "hr_card.email")
    );
    assert_eq!(found["profile joined by"], "hr_card.login = hr_account.username");
    assert_eq!(found["memberships"], "hr_account_groups");
    assert_eq!(found["tokens joined by"], "authtoken_token.user_id = hr_account.party_ptr_id");
    assert_eq!(listed(&mapping, "tables that refer to users"), ["hr_vendor (party_ptr_id)"]);
}

/// What joins users and groups can be anything, so only Django's own table is taken without its name.
#[test]
fn only_django_s_own_table_is_taken_for_the_memberships() {
    let other = ("club_invitation", &["id", "user_id", "group_id", "!user_id group_id"][..]);
    let tables = [&PLAIN[..1], &PLAIN[2..], &[other]].concat();
    let keys = [("club_invitation", "user_id", "auth_user"), ("club_invitation", "group_id", "auth_group")];
    let mapping = find(&catalogue(&tables, &keys), &MappingOptions::default()).unwrap();
    assert_eq!(mapping.memberships, None);
    assert_eq!(
        listed(&mapping, "tables that join users and groups"),
        ["club_invitation (group_id, user_id)"]
    );
    let named = with(|options| options.membership_table = Some("club_invitation".into()));
    let found = sources(&find(&catalogue(&tables, &keys), &named).unwrap());
    assert_eq!(found["memberships"], "club_invitation");
}

/// Tables that are not in the search path are found if there is nothing else, and are always named with their schema.
#[test]
fn tables_of_another_schema_are_found() {
    let tables: Vec<(String, &[&str])> =
        PLAIN.iter().map(|(name, columns)| (format!("backoffice.{name}"), *columns)).collect();
    let tables: Vec<(&str, &[&str])> =
        tables.iter().map(|(name, columns)| (name.as_str(), *columns)).collect();
    let found = find(&catalogue(&tables, &[]), &MappingOptions::default()).unwrap();
    let found = sources(&found);
    assert_eq!(found["user email"], "backoffice.auth_user.email");
    assert_eq!(found["memberships"], "backoffice.auth_user_groups");
    let both = [&tables[..], PLAIN].concat();
    for name in ["backoffice.auth_user", "auth_user"] {
        let options = with(|options| options.user_table = Some(name.into()));
        assert_eq!(
            sources(&find(&catalogue(&both, &[]), &options).unwrap())["user id"],
            format!("{name}.id")
        );
    }
    let tenants = [("one.auth_user", PLAIN[0].1), ("two.auth_user", PLAIN[0].1)];
    for options in [MappingOptions::default(), with(|options| options.user_table = Some("auth_user".into()))]
    {
        let error = find(&catalogue(&tenants, &[]), &options).unwrap_err().to_string();
        assert!(error.contains("one.auth_user, two.auth_user") && error.contains("--user-table"), "{error}");
    }
}

/// Two columns to users in a membership table: the pair that is unique decides.
#[test]
fn a_unique_pair_says_who_the_member_is() {
    let keys = [
        ("auth_user_groups", "invited_by_id", "auth_user"),
        ("auth_user_groups", "user_id", "auth_user"),
        ("auth_user_groups", "group_id", "auth_group"),
    ];
    let shape = |unique: &'static str| {
        let columns = ["id", "invited_by_id", "user_id", "group_id", "since", unique];
        columns.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>()
    };
    let find = |unique| {
        let lines = shape(unique);
        let tables = [&PLAIN[..1], &PLAIN[2..], &[("auth_user_groups", lines.as_slice())]].concat();
        find(&catalogue(&tables, &keys), &MappingOptions::default())
    };
    let found = sources(&find("!user_id group_id").unwrap());
    assert!(found["memberships joined by"].starts_with("auth_user_groups.user_id = auth_user.id"));
    let error = find("").unwrap_err().to_string();
    assert!(
        error.contains("--map membership_user=COLUMN") && error.contains("invited_by_id, user_id"),
        "{error}"
    );
}
