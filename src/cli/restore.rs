//! `wardroom restore`: a backup in the place of the directory.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::backup::{about, content};
use super::context::{operator, settings};
use super::report::{CliError, Report};
use super::watching::watch;
use crate::config::Config;
use crate::directory::model::{
    ClosedAccess, ClosureKind, Comparison, GrantedAccess, NamedId, ReopenedAccess,
};
use crate::directory::transfer::backup::{self, ReopenPolicy, RestoreReport};
use crate::directory::{Clock, Directory};

/// The arguments of `wardroom restore`.
#[derive(Args)]
pub(super) struct Restore {
    /// The archive that `wardroom backup` wrote.
    file: PathBuf,
    /// Put the backup in the place of the directory that is there, and of media files of the same names.
    #[arg(long)]
    replace: bool,
    /// Keep closed in what is restored whatever was closed since the backup was made: tokens that were revoked or ended, users
    /// who were deactivated, deleted or demoted, changed passwords, permissions and memberships that were taken away.
    #[arg(long, visible_alias = "keep-revoked")]
    keep_closed: bool,
    /// Let open again whatever was closed since the backup was made.
    #[arg(long, visible_alias = "revive-revoked", conflicts_with = "keep_closed")]
    reopen_closed: bool,
    /// Restore although it cannot be told, or not wholly, what was closed since the backup was made: there is no directory to
    /// compare with, or it cannot be read. Whatever the backup holds open is open again.
    #[arg(long)]
    accept_revived: bool,
    /// Keep no copy of the rows that are replaced on PostgreSQL.
    #[arg(long)]
    no_copy: bool,
}

/// So many lines of a list are shown; --json has all.
const SHOWN: usize = 100;

/// Restores, and tells what it brought back.
pub(super) async fn run(order: Restore, config: &Config) -> Result<Report, CliError> {
    let closed = match (order.keep_closed, order.reopen_closed) {
        (true, _) => ReopenPolicy::Keep,
        (false, true) => ReopenPolicy::Allow,
        (false, false) => ReopenPolicy::Refuse,
    };
    let (file, media) = (order.file, config.data_dir.join("media"));
    let order = backup::RestoreRequest {
        file,
        media,
        replace: order.replace,
        closed,
        accept_revived: order.accept_revived,
        keep_copy: !order.no_copy,
    };
    let restored =
        Directory::restore(&operator(), &settings(config), &Clock::system()?, order, watch()?).await?;
    Ok(report(&restored, closed))
}

fn report(restored: &RestoreReport, reopening: ReopenPolicy) -> Report {
    let mut text = format!("Restored {}.\n", content(&restored.manifest));
    let keeps = reopening == ReopenPolicy::Keep;
    if !restored.closed.is_empty() {
        let fate = if keeps { "It was closed again" } else { "It is open again" };
        text +=
            &format!("Closed since the backup was made ({} in all). {fate}:\n", restored.closed.len());
        text += &list(restored.closed.iter().map(line));
    } else if restored.comparison == Comparison::Complete {
        text += "Nothing in it was closed since the backup was made.\n";
    }
    if let Some(brings) = &restored.brings {
        text += &format!("Warning: {}", brought(brings, &restored.comparison));
        text += "Look through them: `wardroom token list USER`, `wardroom user list --admin true`.\n";
    }
    if !restored.has_admin {
        text += "Warning: nobody is an active admin: make one with `wardroom user add NAME --admin` or `wardroom user edit USER \
                 --admin true`.\n";
    }
    if let Some(kept) = &restored.kept {
        let kept = kept.display();
        text += &format!(
            "What was there is kept in {kept}. Its audit trail: `wardroom audit list --data-dir {kept}`.\n"
        );
    }
    if let Some(broken) = &restored.broken_trail {
        text += &format!("Warning: the audit trail was broken when it was backed up: {broken}.\n");
    }
    text += "Next: `wardroom doctor`, then start the servers.\n";
    let mut json = json!({
        "manifest": about(&restored.manifest),
        "kept_closed": keeps,
        "has_admin": restored.has_admin,
        "media_files_written": restored.media,
        "kept": restored.kept.as_ref().map(|kept| kept.display().to_string()),
        "broken_trail": restored.broken_trail,
    });
    add(&mut json, &restored.comparison, &restored.closed, restored.brings.as_ref());
    Report::new(text, json)
}

/// What was found out about what was closed, as the report and a refusal tell it.
fn add(json: &mut Value, comparison: &Comparison, closed: &[ClosedAccess], brings: Option<&GrantedAccess>) {
    if let Value::Object(told) = json {
        told.insert("comparison".to_owned(), comparison.as_str().into());
        told.insert("not_compared".to_owned(), comparison.why().into());
        told.insert("closed_since".to_owned(), closed.iter().map(ClosedAccess::json).collect());
        told.insert("brings".to_owned(), brings.map(GrantedAccess::json).into());
    }
}

/// Why nothing was restored, what would open, and how to go on: as text and as JSON.
pub(super) fn refusal(reopened: &ReopenedAccess) -> (String, Value) {
    let ReopenedAccess { created_at, comparison, closed, brings } = reopened;
    let mut text = "nothing was changed.\n".to_owned();
    if !closed.is_empty() {
        text += &format!(
            "What was closed since the backup of {created_at} would be open again ({} in all):\n",
            closed.len()
        );
        text += &list(closed.iter().map(line));
        text += "Give --keep-closed to keep it closed in what is restored (recommended), or --reopen-closed to let it open.\n";
    }
    if let Some(brings) = brings {
        let told = brought(brings, comparison);
        text += &format!("Before you go on: {told}Give --accept-revived to restore all the same");
        text += if *comparison == Comparison::Partial {
            ", with --keep-closed to keep closed what can be told.\n"
        } else {
            ".\n"
        };
    }
    let mut json = json!({ "created_at": created_at });
    add(&mut json, comparison, closed, brings.as_ref());
    (text.trim_end().to_owned(), json)
}

fn list(lines: impl ExactSizeIterator<Item = String>) -> String {
    let more = lines.len().saturating_sub(SHOWN);
    let mut text: String = lines.take(SHOWN).map(|line| format!("  {line}\n")).collect();
    if more > 0 {
        text += &format!("  and {more} more: --json lists all\n");
    }
    text
}

/// A name that somebody chose, harmless on a terminal.
fn shown(NamedId { id, name }: &NamedId) -> String {
    format!("{:?} ({id})", name)
}

fn line(closed: &ClosedAccess) -> String {
    let name = |named: &Option<NamedId>| named.as_ref().map(shown).unwrap_or_default();
    let (user, group, token) = (name(&closed.user), name(&closed.group), name(&closed.token));
    let permission = closed.permission.as_ref();
    let permission = permission.map(|NamedId { id, name }| format!("{id} ({name})")).unwrap_or_default();
    let at = closed.at.map(|at| at.to_string()).unwrap_or_default();
    let tokens = match closed.tokens {
        0 => String::new(),
        1 => ", with 1 active token".to_owned(),
        more => format!(", with {more} active tokens"),
    };
    match closed.kind {
        ClosureKind::UserDeleted => format!("user deleted: {user}{tokens}"),
        ClosureKind::DeletedUserPurged => format!("deleted user purged: {user}"),
        ClosureKind::UserDeactivated => format!("user deactivated: {user}{tokens}"),
        ClosureKind::AdminRemoved => format!("no admin any more: {user}"),
        ClosureKind::StaffRemoved => format!("no staff any more: {user}"),
        ClosureKind::PasswordChanged => format!("password changed: {user}"),
        ClosureKind::TokenRevoked => format!("token revoked: {token} of {user}, at {at}"),
        ClosureKind::TokenEnded => format!("token's end moved: {token} of {user}, to {at}"),
        ClosureKind::TokenDeleted => format!("token deleted: {token} of {user}"),
        ClosureKind::TokenMoved => format!("token of another user now: {token} of {user}"),
        ClosureKind::PermissionRemoved => format!("permission removed: {permission} of {user}"),
        ClosureKind::MembershipRemoved => format!("membership removed: {user} in {group}"),
        ClosureKind::GroupPermissionRemoved => {
            format!("permission of a group removed: {permission} of {group}")
        }
        ClosureKind::GroupDeleted => format!("group deleted: {group}"),
    }
}

fn brought(brings: &GrantedAccess, comparison: &Comparison) -> String {
    let what = match comparison {
        Comparison::Partial => "it cannot be told wholly what was closed since the backup was made",
        _ => "it cannot be told what was closed since the backup was made",
    };
    let why = comparison.why().unwrap_or_default();
    let age = match brings.age {
        Some(age) => format!("is {} old", humantime::format_duration(whole_minutes(age))),
        None => "says that it was made later than now".to_owned(),
    };
    let GrantedAccess { users, admins, tokens, .. } = brings;
    let mut text = format!(
        "{what} ({why}). The backup {age}. It brings {users} active users, {} active admins and {} active tokens.\n",
        admins.len(),
        tokens.len()
    );
    text += &list(admins.iter().map(|admin| format!("admin: {}", shown(admin))));
    text += &list(tokens.iter().map(|brought| {
        let end = brought.expires_at.map_or_else(String::new, |end| format!(", until {end}"));
        format!("token: {} of {}{end}", shown(&brought.token), shown(&brought.user))
    }));
    text
}

fn whole_minutes(age: Duration) -> Duration {
    Duration::from_secs(age.as_secs() / 60 * 60)
}
