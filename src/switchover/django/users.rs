//! Finds the table of the users, the tables with one row a user, and the columns of their fields.

use super::catalogue::{Catalogue, is_whole_type, list};
use super::evidence::Evidence;
use super::joins::{Join, JoinSearch};
use super::options::{MappingOptions, user_fields};
use super::owner::{Noun, Owner};
use super::tables::{FlagSource, MappedTable, UserTables};
use crate::database::foreign::{ForeignColumn, ForeignTable};
use crate::directory::model::FLAG_FIELDS;
use crate::directory::transfer::import::error::ImportError;

/// Tables that refer to the project's user model.
const REFERRERS: [&str; 3] = ["authtoken_token", "knox_authtoken", "django_admin_log"];
/// Columns that every user model of Django has.
const MARKS: [&str; 2] = ["password", "last_login"];

/// Finds the users' table, its key and the columns of users' fields.
pub(super) fn find(
    catalogue: &Catalogue,
    evidence: &dyn Evidence,
    options: &MappingOptions,
) -> Result<UserTables, ImportError> {
    let table = user_table(catalogue, options)?;
    let owner = Owner::find(catalogue, evidence, options, Noun::Users, table)?;
    let flags = flags(catalogue, options, &owner.table)?;
    let mut known: Vec<String> = flags.iter().map(|(field, _)| field.clone()).collect();
    let users = fields(catalogue, options, (&owner.table, Join::own(&owner)), true, &mut known)?;
    let mut tables = UserTables { users, sides: Vec::new(), flags, owner };
    for (table, join, is_parent) in side_tables(catalogue, evidence, options, &tables.owner)? {
        tables.sides.push(fields(catalogue, options, (&table, join), is_parent, &mut known)?);
    }
    check_columns(catalogue, options, &tables, &known)?;
    add_username(catalogue, options, &mut tables, &known)?;
    Ok(tables)
}

fn user_table(catalogue: &Catalogue, options: &MappingOptions) -> Result<ForeignTable, ImportError> {
    if let Some(table) = &options.user_table {
        return catalogue.resolve(table, "--user-table");
    }
    // Tables before views, and what the search path shows before other schemas.
    for (is_visible, is_view) in [(true, false), (true, true), (false, false), (false, true)] {
        let is_level = |table: &&ForeignTable| {
            table.schema.is_none() == is_visible && catalogue.is_view(table) == is_view
        };
        let candidates: Vec<_> =
            catalogue.tables.keys().filter(is_level).filter(|table| is_candidate(catalogue, table)).collect();
        let referred: Vec<_> =
            candidates.iter().copied().filter(|table| is_user_model(catalogue, table)).collect();
        match if referred.is_empty() { candidates } else { referred }.as_slice() {
            [] => {}
            [table] => return Ok((*table).clone()),
            several => {
                return Err(ImportError::Ambiguous(format!(
                    "several tables could be the table of users: {}; name one with --user-table",
                    list(several)
                )));
            }
        }
    }
    Err(ImportError::Ambiguous(format!(
        "the source has no table of users as Django creates it, with the columns {} and a key: name it with --user-table; \
         the source has {} tables: {}",
        MARKS.join(", "),
        catalogue.tables.len(),
        list(catalogue.tables.keys())
    )))
}

/// Returns the other tables that look like a user model: in other schemas, or beside the one that is read.
pub(super) fn others(catalogue: &Catalogue, read: &[&ForeignTable], users: &Owner) -> Vec<ForeignTable> {
    let is_part = |table: &ForeignTable| users.identities.iter().any(|known| known.table == *table);
    let found = catalogue.tables.keys().filter(|table| {
        is_candidate(catalogue, table)
            && !catalogue.is_view(table)
            && !read.contains(table)
            && !is_part(table)
    });
    found.cloned().collect()
}

fn is_candidate(catalogue: &Catalogue, table: &ForeignTable) -> bool {
    let has_key = catalogue.primary_key(table).is_some() || catalogue.column(table, "id").is_some();
    has_key && MARKS.iter().all(|mark| catalogue.column(table, mark).is_some())
}

fn is_user_model(catalogue: &Catalogue, table: &ForeignTable) -> bool {
    catalogue.references.iter().any(|key| {
        key.to == *table
            && key.column.eq_ignore_ascii_case("user_id")
            && REFERRERS.iter().any(|name| key.table.name.eq_ignore_ascii_case(name))
    })
}

/// Returns the tables with one row a user besides the users' own: parents by multi-table inheritance, and the profile that
/// the operator names. The flag says which are parents.
fn side_tables(
    catalogue: &Catalogue,
    evidence: &dyn Evidence,
    options: &MappingOptions,
    owner: &Owner,
) -> Result<Vec<(ForeignTable, Join, bool)>, ImportError> {
    let mut found = Vec::new();
    for parent in owner.identities.iter().filter(|known| known.is_parent) {
        if let Some(column) = catalogue.column(&parent.table, &parent.column) {
            let join = Join { column: column.clone(), to: parent.to.clone() };
            found.push((parent.table.clone(), join, true));
        }
    }
    let Some(named) = options.profile_table.as_deref().filter(|named| !named.is_empty()) else {
        return Ok(found);
    };
    let table = catalogue.resolve(named, "--profile-table")?;
    if found.iter().any(|(known, ..)| *known == table) {
        return Ok(found);
    }
    let search =
        JoinSearch { catalogue, options, owner, table: &table, field: "profile_user", usual: "user_id" };
    let join = search.find_one_each(evidence)?.ok_or_else(|| {
        let why = search.elsewhere().map_or_else(String::new, |why| format!(" ({why})"));
        ImportError::Ambiguous(format!(
            "the table {table} does not refer to {}{why}: name the column that does with --map profile_user=COLUMN, or \
             another table with --profile-table",
            owner.table
        ))
    })?;
    found.push((table, join, false));
    Ok(found)
}

/// Returns the flags that the operator sets or derives from a group.
fn flags(
    catalogue: &Catalogue,
    options: &MappingOptions,
    users: &ForeignTable,
) -> Result<Vec<(String, FlagSource)>, ImportError> {
    let mut found = Vec::new();
    for field in FLAG_FIELDS {
        let source = match options.column(field) {
            Some(named) if catalogue.column(users, named).is_some() => None,
            Some("true") => Some(FlagSource::Constant(true)),
            Some("false") => Some(FlagSource::Constant(false)),
            Some(named) => named.strip_prefix("group:").map(|name| FlagSource::Group(name.trim().to_owned())),
            None => None,
        };
        if let Some(FlagSource::Group(name)) = &source
            && name.is_empty()
        {
            return Err(ImportError::Ambiguous(format!(
                "--map {field}=group: needs the name of a group, as in --map {field}=group:Staff"
            )));
        }
        found.extend(source.map(|source| ((*field).to_owned(), source)));
    }
    Ok(found)
}

/// Returns a table with the fields that it has a column for and that no earlier table had. A profile has no username and
/// password, unless the operator names them.
fn fields(
    catalogue: &Catalogue,
    options: &MappingOptions,
    (table, join): (&ForeignTable, Join),
    has_sign_in: bool,
    known: &mut Vec<String>,
) -> Result<MappedTable, ImportError> {
    let mut columns = Vec::new();
    let is_of_table = |field: &&str| has_sign_in || !["username", "password"].contains(field);
    for field in user_fields() {
        if known.iter().any(|other| other == field) {
            continue;
        }
        let column = match options.column(field) {
            Some("") => None,
            Some(named) => {
                let prefix = format!("{table}.");
                let own = named.strip_prefix(&prefix).unwrap_or(named);
                match catalogue.column(table, own) {
                    Some(_) => Some(catalogue.named_column(table, field, own)?),
                    None => None,
                }
            }
            None if is_of_table(&field) => catalogue.usual_column(table, field, field)?,
            None => None,
        };
        if let Some(column) = column {
            columns.push((field.to_owned(), column));
            known.push(field.to_owned());
        }
    }
    Ok(MappedTable { table: table.clone(), join, columns })
}

/// Every column that the operator names must exist, and a password must be found or left out on purpose.
fn check_columns(
    catalogue: &Catalogue,
    options: &MappingOptions,
    tables: &UserTables,
    known: &[String],
) -> Result<(), ImportError> {
    let is_known = |field: &str| known.iter().any(|other| other == field);
    let read = || list(tables.all().map(|table| &table.table));
    let columns = || {
        let of_table = |table: &MappedTable| {
            let columns = catalogue.columns(&table.table).iter();
            columns.map(|column| format!("{}.{}", table.table, column.name)).collect::<Vec<_>>()
        };
        list(tables.all().flat_map(of_table))
    };
    for (field, column) in options.columns.iter().filter(|(_, column)| !column.is_empty()) {
        if user_fields().any(|other| other == field) && !is_known(field) {
            return Err(ImportError::Ambiguous(format!(
                "no table of users has the column {column:?} for {field} (--map {field}={column}); their columns are {}",
                columns()
            )));
        }
    }
    if !is_known("password") && options.column("password").is_none() {
        return Err(ImportError::Ambiguous(format!(
            "{} has no column for password: name it with --map password=COLUMN, or leave it out with --map password= (the \
             columns are {})",
            read(),
            columns()
        )));
    }
    Ok(())
}

/// Users of a model without usernames sign in with a column that is unique. That is the e-mail address if no other text is
/// unique; otherwise the operator says which one it is.
fn add_username(
    catalogue: &Catalogue,
    options: &MappingOptions,
    tables: &mut UserTables,
    known: &[String],
) -> Result<(), ImportError> {
    if known.iter().any(|field| field == "username") {
        return Ok(());
    }
    let owner = tables.owner.table.clone();
    let is_sign_in = |column: &&ForeignColumn| {
        let is_text = !is_whole_type(&column.kind) && column.kind != "uuid";
        is_text && column.name != tables.owner.key.name && catalogue.is_unique(&owner, &[&column.name])
    };
    let unique: Vec<String> =
        catalogue.columns(&owner).iter().filter(is_sign_in).map(|column| column.name.clone()).collect();
    let email = tables.all_mut().find_map(|table| {
        let column = table.columns.iter().find(|(field, _)| field == "email")?.1.clone();
        Some((table, column))
    });
    match (email, unique.as_slice()) {
        (Some((table, column)), unique)
            if options.column("username") != Some("") && unique.iter().all(|name| *name == column.name) =>
        {
            table.columns.push(("username".to_owned(), column));
            Ok(())
        }
        (_, unique) => {
            let (what, names) = match unique {
                [] => ("its columns are", list(catalogue.columns(&owner).iter().map(|column| &column.name))),
                unique => ("these are unique:", list(unique)),
            };
            Err(ImportError::Ambiguous(format!(
                "the table {owner} has no column for username: name the column with which users sign in with --map \
                 username=COLUMN; {what} {names}"
            )))
        }
    }
}
