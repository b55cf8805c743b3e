//! Messages as a table, as lines and as JSON.

use serde_json::{Value, json};

use crate::cli::days::to_the_second;
use crate::cli::terminal::{CellStyle, TableCell, TableColumn, TextTable, fields};
use crate::directory::model::{Delivery, DeliveryState, Timestamp};

pub(super) fn table(messages: &[Delivery]) -> TextTable {
    let columns = [
        TableColumn::whole("id"),
        TableColumn::whole("created_at"),
        TableColumn::whole("kind"),
        TableColumn::whole("channel"),
        TableColumn::text("target"),
        TableColumn::whole("state"),
        TableColumn::whole("attempts").spare(2),
        TableColumn::text("error").spare(1),
    ];
    let row = |message: &Delivery| {
        let style = match message.state {
            DeliveryState::Sent => CellStyle::Good,
            DeliveryState::Failed | DeliveryState::Expired => CellStyle::Bad,
            DeliveryState::Queued | DeliveryState::Sending | DeliveryState::Dropped => CellStyle::Plain,
        };
        [
            TableCell::from(message.id.as_str()),
            to_the_second(message.created_at).into(),
            message.kind.name().into(),
            message.channel.name().into(),
            message.target.as_str().into(),
            TableCell::from(message.state.name()).styled(style),
            message.attempts.to_string().into(),
            message.error.as_deref().unwrap_or("-").into(),
        ]
    };
    TextTable::new(columns, messages.iter().map(row).collect())
}

pub(super) fn details(message: &Delivery) -> String {
    let or_dash = |text: Option<String>| vec![text.unwrap_or_else(|| "-".to_owned())];
    let mut lines = vec![
        ("id", vec![message.id.to_string()]),
        ("kind", vec![message.kind.name().to_owned()]),
        ("channel", vec![message.channel.name().to_owned()]),
        ("target", vec![message.target.clone()]),
        ("user_id", or_dash(message.user.map(|id| id.to_string()))),
        ("state", vec![message.state.name().to_owned()]),
        ("created_at", vec![message.created_at.to_string()]),
        ("expires_at", vec![message.expires_at.to_string()]),
        ("attempts", vec![message.attempts.to_string()]),
    ];
    match message.state {
        DeliveryState::Queued => lines.push(("next_attempt_at", vec![message.next_at.to_string()])),
        DeliveryState::Sending => lines.push(("taken_until", vec![message.next_at.to_string()])),
        _ => lines.push(("finished_at", or_dash(message.finished_at.map(|at| at.to_string())))),
    }
    lines.push(("error", or_dash(message.error.clone())));
    fields(&lines)
}

pub(super) fn row_json(message: &Delivery) -> Value {
    let time = |at: Timestamp| at.to_string();
    json!({
        "id": message.id.as_str(),
        "kind": message.kind.name(),
        "channel": message.channel.name(),
        "target": message.target,
        "user_id": message.user.map(|id| id.get()),
        "state": message.state.name(),
        "created_at": time(message.created_at),
        "expires_at": time(message.expires_at),
        "next_attempt_at": (message.state == DeliveryState::Queued).then(|| time(message.next_at)),
        "attempts": message.attempts,
        "error": message.error,
        "finished_at": message.finished_at.map(time),
    })
}
