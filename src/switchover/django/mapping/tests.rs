use super::*;

fn catalogue(tables: &[(&str, &[&str])], references: &[(&str, &str, &str)]) -> Catalogue {
    let columns = tables.iter().flat_map(|(table, columns)| {
        columns.iter().map(|column| {
            let (name, kind) = column.split_once(' ').unwrap_or((column, "integer"));
            ForeignColumn { table: (*table).into(), name: name.into(), kind: kind.into() }
        })
    });
    let key = |(table, column, to): &(&str, &str, &str)| ForeignKey {
        table: (*table).into(),
        column: (*column).into(),
        to: (*to).into(),
    };
    Catalogue { columns: columns.collect(), references: references.iter().map(key).collect() }
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
    ("people_person_groups", &["id", "person_id", "group_id"]),
    ("auth_group", &["id", "name"]),
    ("people_groupprofile", &["id", "notes", "created_at", "group_id"]),
    ("django_admin_log", &["id", "user_id"]),
];
const CUSTOM_KEYS: &[(&str, &str, &str)] = &[
    ("django_admin_log", "user_id", "people_person"),
    ("people_person_groups", "person_id", "people_person"),
    ("people_person_groups", "group_id", "auth_group"),
    ("people_groupprofile", "group_id", "auth_group"),
];

fn sources(mapping: &Mapping) -> BTreeMap<String, String> {
    mapping.describe().into_iter().collect()
}

#[test]
fn django_s_own_tables_are_found_without_a_word() {
    let found = sources(&Mapping::find(&catalogue(PLAIN, &[]), &MappingOptions::default()).unwrap());
    assert_eq!(found["user created_at"], "auth_user.date_joined");
    assert_eq!(found["user is_admin"], "auth_user.is_superuser");
    assert_eq!(found["memberships"], "auth_user_groups");
    assert_eq!(
        (found["tokens of Django REST Framework"].as_str(), found["tokens of knox"].as_str()),
        ("authtoken_token", "nowhere")
    );
}

#[test]
fn a_custom_model_is_found_by_what_refers_to_it() {
    let mapping = Mapping::find(&catalogue(CUSTOM, CUSTOM_KEYS), &MappingOptions::default()).unwrap();
    let found = sources(&mapping);
    assert_eq!(
        (found["user mobile_number"].as_str(), found["user created_at"].as_str()),
        ("people_person.phone", "people_person.created_at")
    );
    assert_eq!(
        (found["memberships"].as_str(), found["group notes"].as_str()),
        ("people_person_groups", "people_groupprofile.notes")
    );
    assert_eq!(mapping.left_out, ["date_joined", "department"]);
}

#[test]
fn what_is_not_clear_is_asked() {
    let with = |change: &dyn Fn(&mut MappingOptions)| {
        let mut options = MappingOptions::default();
        change(&mut options);
        options
    };
    let column = |field: &str, column: &str| {
        with(&|options| drop(options.columns.insert(field.into(), column.into())))
    };
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
            with(&|options| options.user_table = Some("people".into())),
            "no table \"people\" (--user-table)",
        ),
        (
            PLAIN,
            &[],
            with(&|options| options.profile_table = Some("auth_group".into())),
            "\"auth_group\" does not refer to \"auth_user\"",
        ),
        (
            PLAIN,
            &[],
            with(&|options| options.group_table = Some("auth_group".into())),
            "neither notes nor times",
        ),
        (PLAIN, &[], column("age", "x"), "there is no field \"age\""),
        (PLAIN, &[], column("gender", "x"), "no table of users has the column \"x\" for gender"),
        (uuid, &[], MappingOptions::default(), "of the type \"uuid\""),
        (nameless, &[], MappingOptions::default(), "no column for username"),
        (
            &[("auth_user", &["id", "username"][..])][..],
            &[],
            with(&|options| options.user_table = Some("auth_user".into())),
            "no column for password",
        ),
    ] {
        let error = Mapping::find(&catalogue(tables, keys), &options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let without = Mapping::find(&catalogue(PLAIN, &[]), &column("email", "")).unwrap();
    assert!(without.left_out.contains(&"email".to_owned()));
}
