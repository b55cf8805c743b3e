//! `wardroom demo`: a server with example users in a temporary data directory.
//!
//! The first user has the id, the groups and the token of the documentation of `GET /api/users/me`, so the examples there
//! work unchanged except for the host. Other users, groups and tokens have the ids that the page `/api/docs` fills in
//! ([`samples`]).

mod pictures;

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use clap::Args;

use super::context::{door, media, on_runtime, settings};
use super::listeners::Listeners;
use super::messages::message_settings;
use super::report::{CliError, Report};
use super::serve::{BoundServer, start_logging};
use super::signals::OnHangup;
use crate::config::{Config, Flags, Loaded, ServeFlags};
use crate::directory::access::OWN_CODE_MIN;
use crate::directory::model::{
    Group, GroupId, GroupKey, Permission, PermissionId, Timestamp, TokenId, TokenKey, User, UserDraft,
    UserId, UserKey, Violation,
};
use crate::directory::password::Password;
use crate::directory::secrets_key::SecretsKeys;
use crate::directory::tokens::{Expiry, NarrowingDraft};
use crate::directory::transfer::seed::{SeedRows, SeedToken, SeedUser};
use crate::directory::{Actor, Clock, Directory, MessageSettings, Settings};
use crate::http::api::samples;
use crate::media::Media;
use crate::outbound::Providers;

const EXAMPLE_AVATAR: &str = "avatars/alex_profile.jpg";
const EXAMPLE_GROUPS: [(i64, &str); 3] = [(1, "Staff room"), (samples::GROUP, "Billing"), (7, "On call")];
/// When everything was created.
const CREATED_AT: &str = "2024-03-15T09:30:00Z";

/// The arguments of `wardroom demo`.
#[derive(Args)]
pub(super) struct Demo {
    #[command(flatten)]
    pub(super) settings: ServeFlags,
}

/// An example user.
struct ExampleUser {
    about: &'static str,
    key: TokenKey,
    status: &'static str,
    /// Whether the page `/api/docs` is tried as this user.
    is_for_page: bool,
}

/// Serves the demo until it is stopped. Whatever the settings say, it uses its own temporary database.
pub(super) fn run(flags: Flags) -> Result<Report, CliError> {
    let place = tempfile::Builder::new().prefix("wardroom-demo-").tempdir();
    let place =
        place.map_err(|error| CliError::internal(format!("cannot create a temporary directory: {error}")))?;
    let data_dir = place.path().join("data").display().to_string();
    let flags = flags.with("data_dir", data_dir).with("database_url", "");
    // Codes are printed, like all messages.
    let flags = flags.with("avatar_storage", "disk").with("otp_sign_in", "true");
    let loaded = Config::load(&flags)?;
    // The directory is deleted after the runtime has ended: nothing reads in it any more.
    on_runtime(serve(loaded))
}

async fn serve(Loaded { config, origins, .. }: Loaded) -> Result<Report, CliError> {
    let _logging = start_logging(&config)?;
    let listeners = Listeners::open(&config).await?;
    let scheme = if config.tls_key.is_some() { "https" } else { "http" };
    let place = match (listeners.address(), listeners.first()) {
        (Some(address), _) => Some((site(scheme, address), String::new())),
        (None, Some(name)) => {
            let path = name.strip_prefix("unix:").unwrap_or_default();
            Some(("http://localhost".to_owned(), format!("--unix-socket {path} ")))
        }
        (None, None) => None,
    };
    let directory = open(&config, place.as_ref().map(|(site, _)| site.as_str())).await?;
    // The page fills in the admin's password, so a demo that a network can reach has none.
    let is_private = listeners.are_local();
    let users = fill(&directory, &media(&config, &door(&config))?, is_private).await?;
    let server = BoundServer::new(&config, listeners, directory, |_| Ok(Providers::terminal()))?;
    server.show_settings(origins);
    if let Some((site, option)) = place {
        // The demo runs on without a terminal.
        let _ = io::stdout().lock().write_all(instructions(&users, &site, &option).as_bytes());
    }
    // It ends with its terminal.
    server.run(OnHangup::Stop).await?;
    Ok(Report::silent())
}

/// Creates and opens the account database. Links in messages lead to the demo itself, unless a setting says something else.
async fn open(config: &Config, site: Option<&str>) -> Result<Directory, CliError> {
    let mut settings = Settings { messages: printed_messages(config)?, ..settings(config) };
    settings.links.base =
        settings.links.base.or_else(|| site.filter(|_| config.admin_site).map(str::to_owned));
    Directory::create(&settings, &Clock::system()?).await?;
    Ok(Directory::open(&settings, Clock::system()?).await?)
}

/// Messages of a demo are printed on the terminal. Their key ends with the demo.
fn printed_messages(config: &Config) -> Result<MessageSettings, CliError> {
    let key = SecretsKeys::generate(&Clock::system()?)?;
    let keys = SecretsKeys::parse(&key).map_err(CliError::internal)?;
    Ok(MessageSettings { keys: Some(Arc::new(keys)), sms: true, mail: true, ..message_settings(config)? })
}

/// The URL of a demo at this address.
fn site(scheme: &str, mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    format!("{scheme}://{address}")
}

/// What to try. `option` is what curl needs in addition to the URL of a Unix socket, which no browser opens.
fn instructions(users: &[ExampleUser], site: &str, option: &str) -> String {
    let mut text = String::new();
    if option.is_empty() {
        text += &format!("Open in a browser:  {site}/api/docs\n");
    }
    if let Some(admin) = users.iter().find(|user| user.is_for_page && option.is_empty()) {
        let key = admin.key.reveal();
        text += &format!("To try the calls there, select Authorize and paste this key:  {key}\n");
    }
    text += "\nOr try in another terminal:\n\n";
    for ExampleUser { about, key, status, .. } in users {
        let key = key.reveal();
        text += &format!(
            "# {about}: {status}\ncurl {option}{site}/api/users/me -H 'Authorization: Token {key}'\n\n"
        );
    }
    text + "Messages to people are printed here, not sent.\nCtrl-C stops the demo and deletes its data, which is in a temporary directory.\n"
}

/// Creates the example users: the one of the documentation, an admin, a plain user, an inactive one, and a staff user with
/// all optional fields empty. Then the objects that the page fills in.
async fn fill(directory: &Directory, media: &Media, is_private: bool) -> Result<Vec<ExampleUser>, CliError> {
    let actor = Actor::operator("demo");
    directory.seed(&actor, example()?).await?;
    pictures::add_alex(media, EXAMPLE_AVATAR).await?;
    let mut users = vec![ExampleUser {
        about: "Alex, staff, the example of the documentation",
        key: TokenKey::imported(samples::EXAMPLE_KEY.to_owned()),
        status: "200",
        is_for_page: false,
    }];
    let person = |username: &str, is_staff, is_admin| UserDraft {
        username: Some(username.to_owned()),
        is_staff: Some(is_staff),
        is_admin: Some(is_admin),
        ..UserDraft::default()
    };
    let named = |first: &str, last: &str, draft| UserDraft {
        first_name: Some(first.to_owned()),
        last_name: Some(last.to_owned()),
        ..draft
    };
    let inactive = UserDraft { is_active: Some(false), ..person("ines_inactive", true, false) };
    let admin = named("Ada", "Admin", person(samples::USERNAME, false, true));
    for (about, draft, status) in [
        ("Ada, an admin", admin, "200"),
        ("Emil, staff, with all optional fields empty", person("emil_empty", true, false), "200"),
        ("Paul, a plain user", named("Paul", "Plain", person("paul_plain", false, false)), "403"),
        ("Ines, staff, but not active", named("Ines", "Inactive", inactive), "401"),
    ] {
        let is_for_page = draft.is_admin == Some(true);
        let password = (is_for_page && is_private).then(|| Password::new(samples::PASSWORD.to_owned()));
        let user = directory.create_user(&actor, &draft, password).await?;
        pictures::add(directory, media, &actor, (user.id, &user.username)).await?;
        let issued = directory.issue_token(&actor, &UserKey::Id(user.id), "demo", Expiry::Never).await?;
        users.push(ExampleUser { about, key: issued.key, status, is_for_page });
        if is_for_page {
            fill_page(directory, &actor, user.id).await?;
            users.push(narrow_token(directory, &actor, user.id).await?);
        }
    }
    Ok(users)
}

/// Issues a token that can do less than its owner.
async fn narrow_token(directory: &Directory, actor: &Actor, owner: UserId) -> Result<ExampleUser, CliError> {
    let scopes = ["me_read", "user_read"].map(str::to_owned);
    let narrowing = NarrowingDraft {
        scopes: Some(Some(scopes.into())),
        read_only: Some(true),
        ..NarrowingDraft::default()
    };
    let owner = UserKey::Id(owner);
    let issued = directory.issue_token_with(actor, &owner, "demo, narrow", Expiry::Never, &narrowing).await?;
    let about = "Ada, with a token that can only read users";
    Ok(ExampleUser { about, key: issued.key, status: "200", is_for_page: false })
}

/// Creates the objects that the page fills in. Those of the caller belong to `caller`.
async fn fill_page(directory: &Directory, actor: &Actor, caller: UserId) -> Result<(), CliError> {
    let mut rows = SeedRows::default();
    let binned_groups = [(samples::RESTORED_GROUP, "Rowing"), (samples::PURGED_GROUP, "Pottery")];
    let groups = [(samples::CHANGED_GROUP, "Book club"), (samples::DELETED_GROUP, "Choir")];
    for (id, name) in groups.into_iter().chain(binned_groups) {
        rows.groups.push(group(id, name)?);
    }
    let mut permissions = Vec::new();
    for (number, id, name) in
        [(0, samples::CHANGED_PERMISSION, "invoice_read"), (1, samples::REMOVED_PERMISSION, "invoice_send")]
    {
        let id = PermissionId::try_from(id).map_err(invalid)?;
        permissions.push(Permission { id, code: OWN_CODE_MIN + number, name: name.to_owned() });
    }
    directory.seed_permissions(actor, permissions).await?;
    let [first, second] = samples::DELETED_USERS;
    let binned = [(samples::RESTORED_USER, "rita_restore"), (samples::PURGED_USER, "pia_purge")];
    let kept = [
        (samples::CHANGED_USER, "sam_lee"),
        (samples::DELETED_USER, "dana_delete"),
        (first, "bela_bulk"),
        (second, "bruno_bulk"),
        (samples::SIGNED_OUT_USER, "sigrid_signed_in"),
        (samples::INVITED_USER, "ivy_invited"),
    ];
    for (id, username) in kept.into_iter().chain(binned) {
        let email = (id == samples::INVITED_USER).then(|| "ivy.invited@example.com".to_owned());
        let user = User { id: user_id(id)?, email, ..User::new(username.to_owned(), created_at()?) };
        rows.users.push(SeedUser { user, password: "!".to_owned() });
    }
    let tokens = samples::TOKENS.map(|id| (Some(id), user_id(samples::CHANGED_USER)));
    let own = samples::OWN_TOKENS.map(|id| (Some(id), Ok(caller)));
    let last = [(None, user_id(samples::SIGNED_OUT_USER))];
    for (id, owner) in tokens.into_iter().chain(own).chain(last) {
        rows.tokens.push(SeedToken {
            id: id.map(TokenId::try_from).transpose().map_err(invalid)?,
            user_id: owner?,
            name: "example".to_owned(),
            key: directory.clock().token_key()?,
            created_at: created_at()?,
            expires_at: None,
        });
    }
    directory.seed(actor, rows).await?;
    for (id, _) in binned {
        directory.delete_user(actor, &UserKey::Id(user_id(id)?)).await?;
    }
    for (id, _) in binned_groups {
        directory.delete_group(actor, &GroupKey::Id(GroupId::try_from(id).map_err(invalid)?)).await?;
    }
    Ok(())
}

fn invalid(rule: Violation) -> CliError {
    CliError::internal(format!("the example is invalid: {rule}"))
}

fn user_id(id: i64) -> Result<UserId, CliError> {
    UserId::try_from(id).map_err(invalid)
}

fn created_at() -> Result<Timestamp, CliError> {
    CREATED_AT.parse().map_err(invalid)
}

fn group(id: i64, name: &str) -> Result<Group, CliError> {
    Ok(Group {
        id: GroupId::try_from(id).map_err(invalid)?,
        name: name.to_owned(),
        notes: Some(String::new()),
        users_count: 0,
        created_at: created_at()?,
        updated_at: created_at()?,
    })
}

/// The user, the groups and the token of the documentation's example.
fn example() -> Result<SeedRows, CliError> {
    let (id, created_at) = (user_id(samples::USER)?, created_at()?);
    let groups =
        EXAMPLE_GROUPS.into_iter().map(|(id, name)| group(id, name)).collect::<Result<Vec<_>, _>>()?;
    let user = User {
        id,
        mobile_number: Some("+1-555-0123".to_owned()),
        email: Some("alex.thompson@techcorp.com".to_owned()),
        avatar: Some(EXAMPLE_AVATAR.to_owned()),
        first_name: "Alex".to_owned(),
        last_name: "Thompson".to_owned(),
        gender: Some("non-binary".to_owned()),
        is_staff: true,
        last_login: Some("2025-08-06T14:23:45.123456Z".parse().map_err(invalid)?),
        groups: groups.iter().map(|group| group.id).collect(),
        ..User::new("alex_thompson".to_owned(), created_at)
    };
    let token = SeedToken {
        id: None,
        user_id: id,
        name: "documentation".to_owned(),
        key: TokenKey::imported(samples::EXAMPLE_KEY.to_owned()),
        created_at,
        expires_at: None,
    };
    Ok(SeedRows { groups, users: vec![SeedUser { user, password: "!".to_owned() }], tokens: vec![token] })
}
