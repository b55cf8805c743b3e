//! `wardroom user show`: everything about a user that an operator needs at a glance.

use serde_json::{Value, json};

use super::access::NamedUsers;
use super::view::{json as user_json, one_or_all, rights, when};
use crate::cli::accounts::Accounts;
use crate::cli::days::to_the_second;
use crate::cli::names;
use crate::cli::report::{CliError, Report};
use crate::cli::terminal::fields;
use crate::directory::authentication::OpenAttempts;
use crate::directory::groups::GroupDetails;
use crate::directory::model::{GroupKey, Permission, Token, TokenState, User, UserKey};

/// A user with everything that is shown.
struct Sheet {
    user: User,
    groups: Vec<GroupDetails>,
    /// The permissions attached to the user.
    own: Vec<Permission>,
    /// These, and those of the groups.
    all: Vec<Permission>,
    /// How many tokens are active, expired and revoked.
    tokens: [(TokenState, usize); 3],
    last_used: Option<Token>,
    attempts: Vec<OpenAttempts>,
}

pub(super) async fn show(accounts: &Accounts, args: NamedUsers) -> Result<Report, CliError> {
    let users = names::users(accounts, &args.users).await?;
    let mut sheets = Vec::with_capacity(users.len());
    for user in users {
        sheets.push(Sheet::read(accounts, user).await?);
    }
    let text: Vec<_> = sheets.iter().map(Sheet::text).collect();
    let json = one_or_all(sheets.iter().map(Sheet::json).collect());
    Ok(Report::new(text.join("\n"), json).long())
}

impl Sheet {
    async fn read(accounts: &Accounts, user: User) -> Result<Self, CliError> {
        let details = accounts.user_details(&UserKey::Id(user.id)).await?;
        let mut groups = Vec::with_capacity(details.groups.len());
        for group in &details.groups {
            groups.push(accounts.group(&GroupKey::Id(group.id)).await?);
        }
        let (now, tokens) = (accounts.now(), accounts.tokens_of(user.id).await?);
        let number = |state| (state, tokens.iter().filter(|token| token.state(now) == state).count());
        Ok(Self {
            attempts: accounts.open_attempts(&user).await?,
            user: details.user,
            groups,
            own: details.permissions,
            all: details.effective_permissions,
            tokens: TokenState::ALL.map(number),
            last_used: tokens.into_iter().max_by_key(|token| token.last_used_at),
        })
    }

    /// Where a permission comes from: from the user itself, and from groups.
    fn sources(&self, permission: &Permission) -> Vec<String> {
        let own = self.own.contains(permission).then(|| "user".to_owned());
        let groups = self.groups.iter().filter(|found| found.permissions.contains(permission));
        own.into_iter().chain(groups.map(|found| format!("group {}", found.group.name))).collect()
    }

    fn text(&self) -> String {
        let user = &self.user;
        let one = |text: String| vec![text];
        let optional = |text: &Option<String>| vec![text.clone().unwrap_or_default()];
        let groups = self.groups.iter().map(|found| format!("{} {}", found.group.id, found.group.name));
        let permissions = self.all.iter().map(|permission| {
            let sources = self.sources(permission).join(", ");
            format!("{} {} (from {sources})", permission.code, permission.name)
        });
        let all = user.is_admin.then(|| "all, because the user is an admin".to_owned());
        let lines = [
            ("id", one(user.id.to_string())),
            ("username", one(user.username.clone())),
            ("full name", one(user.full_name())),
            ("email", optional(&user.email)),
            ("mobile number", optional(&user.mobile_number)),
            ("gender", optional(&user.gender)),
            ("avatar", optional(&user.avatar)),
            ("rights", one(rights(user))),
            ("groups", groups.collect()),
            ("permissions", all.into_iter().chain(permissions).collect()),
            ("tokens", one(self.tokens_text())),
            ("last login", one(when(user.last_login))),
            ("last seen", one(self.last_seen())),
            ("failed logins", self.attempts_text()),
            ("created", one(to_the_second(user.created_at))),
            ("updated", one(to_the_second(user.updated_at))),
        ];
        fields(&lines)
    }

    fn tokens_text(&self) -> String {
        let texts = self.tokens.map(|(state, number)| format!("{number} {}", state.as_str()));
        texts.join(", ")
    }

    fn last_seen(&self) -> String {
        let token = self.last_used.as_ref().and_then(|token| Some((token, token.last_used_at?)));
        match token {
            Some((token, at)) => format!("{} with token {} ({})", to_the_second(at), token.id, token.name),
            None => when(self.user.last_seen_at),
        }
    }

    fn attempts_text(&self) -> Vec<String> {
        let texts = self.attempts.iter().map(|open| {
            let from = match open.network.as_deref() {
                None => "new networks together",
                Some("") => "a Unix socket",
                Some(network) => network,
            };
            let wait = match open.blocked_until {
                Some(until) => format!("; the next one must wait until {}", to_the_second(until)),
                None => String::new(),
            };
            format!("{} from {from}{wait}", open.failures)
        });
        let texts: Vec<_> = texts.collect();
        if texts.is_empty() { vec!["none".to_owned()] } else { texts }
    }

    fn json(&self) -> Value {
        let mut json = user_json(&self.user);
        let permissions = self.all.iter().map(|permission| {
            let groups = self.groups.iter().filter(|found| found.permissions.contains(permission));
            json!({
                "id": permission.id.get(),
                "code": permission.code,
                "name": permission.name,
                "is_own": self.own.contains(permission),
                "from_groups": groups.map(|found| found.group.id.get()).collect::<Vec<_>>(),
            })
        });
        let attempts = self.attempts.iter().map(|open| {
            json!({
                "network": open.network,
                "failures": open.failures,
                "blocked_until": open.blocked_until.map(|until| until.to_string()),
            })
        });
        let groups =
            self.groups.iter().map(|found| json!({ "id": found.group.id.get(), "name": found.group.name }));
        let tokens: serde_json::Map<_, _> =
            self.tokens.iter().map(|(state, number)| (state.as_str().to_owned(), json!(number))).collect();
        if let Value::Object(object) = &mut json {
            let more = [
                ("groups_data", groups.collect()),
                ("permissions", permissions.collect()),
                ("tokens", Value::Object(tokens)),
                ("last_seen_at", json!(self.user.last_seen_at.map(|at| at.to_string()))),
                ("failed_attempts", attempts.collect()),
            ];
            object.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
        json
    }
}
