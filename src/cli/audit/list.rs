//! `wardroom audit list` and `wardroom audit actions`.

use clap::Args;
use serde_json::json;

use crate::cli::accounts::Accounts;
use crate::cli::days::{from, to_the_second, until};
use crate::cli::lists::{number, within};
use crate::cli::report::{CliError, CutNotice, Report};
use crate::cli::terminal::{CellStyle, TableCell, TableColumn, TextTable};
use crate::directory::audit::ACTIONS;
use crate::directory::model::{AuditFilter, OBJECT_KINDS, RecordedEvent, Timestamp, UserKey};

/// Events that are read at once when all are listed.
const PAGE: u32 = 1000;

#[derive(Args)]
pub(in crate::cli) struct ListEvents {
    /// The maximum number of rows (1 to 1000).
    #[arg(long, default_value_t = 100, value_parser = within(1u32..=1000))]
    limit: u32,
    /// List all events, however many there are.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Only events older than the one with this id. To page, give the last id of the previous page.
    #[arg(long, value_name = "ID", value_parser = number)]
    before: Option<i64>,
    /// Only events with this action, such as user.update. `wardroom audit actions` lists all actions.
    #[arg(long, value_parser = action)]
    action: Option<String>,
    /// Only actions of this user or operator. A number is a user's id; a name is one that the actor has now or had then.
    #[arg(long, value_name = "ACTOR")]
    actor: Option<UserKey>,
    /// Only actions on objects of this kind.
    #[arg(long, value_name = "KIND", value_parser = OBJECT_KINDS)]
    object_kind: Option<String>,
    /// Only actions on this object. A number is its id; a name is one that the object has now or had then.
    #[arg(long, value_name = "OBJECT")]
    object: Option<UserKey>,
    /// Only requests from this client address.
    #[arg(long)]
    address: Option<String>,
    /// Only events of this day (UTC), such as 2025-09-01, today or yesterday.
    #[arg(long, value_name = "DAY", conflicts_with_all = ["from", "to"])]
    on: Option<Day>,
    /// Only events on this day or later, or at this time (RFC 3339) or later.
    #[arg(long, value_name = "TIME", value_parser = from)]
    from: Option<Timestamp>,
    /// Only events on this day or earlier, or before this time (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = until)]
    to: Option<Timestamp>,
}

/// Checks the name of an action. The message names those about the same kind of object.
fn action(text: &str) -> Result<String, String> {
    if ACTIONS.iter().any(|(name, _)| *name == text) {
        return Ok(text.to_owned());
    }
    let noun = text.split('.').next().unwrap_or_default();
    let near = ACTIONS.iter().map(|(name, _)| *name).filter(|name| name.split('.').next() == Some(noun));
    let near: Vec<_> = near.collect();
    Err(match near.is_empty() {
        true => "see `wardroom audit actions`".to_owned(),
        false => format!("use {}", near.join(", ")),
    })
}

/// A day, from its beginning to its end.
#[derive(Clone, Copy, Debug)]
struct Day([Timestamp; 2]);

impl std::str::FromStr for Day {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        crate::cli::days::day(text).map_err(str::to_owned)?;
        Ok(Self([from(text)?, until(text)?]))
    }
}

impl ListEvents {
    fn filter(&self) -> AuditFilter {
        let id = |key: &Option<UserKey>| match key {
            Some(UserKey::Id(id)) => Some(id.get()),
            Some(UserKey::Name(_)) | None => None,
        };
        let name = |key: &Option<UserKey>| match key {
            Some(UserKey::Name(name)) => Some(name.clone()),
            Some(UserKey::Id(_)) | None => None,
        };
        AuditFilter {
            before: self.before,
            action: self.action.clone(),
            actor_id: id(&self.actor),
            actor_name: name(&self.actor),
            object_kind: self.object_kind.clone(),
            object_id: id(&self.object),
            object_name: name(&self.object),
            from: self.on.map(|Day([from, _])| from).or(self.from),
            to: self.on.map(|Day([_, to])| to).or(self.to),
            address: self.address.clone(),
        }
    }
}

pub(super) async fn list(accounts: &Accounts, args: ListEvents) -> Result<Report, CliError> {
    let mut filter = args.filter();
    if let (Some(from), Some(to)) = (filter.from, filter.to)
        && from >= to
    {
        return Err(CliError::usage("no event can match: --from is not before the end of --to"));
    }
    let (mut events, mut cut) = (Vec::new(), None);
    loop {
        let limit = if args.all { PAGE } else { args.limit };
        let mut page = accounts.events(&filter, limit + 1).await?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = page.len() > most;
        page.truncate(most);
        events.extend(page);
        filter.before = events.last().map(|event: &RecordedEvent| event.id);
        if !more {
            break;
        }
        if !args.all {
            let next = filter.before.map(|id| format!("--before {id}")).unwrap_or_default();
            cut = Some(CutNotice::uncounted(events.len(), next));
            break;
        }
    }
    if events.is_empty() {
        check_names(accounts, &args.filter()).await?;
    }
    let json = events.iter().map(RecordedEvent::to_json).collect();
    Ok(Report::list(table(&events), json, cut))
}

/// Reports names that no event and no object has. It matters only for an empty list.
async fn check_names(accounts: &Accounts, filter: &AuditFilter) -> Result<(), CliError> {
    let mut missing = Vec::new();
    let [actor, object] = [&filter.actor_name, &filter.object_name];
    let by_actor = AuditFilter { actor_name: actor.clone(), ..AuditFilter::default() };
    let about_object = AuditFilter { object_name: object.clone(), ..AuditFilter::default() };
    for (name, filter, what) in [(actor, by_actor, "actor"), (object, about_object, "object")] {
        let Some(name) = name else { continue };
        let is_user = accounts.user(&UserKey::Name(name.clone())).await.is_ok();
        if !is_user && accounts.events(&filter, 1).await?.is_empty() {
            missing
                .push(format!("no event names the {what} {name:?}; see `wardroom user list --search TERMS`"));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(CliError::not_found(&missing)) }
}

fn table(events: &[RecordedEvent]) -> TextTable {
    let columns = [
        TableColumn::whole("id"),
        TableColumn::whole("at"),
        TableColumn::text("actor"),
        TableColumn::whole("address").spare(2),
        TableColumn::whole("action"),
        TableColumn::text("object"),
        TableColumn::text("changes").spare(1),
    ];
    let row = |recorded: &RecordedEvent| {
        let event = &recorded.event;
        let object = match event.object_id {
            Some(id) => format!("{} {id} {}", event.object_kind, event.object_name),
            None => event.object_kind.clone(),
        };
        let is_refusal = event.action.ends_with(".refused");
        let style = if is_refusal { CellStyle::Bad } else { CellStyle::Plain };
        [
            TableCell::from(recorded.id.to_string()),
            to_the_second(recorded.at).into(),
            format!("{} {}", event.actor_kind, event.actor_name).trim_end().into(),
            event.address.as_deref().unwrap_or("-").into(),
            TableCell::from(event.action.as_str()).styled(style),
            object.into(),
            event.changes.as_str().into(),
        ]
    };
    TextTable::new(columns, events.iter().map(row).collect())
}

/// Lists all actions with their meanings.
pub(super) fn actions() -> Report {
    let columns = [TableColumn::whole("action"), TableColumn::text("meaning")];
    let rows = ACTIONS.iter().map(|(name, meaning)| [TableCell::from(name), meaning.into()]).collect();
    let json = ACTIONS.iter().map(|(name, meaning)| json!({ "action": name, "meaning": meaning })).collect();
    Report::list(TextTable::new(columns, rows), json, None)
}
