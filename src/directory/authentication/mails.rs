//! Mails to users: where they can be sent, and what they say.

use crate::directory::change::Change;
use crate::directory::messages::{Template, render};
use crate::directory::model::{Channel, Email, MessageKind, NewMessage, User};

/// Returns the e-mail address of a user, if mail can be sent to it. An imported one may have any form.
pub(super) fn address_of(user: &User) -> Option<&str> {
    let stored = user.email.as_deref()?;
    stored.parse::<Email>().is_ok_and(|email| email.to_string() == stored).then_some(stored)
}

/// Makes a mail of a template.
pub(super) fn mail(
    change: &Change<'_, '_>,
    template: Template,
    kind: MessageKind,
    to: &str,
    values: &[(&str, &str)],
) -> NewMessage {
    let settings = change.policy.outbox.as_ref().map(|outbox| outbox.settings.clone()).unwrap_or_default();
    let rendered = render(&settings.templates, template, settings.locale, values);
    NewMessage {
        kind,
        channel: Channel::Mail,
        to: to.to_owned(),
        user: None,
        subject: rendered.subject,
        text: rendered.text,
        code: None,
        locale: settings.locale,
        expires_at: change.now,
    }
}
