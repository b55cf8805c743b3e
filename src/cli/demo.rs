//! `wardroom demo`: a server with example users in a temporary data directory.
//!
//! The first user has the id, the groups and the token of the documentation of `GET /api/users/me`, so the examples there
//! work unchanged except for the host.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;

use super::context::{on_runtime, settings};
use super::report::{CliError, Report};
use super::serve::{BoundServer, start_logging};
use super::signals::OnHangup;
use crate::config::{Config, Flags, ServeFlags};
use crate::directory::model::{Group, GroupId, Timestamp, TokenKey, User, UserDraft, UserId, UserKey};
use crate::directory::tokens::Expiry;
use crate::directory::transfer::seed::{SeedRows, SeedToken, SeedUser};
use crate::directory::{Actor, Clock, Directory};

/// The key of the documentation's example.
const EXAMPLE_KEY: &str = "f4e75eab6e0f663a972d145478d6fc4b81762070";
const EXAMPLE_ID: i64 = 42;
const EXAMPLE_GROUPS: [(i64, &str); 3] = [(1, "Staff room"), (3, "Billing"), (7, "On call")];

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
}

/// Serves the demo until it is stopped. Whatever the settings say, it uses its own temporary database.
pub(super) fn run(flags: Flags) -> Result<Report, CliError> {
    let place = tempfile::Builder::new().prefix("wardroom-demo-").tempdir();
    let place =
        place.map_err(|error| CliError::internal(format!("cannot create a temporary directory: {error}")))?;
    let data_dir = place.path().join("data").display().to_string();
    let flags = flags.with("data_dir", data_dir).with("database_url", "");
    let config = Config::load(&flags)?.config;
    // The directory is deleted after the runtime has ended: nothing reads in it any more.
    on_runtime(serve(config))
}

async fn serve(config: Config) -> Result<Report, CliError> {
    let _logging = start_logging(&config)?;
    let settings = settings(&config);
    Directory::create(&settings, &Clock::system()?).await?;
    let directory = Directory::open(&settings, Clock::system()?).await?;
    let users = fill(&directory).await?;
    let server = BoundServer::bind(&config, directory).await?;
    if let Some(address) = server.address() {
        let scheme = if config.tls_key.is_some() { "https" } else { "http" };
        // The demo runs on without a terminal.
        let _ = io::stdout().lock().write_all(instructions(&users, scheme, address).as_bytes());
    }
    // It ends with its terminal.
    server.run(OnHangup::Stop).await?;
    Ok(Report::silent())
}

fn instructions(users: &[ExampleUser], scheme: &str, mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let mut text = String::from(
        "Wardroom demo: example users in a temporary data directory. Try in another terminal:\n\n",
    );
    for ExampleUser { about, key, status } in users {
        let key = key.reveal();
        text += &format!(
            "# {about}: {status}\ncurl {scheme}://{address}/api/users/me -H 'Authorization: Token {key}'\n\n"
        );
    }
    text + "Ctrl-C stops the demo and deletes its data.\n"
}

/// Creates the example users: the one of the documentation, an admin, a plain user, an inactive one, and a staff user with
/// all optional fields empty.
async fn fill(directory: &Directory) -> Result<Vec<ExampleUser>, CliError> {
    let actor = Actor::operator("demo");
    directory.seed(&actor, example()?).await?;
    let mut users = vec![ExampleUser {
        about: "Alex, staff, the example of the documentation",
        key: TokenKey::imported(EXAMPLE_KEY.to_owned()),
        status: "200",
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
    for (about, draft, status) in [
        ("Ada, an admin", named("Ada", "Admin", person("ada_admin", false, true)), "200"),
        ("Emil, staff, with all optional fields empty", person("emil_empty", true, false), "200"),
        ("Paul, a plain user", named("Paul", "Plain", person("paul_plain", false, false)), "403"),
        ("Ines, staff, but not active", named("Ines", "Inactive", inactive), "401"),
    ] {
        let user = directory.create_user(&actor, &draft, None).await?;
        let issued = directory.issue_token(&actor, &UserKey::Id(user.id), "demo", Expiry::Never).await?;
        users.push(ExampleUser { about, key: issued.key, status });
    }
    Ok(users)
}

fn example() -> Result<SeedRows, CliError> {
    let invalid = |rule: crate::directory::model::Violation| {
        CliError::internal(format!("the example is invalid: {rule}"))
    };
    let created_at: Timestamp = "2024-03-15T09:30:00Z".parse().map_err(invalid)?;
    let id = UserId::try_from(EXAMPLE_ID).map_err(invalid)?;
    let mut groups = Vec::new();
    for (id, name) in EXAMPLE_GROUPS {
        groups.push(Group {
            id: GroupId::try_from(id).map_err(invalid)?,
            name: name.to_owned(),
            notes: Some(String::new()),
            users_count: 0,
            created_at,
            updated_at: created_at,
        });
    }
    let user = User {
        id,
        mobile_number: Some("+1-555-0123".to_owned()),
        email: Some("alex.thompson@techcorp.com".to_owned()),
        avatar: Some("avatars/alex_profile.jpg".to_owned()),
        first_name: "Alex".to_owned(),
        last_name: "Thompson".to_owned(),
        gender: Some("non-binary".to_owned()),
        is_staff: true,
        last_login: Some("2025-08-06T14:23:45.123456Z".parse().map_err(invalid)?),
        groups: groups.iter().map(|group| group.id).collect(),
        ..User::new("alex_thompson".to_owned(), created_at)
    };
    let token = SeedToken {
        user_id: id,
        name: "documentation".to_owned(),
        key: TokenKey::imported(EXAMPLE_KEY.to_owned()),
        created_at,
        expires_at: None,
    };
    Ok(SeedRows { groups, users: vec![SeedUser { user, password: "!".to_owned() }], tokens: vec![token] })
}
