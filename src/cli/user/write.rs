//! `wardroom user add`, `edit`, `enable` and `disable`.

use clap::Args;

use super::avatar::{AvatarArgs, ChangedAvatar};
use super::view::done;
use crate::cli::accounts::Accounts;
use crate::cli::context::new_password;
use crate::cli::lists::{ListFilter, ListNoun, Switches};
use crate::cli::names::{self, Names};
use crate::cli::report::{CliError, Report};
use crate::directory::model::{Expected, GroupKey, PermissionKey, TokenState, User, UserDraft, UserKey};

/// The switches of `add`.
#[derive(Clone, Debug)]
pub(in crate::cli) struct NewUserSwitches;

/// The switches of `edit`.
#[derive(Clone, Debug)]
pub(in crate::cli) struct UserSwitches;

const STAFF: ListFilter = ListFilter::switch(
    "is_staff",
    ["staff", "no-staff"],
    ["Make the user staff, who may use the back office", "Make the user no staff"],
);
const ADMIN: ListFilter = ListFilter::switch(
    "is_admin",
    ["admin", "no-admin"],
    ["Make the user an admin, who may do everything", "Make the user no admin"],
);

impl ListNoun for NewUserSwitches {
    const FILTERS: &'static [ListFilter] = &[
        STAFF,
        ADMIN,
        ListFilter::switch(
            "is_active",
            ["active", "no-active"],
            [
                "Create the user active, which is the default",
                "Create the user disabled. Disabled users cannot authenticate until they are enabled",
            ],
        )
        .or_no("inactive"),
    ];
    const COLUMNS: &'static [&'static str] = &[];
    const SEARCH: Option<&'static str> = None;
}

impl ListNoun for UserSwitches {
    const FILTERS: &'static [ListFilter] = &[STAFF, ADMIN];
    const COLUMNS: &'static [&'static str] = &[];
    const SEARCH: Option<&'static str> = None;
}

#[derive(Args)]
pub(in crate::cli) struct AddUser {
    /// The username: 1 to 150 letters, digits and @ . + - _, not used by another user.
    username: String,
    #[command(flatten)]
    details: Details,
    #[command(flatten)]
    avatar: AvatarArgs,
    #[command(flatten)]
    switches: Switches<NewUserSwitches>,
    /// Add the user to this group, by id or name. It can be given several times.
    #[arg(long, value_name = "GROUP")]
    group: Vec<GroupKey>,
    /// Give the user this permission, by code or name. It can be given several times.
    #[arg(long, value_name = "PERMISSION")]
    permission: Vec<PermissionKey>,
    /// Ask for a password on the terminal.
    #[arg(long, conflicts_with = "password_stdin")]
    password: bool,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
    /// Send the user a link by mail to choose a password. It needs --email. `user invite` sends it again.
    #[arg(long, requires = "email", conflicts_with_all = ["password", "password_stdin"])]
    invite: bool,
}

/// Optional fields of a user.
#[derive(Args, Default, PartialEq)]
pub(in crate::cli) struct Details {
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
pub(in crate::cli) struct EditUser {
    /// The user, by id or username.
    user: UserKey,
    /// The new username.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    #[command(flatten)]
    details: Details,
    #[command(flatten)]
    avatar: ChangedAvatar,
    #[command(flatten)]
    switches: Switches<UserSwitches>,
}

#[derive(Args)]
pub(in crate::cli) struct Activation {
    /// The users, by id or username.
    #[arg(required = true, value_name = "USER")]
    users: Vec<UserKey>,
    /// Also revoke all tokens of the users and end all of their sign-ins.
    #[arg(long)]
    sign_out: bool,
}

pub(super) async fn add(accounts: &Accounts, args: AddUser) -> Result<Report, CliError> {
    let AddUser { username, details, avatar, switches, group, permission, password, password_stdin, invite } =
        args;
    let avatar = avatar.read()?;
    let mut names = Names::new(accounts);
    let (groups, permissions) = (names.groups(&group).await?, names.permissions(&permission).await?);
    names.check()?;
    let password = (password || password_stdin).then(|| new_password(password_stdin)).transpose()?;
    let ids = |ids: Vec<i64>| (!ids.is_empty()).then_some(ids);
    let draft = UserDraft {
        username: Some(username),
        is_staff: Some(switches.get("is_staff").unwrap_or(false)),
        is_admin: Some(switches.get("is_admin").unwrap_or(false)),
        is_active: Some(switches.get("is_active").unwrap_or(true)),
        groups: ids(groups.iter().map(|found| found.group.id.get()).collect()),
        permissions: ids(permissions.iter().map(|one| one.id.get()).collect()),
        ..details.draft()
    };
    let user = match avatar {
        avatar if invite => accounts.create_invited_user(&draft, avatar).await?,
        Some(avatar) => accounts.create_user_with(&draft, password, avatar).await?,
        None => accounts.create_user(&draft, password).await?,
    };
    Ok(done(if invite { "Added and invited" } else { "Added" }, &[user]))
}

pub(super) async fn edit(accounts: &Accounts, args: EditUser) -> Result<Report, CliError> {
    let EditUser { user, username, details, avatar, switches } = args;
    let is_empty = username.is_none() && switches.is_empty() && details == Details::default();
    if is_empty && avatar == ChangedAvatar::default() {
        return Err(CliError::usage(format!(
            "nothing to change for the user {user}: see `wardroom user edit --help`"
        )));
    }
    let avatar = avatar.read()?;
    let [is_staff, is_admin] = ["is_staff", "is_admin"].map(|name| switches.get(name));
    let draft = UserDraft { username, is_staff, is_admin, ..details.draft() };
    let user = accounts.user(&user).await?;
    let user = match avatar {
        Some(avatar) => accounts.change_user_with(user.id, &draft, avatar).await?,
        None => accounts.change_user(user.id, &draft, None, Expected::Any).await?,
    };
    Ok(done("Changed", &[user]))
}

pub(super) async fn activate(
    accounts: &Accounts,
    Activation { users, sign_out }: Activation,
    active: bool,
) -> Result<Report, CliError> {
    let users = names::users(accounts, &users).await?;
    let draft = UserDraft { is_active: Some(active), sign_out, ..UserDraft::default() };
    let changes = users.into_iter().map(|user| (user, draft.clone())).collect();
    let changed = accounts.change_users(changes).await?;
    let mut report = done(if active { "Enabled" } else { "Disabled" }, &changed);
    for user in &changed {
        report = with_active_tokens(accounts, user, report).await?;
    }
    Ok(report)
}

/// Adds how many tokens of the user are active, and how to revoke them.
pub(super) async fn with_active_tokens(
    accounts: &Accounts,
    user: &User,
    report: Report,
) -> Result<Report, CliError> {
    let now = accounts.now();
    let tokens = accounts.tokens_of(user.id).await?;
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
