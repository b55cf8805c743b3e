//! `wardroom user`: people and service accounts.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::{confirm, new_password, open, operator};
use super::report::{CliError, Report};
use crate::config::Config;
use crate::directory::model::{Timestamp, TokenState, User, UserDraft, UserId, UserKey};
use crate::directory::query::{DeletedQuery, UserFilters, UserQuery};
use crate::directory::{Actor, Directory};

/// The commands about users.
#[derive(Subcommand)]
pub(super) enum UserVerb {
    /// Make a user. Without a password it can only use tokens.
    Add(Add),
    /// List users in the order of their ids.
    List(List),
    /// Show one user.
    Show(Show),
    /// Change a user.
    Edit(Edit),
    /// Keep a user from authenticating, from now on, with any token.
    Disable(Activation),
    /// Let a user authenticate again. Its tokens work again, unless they are ended.
    Enable(Activation),
    /// Replace a user's password. Its tokens go on, unless they are ended.
    SetPassword(SetPassword),
    /// End everything of a user: revoke every token, and all that came of its sign-ins.
    SignOut(Show),
    /// Remove a user; its tokens are gone for good, the rest can be brought back for a time.
    Delete(Delete),
    /// List deleted users that can still be brought back, newest first.
    Deleted(Deleted),
    /// Bring a deleted user back, without its tokens.
    Restore(Restore),
    /// Remove a deleted user for good, before its time.
    Purge(Purge),
}

#[derive(Args)]
pub(super) struct Add {
    /// The username: 1 to 150 letters, digits and @ . + - _, not yet taken.
    username: String,
    #[command(flatten)]
    details: Details,
    /// May enter the back office.
    #[arg(long)]
    staff: bool,
    /// May do everything.
    #[arg(long)]
    admin: bool,
    /// Cannot authenticate until enabled.
    #[arg(long)]
    inactive: bool,
    /// Ask for a password on the terminal.
    #[arg(long, conflicts_with = "password_stdin")]
    password: bool,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
}

/// What is known of a user beyond its name and rights.
#[derive(Args, Default, PartialEq)]
pub(super) struct Details {
    /// Email address; empty text removes it.
    #[arg(long)]
    email: Option<String>,
    /// Mobile number, such as +1-555-0123; empty text removes it.
    #[arg(long)]
    mobile_number: Option<String>,
    /// First name, at most 150 characters.
    #[arg(long)]
    first_name: Option<String>,
    /// Last name, at most 150 characters.
    #[arg(long)]
    last_name: Option<String>,
    /// male, female, non-binary or other; empty text removes it.
    #[arg(long)]
    gender: Option<String>,
}

#[derive(Args)]
pub(super) struct List {
    /// Rows at the most (1 to 1000).
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only users with a greater id: where the last page ended.
    #[arg(long, value_name = "ID")]
    after: Option<UserId>,
    /// Only active users (true), or only others (false).
    #[arg(long, value_name = "BOOL")]
    active: Option<bool>,
    /// Only staff (true), or only others (false).
    #[arg(long, value_name = "BOOL")]
    staff: Option<bool>,
    /// Only admins (true), or only others (false).
    #[arg(long, value_name = "BOOL")]
    admin: Option<bool>,
    /// Only members of the group with this id.
    #[arg(long, value_name = "ID")]
    group: Option<crate::directory::model::GroupId>,
    /// Only the user with this email address, without regard to case.
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    email: Option<String>,
    /// Only the user with exactly this mobile number.
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    mobile_number: Option<String>,
}

#[derive(Args)]
pub(super) struct Show {
    /// The user: its id or its username.
    user: UserKey,
}

#[derive(Args)]
pub(super) struct Activation {
    /// The user: its id or its username.
    user: UserKey,
    /// Revoke every token of the user as well, and all that came of its sign-ins.
    #[arg(long)]
    sign_out: bool,
}

#[derive(Args)]
pub(super) struct Edit {
    /// The user: its id or its username.
    user: UserKey,
    /// The new username.
    #[arg(long)]
    username: Option<String>,
    #[command(flatten)]
    details: Details,
    /// May enter the back office (true or false).
    #[arg(long, value_name = "BOOL")]
    staff: Option<bool>,
    /// May do everything (true or false).
    #[arg(long, value_name = "BOOL")]
    admin: Option<bool>,
}

#[derive(Args)]
pub(super) struct SetPassword {
    /// The user: its id or its username.
    user: UserKey,
    /// Read the password from the first line of standard input instead of asking on the terminal.
    #[arg(long)]
    password_stdin: bool,
    /// Revoke every token of the user as well, and all that came of its sign-ins.
    #[arg(long)]
    sign_out: bool,
}

#[derive(Args)]
pub(super) struct Delete {
    /// The user: its id or its username.
    user: UserKey,
    /// Do not ask for confirmation.
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
pub(super) struct Deleted {
    /// Rows at the most (1 to 1000).
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only those in whom this is found: terms with blanks between.
    #[arg(long)]
    search: Option<String>,
}

#[derive(Args)]
pub(super) struct Restore {
    /// The id of the deleted user.
    id: UserId,
}

#[derive(Args)]
pub(super) struct Purge {
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
        UserVerb::Show(Show { user }) => Ok(shown(&directory.user(&actor, &user).await?)),
        UserVerb::Edit(args) => edit(&directory, &actor, args).await,
        UserVerb::Disable(args) => activate(&directory, &actor, args, false).await,
        UserVerb::Enable(args) => activate(&directory, &actor, args, true).await,
        UserVerb::SetPassword(args) => {
            directory.user(&actor, &args.user).await?;
            let password = new_password(args.password_stdin)?;
            let draft = UserDraft { sign_out: args.sign_out, ..UserDraft::default() };
            let user = directory.update_user(&actor, &args.user, &draft, Some(password)).await?.value;
            told_of_tokens(&directory, &actor, &user, done("Set the password of", &user)).await
        }
        UserVerb::SignOut(Show { user }) => {
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
        UserVerb::Restore(Restore { id }) => {
            Ok(done("Restored", &directory.restore_user(&actor, id).await?.value))
        }
        UserVerb::Purge(Purge { id, yes }) => {
            confirm(yes, &format!("Purge the deleted user {id} for good?"))?;
            let gone = directory.purge_user(&actor, id).await?;
            let text = format!("Purged user {} ({}).\n", gone.id, gone.username);
            Ok(Report::new(text, json!({ "id": gone.id.get(), "username": gone.username })))
        }
    }
}

async fn add(directory: &Directory, actor: &Actor, args: Add) -> Result<Report, CliError> {
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

async fn list(directory: &Directory, actor: &Actor, args: List) -> Result<Report, CliError> {
    let List { limit, after, active, staff, admin, group, email, mobile_number } = args;
    let (is_active, is_staff, is_admin) = (active, staff, admin);
    let filters =
        UserFilters { is_active, is_staff, is_admin, group, email, mobile_number, ..UserFilters::default() };
    let query = UserQuery::by_id(filters, after.map(UserId::get), limit);
    let users = directory.list_users(actor, &query).await?.rows;
    let rows: Vec<_> = users.iter().map(row).collect();
    let heads = ["id", "username", "full name", "email", "rights", "last login"];
    Ok(Report::table(heads, &rows, users.iter().map(json).collect()))
}

async fn deleted(directory: &Directory, actor: &Actor, args: Deleted) -> Result<Report, CliError> {
    let limit = Some(("limit".to_owned(), args.limit.to_string()));
    let order = Some(("ordering".to_owned(), "-deleted_at".to_owned()));
    let search = args.search.map(|terms| ("search".to_owned(), terms));
    let asked: Vec<_> = [limit, order, search].into_iter().flatten().collect();
    let query = DeletedQuery::parse(&asked).map_err(crate::directory::Error::Invalid)?;
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

async fn edit(directory: &Directory, actor: &Actor, args: Edit) -> Result<Report, CliError> {
    let Edit { user, username, details, staff, admin } = args;
    if username.is_none() && staff.is_none() && admin.is_none() && details == Details::default() {
        return Err(CliError::usage(format!(
            "say what to change of the user {user}: see `wardroom user edit --help`"
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
        true => told_of_tokens(directory, actor, &user, done("Enabled", &user)).await,
        false => Ok(done("Disabled", &user)),
    }
}

/// Says how many tokens of a user work, and how to end them.
async fn told_of_tokens(
    directory: &Directory,
    actor: &Actor,
    user: &User,
    report: Report,
) -> Result<Report, CliError> {
    let now = directory.clock().now();
    let tokens = directory.tokens(actor, &UserKey::Id(user.id)).await?;
    let active = tokens.iter().filter(|token| token.state(now) == TokenState::Active).count();
    if active > 0 && user.is_active {
        let told =
            format!("{active} tokens of this user work: `wardroom user sign-out {}` ends them.\n", user.id);
        return Ok(report.adding(&told));
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
