//! `wardroom user`: users and service accounts.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::{confirm, new_password, open, operator};
use super::report::{CliError, Report};
use crate::config::Config;
use crate::directory::model::{Timestamp, TokenState, User, UserDraft, UserId, UserKey};
use crate::directory::query::{DeletedQuery, UserFilters, UserQuery};
use crate::directory::{Actor, Directory};

/// The commands of `wardroom user`.
#[derive(Subcommand)]
pub(super) enum UserVerb {
    /// Create a user. Without a password, the user can only use tokens.
    Add(AddUser),
    /// List users by id.
    List(ListUsers),
    /// Show one user.
    Show(ShowUser),
    /// Change a user.
    Edit(EditUser),
    /// Disable a user. The user can no longer authenticate with any token.
    Disable(Activation),
    /// Enable a disabled user. Tokens that were not revoked work again.
    Enable(Activation),
    /// Set a new password for a user. Existing tokens remain valid unless --sign-out is given.
    SetPassword(SetPassword),
    /// Revoke all tokens of a user and end all of the user's sign-ins.
    SignOut(ShowUser),
    /// Delete a user. The user's tokens are deleted permanently; the user can be restored for a limited time.
    Delete(DeleteUser),
    /// List deleted users that can still be restored, newest first.
    Deleted(ListDeleted),
    /// Restore a deleted user, without tokens.
    Restore(RestoreUser),
    /// Delete a deleted user permanently now.
    Purge(PurgeUser),
}

#[derive(Args)]
pub(super) struct AddUser {
    /// The username: 1 to 150 letters, digits and @ . + - _, not used by another user.
    username: String,
    #[command(flatten)]
    details: Details,
    /// Make the user staff, who may use the back office.
    #[arg(long)]
    staff: bool,
    /// Make the user an admin, who may do everything.
    #[arg(long)]
    admin: bool,
    /// Create the user disabled. Disabled users cannot authenticate until they are enabled.
    #[arg(long)]
    inactive: bool,
    /// Ask for a password on the terminal.
    #[arg(long, conflicts_with = "password_stdin")]
    password: bool,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
}

/// Optional fields of a user.
#[derive(Args, Default, PartialEq)]
pub(super) struct Details {
    /// The email address. An empty value removes it.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The mobile number, such as +1-555-0123. An empty value removes it.
    #[arg(long, value_name = "NUMBER")]
    mobile_number: Option<String>,
    /// The first name, at most 150 characters.
    #[arg(long, value_name = "NAME")]
    first_name: Option<String>,
    /// The last name, at most 150 characters.
    #[arg(long, value_name = "NAME")]
    last_name: Option<String>,
    /// The gender: male, female, non-binary or other. An empty value removes it.
    #[arg(long)]
    gender: Option<String>,
}

#[derive(Args)]
pub(super) struct ListUsers {
    /// The maximum number of rows (1 to 1000).
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only users with a higher id. To page, give the last id of the previous page.
    #[arg(long, value_name = "ID")]
    after: Option<UserId>,
    /// Only active users (true) or only inactive users (false).
    #[arg(long, value_name = "BOOL")]
    active: Option<bool>,
    /// Only staff (true) or only users who are not staff (false).
    #[arg(long, value_name = "BOOL")]
    staff: Option<bool>,
    /// Only admins (true) or only users who are not admins (false).
    #[arg(long, value_name = "BOOL")]
    admin: Option<bool>,
    /// Only members of the group with this id.
    #[arg(long, value_name = "ID")]
    group: Option<crate::directory::model::GroupId>,
    /// Only the user with this email address, ignoring case.
    #[arg(long, value_name = "ADDRESS", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    email: Option<String>,
    /// Only the user with exactly this mobile number.
    #[arg(long, value_name = "NUMBER", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    mobile_number: Option<String>,
}

#[derive(Args)]
pub(super) struct ShowUser {
    /// The user, by id or username.
    user: UserKey,
}

#[derive(Args)]
pub(super) struct Activation {
    /// The user, by id or username.
    user: UserKey,
    /// Also revoke all tokens of the user and end all of the user's sign-ins.
    #[arg(long)]
    sign_out: bool,
}

#[derive(Args)]
pub(super) struct EditUser {
    /// The user, by id or username.
    user: UserKey,
    /// The new username.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    #[command(flatten)]
    details: Details,
    /// Whether the user is staff.
    #[arg(long, value_name = "BOOL")]
    staff: Option<bool>,
    /// Whether the user is an admin.
    #[arg(long, value_name = "BOOL")]
    admin: Option<bool>,
}

#[derive(Args)]
pub(super) struct SetPassword {
    /// The user, by id or username.
    user: UserKey,
    /// Read the password from the first line of standard input instead of asking on the terminal.
    #[arg(long)]
    password_stdin: bool,
    /// Also revoke all tokens of the user and end all of the user's sign-ins.
    #[arg(long)]
    sign_out: bool,
}

#[derive(Args)]
pub(super) struct DeleteUser {
    /// The user, by id or username.
    user: UserKey,
    /// Do not ask for confirmation.
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
pub(super) struct ListDeleted {
    /// The maximum number of rows (1 to 1000).
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only users that match all these terms, separated by blanks.
    #[arg(long, value_name = "TERMS")]
    search: Option<String>,
}

#[derive(Args)]
pub(super) struct RestoreUser {
    /// The id of the deleted user.
    id: UserId,
}

#[derive(Args)]
pub(super) struct PurgeUser {
    /// The id of the deleted user.
    id: UserId,
    /// Do not ask for confirmation.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(verb: UserVerb, config: &Config) -> Result<Report, CliError> {
    let (directory, actor) = (open(config).await?, operator());
    match verb {
        UserVerb::Add(args) => add(&directory, &actor, args).await,
        UserVerb::List(args) => list(&directory, &actor, args).await,
        UserVerb::Show(ShowUser { user }) => Ok(shown(&directory.user(&actor, &user).await?)),
        UserVerb::Edit(args) => edit(&directory, &actor, args).await,
        UserVerb::Disable(args) => activate(&directory, &actor, args, false).await,
        UserVerb::Enable(args) => activate(&directory, &actor, args, true).await,
        UserVerb::SetPassword(args) => {
            directory.user(&actor, &args.user).await?;
            let password = new_password(args.password_stdin)?;
            let draft = UserDraft { sign_out: args.sign_out, ..UserDraft::default() };
            let user = directory.update_user(&actor, &args.user, &draft, Some(password)).await?.value;
            with_active_tokens(&directory, &actor, &user, done("Set the password of", &user)).await
        }
        UserVerb::SignOut(ShowUser { user }) => {
            let found = directory.user(&actor, &user).await?;
            let ended = directory.sign_out_user(&actor, &UserKey::Id(found.id)).await?;
            let text =
                format!("Signed out user {} ({}): {ended} tokens revoked.\n", found.id, found.username);
            let json = json!({ "id": found.id.get(), "username": found.username, "ended": ended });
            Ok(Report::new(text, json))
        }
        UserVerb::Delete(args) => {
            confirm(args.yes, &format!("Delete the user {}?", args.user))?;
            Ok(done("Deleted", &directory.delete_user(&actor, &args.user).await?))
        }
        UserVerb::Deleted(args) => deleted(&directory, &actor, args).await,
        UserVerb::Restore(RestoreUser { id }) => {
            Ok(done("Restored", &directory.restore_user(&actor, id).await?.value))
        }
        UserVerb::Purge(PurgeUser { id, yes }) => {
            confirm(yes, &format!("Delete the user {id} permanently?"))?;
            let gone = directory.purge_user(&actor, id).await?;
            let text = format!("Purged user {} ({}).\n", gone.id, gone.username);
            Ok(Report::new(text, json!({ "id": gone.id.get(), "username": gone.username })))
        }
    }
}

async fn add(directory: &Directory, actor: &Actor, args: AddUser) -> Result<Report, CliError> {
    let wants_password = args.password || args.password_stdin;
    let password = wants_password.then(|| new_password(args.password_stdin)).transpose()?;
    let draft = UserDraft {
        username: Some(args.username),
        is_staff: Some(args.staff),
        is_admin: Some(args.admin),
        is_active: Some(!args.inactive),
        ..args.details.draft()
    };
    Ok(done("Added", &directory.create_user(actor, &draft, password).await?.value))
}

async fn list(directory: &Directory, actor: &Actor, args: ListUsers) -> Result<Report, CliError> {
    let ListUsers { limit, after, active, staff, admin, group, email, mobile_number } = args;
    let (is_active, is_staff, is_admin) = (active, staff, admin);
    let filters =
        UserFilters { is_active, is_staff, is_admin, group, email, mobile_number, ..UserFilters::default() };
    let query = UserQuery::by_id(filters, after.map(UserId::get), limit);
    let users = directory.list_users(actor, &query).await?.rows;
    let rows: Vec<_> = users.iter().map(row).collect();
    let heads = ["id", "username", "full name", "email", "rights", "last login"];
    Ok(Report::table(heads, &rows, users.iter().map(json).collect()))
}

async fn deleted(directory: &Directory, actor: &Actor, args: ListDeleted) -> Result<Report, CliError> {
    let limit = Some(("limit".to_owned(), args.limit.to_string()));
    let order = Some(("ordering".to_owned(), "-deleted_at".to_owned()));
    let search = args.search.map(|terms| ("search".to_owned(), terms));
    let parameters: Vec<_> = [limit, order, search].into_iter().flatten().collect();
    let query = DeletedQuery::parse(&parameters).map_err(crate::directory::Error::Invalid)?;
    let found = directory.list_deleted(actor, &query).await?.rows;
    let kept_for = directory.deleted_kept_for();
    let rows: Vec<_> = found
        .iter()
        .map(|user| {
            let (at, end) = (user.deleted_at.to_string(), user.purge_at(kept_for).to_string());
            [user.id.to_string(), user.username.clone(), at, user.deleted_by.clone(), end]
        })
        .collect();
    let json = found.iter().map(|user| {
        json!({
            "id": user.id.get(),
            "username": user.username,
            "email": user.email,
            "deleted_at": user.deleted_at.to_string(),
            "deleted_by": user.deleted_by,
            "purge_at": user.purge_at(kept_for).to_string(),
        })
    });
    Ok(Report::table(["id", "username", "deleted at", "by", "purge at"], &rows, json.collect()))
}

async fn edit(directory: &Directory, actor: &Actor, args: EditUser) -> Result<Report, CliError> {
    let EditUser { user, username, details, staff, admin } = args;
    if username.is_none() && staff.is_none() && admin.is_none() && details == Details::default() {
        return Err(CliError::usage(format!(
            "nothing to change for the user {user}: see `wardroom user edit --help`"
        )));
    }
    let draft = UserDraft { username, is_staff: staff, is_admin: admin, ..details.draft() };
    Ok(done("Changed", &directory.update_user(actor, &user, &draft, None).await?.value))
}

async fn activate(
    directory: &Directory,
    actor: &Actor,
    Activation { user, sign_out }: Activation,
    active: bool,
) -> Result<Report, CliError> {
    let draft = UserDraft { is_active: Some(active), sign_out, ..UserDraft::default() };
    let user = directory.update_user(actor, &user, &draft, None).await?.value;
    match active {
        true => with_active_tokens(directory, actor, &user, done("Enabled", &user)).await,
        false => Ok(done("Disabled", &user)),
    }
}

/// Adds how many tokens of the user are active, and how to revoke them.
async fn with_active_tokens(
    directory: &Directory,
    actor: &Actor,
    user: &User,
    report: Report,
) -> Result<Report, CliError> {
    let now = directory.clock().now();
    let tokens = directory.tokens(actor, &UserKey::Id(user.id)).await?;
    let active = tokens.iter().filter(|token| token.state(now) == TokenState::Active).count();
    if active > 0 && user.is_active {
        let line = format!(
            "{active} tokens of this user are active. To revoke them: `wardroom user sign-out {}`\n",
            user.id
        );
        return Ok(report.adding(&line));
    }
    Ok(report)
}

impl Details {
    fn draft(self) -> UserDraft {
        let nullable = |text: Option<String>| text.map(|text| (!text.is_empty()).then_some(text));
        UserDraft {
            email: nullable(self.email),
            mobile_number: nullable(self.mobile_number),
            first_name: self.first_name,
            last_name: self.last_name,
            gender: nullable(self.gender),
            ..UserDraft::default()
        }
    }
}

fn done(verb: &str, user: &User) -> Report {
    Report::new(format!("{verb} user {} ({}).\n", user.id, user.username), json(user))
}

fn row(user: &User) -> [String; 6] {
    [
        user.id.to_string(),
        user.username.clone(),
        user.full_name(),
        user.email.clone().unwrap_or_default(),
        rights(user),
        when(user.last_login),
    ]
}

fn rights(user: &User) -> String {
    let flags = [(user.is_admin, "admin"), (user.is_staff, "staff"), (!user.is_active, "inactive")];
    flags.into_iter().filter_map(|(set, name)| set.then_some(name)).collect::<Vec<_>>().join(",")
}

fn when(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| at.to_string())
}

fn shown(user: &User) -> Report {
    let groups: Vec<_> = user.groups.iter().map(ToString::to_string).collect();
    let lines = [
        ("id", user.id.to_string()),
        ("username", user.username.clone()),
        ("full name", user.full_name()),
        ("email", user.email.clone().unwrap_or_default()),
        ("mobile number", user.mobile_number.clone().unwrap_or_default()),
        ("gender", user.gender.clone().unwrap_or_default()),
        ("avatar", user.avatar.clone().unwrap_or_default()),
        ("rights", rights(user)),
        ("groups", groups.join(",")),
        ("last login", when(user.last_login)),
        ("created", user.created_at.to_string()),
        ("updated", user.updated_at.to_string()),
    ];
    let text: String = lines
        .iter()
        .map(|(name, value)| format!("{name:<14} {value}").trim_end().to_owned() + "\n")
        .collect();
    Report::new(text, json(user))
}

fn json(user: &User) -> Value {
    json!({
        "id": user.id.get(),
        "username": user.username,
        "mobile_number": user.mobile_number,
        "email": user.email,
        "avatar": user.avatar,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "full_name": user.full_name(),
        "gender": user.gender,
        "groups": user.groups.iter().map(|group| group.get()).collect::<Vec<_>>(),
        "is_active": user.is_active,
        "is_staff": user.is_staff,
        "is_admin": user.is_admin,
        "last_login": user.last_login.map(|at| at.to_string()),
        "created_at": user.created_at.to_string(),
        "updated_at": user.updated_at.to_string(),
    })
}
