//! Parsing of templates, with errors that name the line.

use super::placeholder::{Placeholder, turns_text};
use super::sms::SmsSize;
use super::template::Template;
use crate::directory::model::Channel;

/// The longest text of a template file, in bytes.
pub const LONGEST_TEMPLATE: usize = 16 * 1024;
/// The longest subject of a mail, in characters.
pub(super) const LONGEST_SUBJECT: usize = 200;

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No template has this name.
    #[error("no message has this name; use one of {0}")]
    UnknownName(String),
    /// The file is too long.
    #[error("it has {0} bytes, and {LONGEST_TEMPLATE} are allowed")]
    LongFile(usize),
    /// There is no such placeholder.
    #[error("line {line}: there is no placeholder {{{name}}} in this message; use {allowed}")]
    UnknownPlaceholder {
        /// The line, from 1.
        line: usize,
        /// What is between the braces.
        name: String,
        /// Those that are allowed.
        allowed: String,
    },
    /// A brace stands alone.
    #[error("line {0}: a brace stands alone; write {{{{ or }}}} for a brace in the text")]
    LoneBrace(usize),
    /// A character that is not text.
    #[error(
        "line {0}: there is a control character, or a mark that changes the direction of text; remove it"
    )]
    Control(usize),
    /// A required placeholder is missing.
    #[error("{{{0}}} is missing: without it the message is useless")]
    Missing(&'static str),
    /// A mail has no subject.
    #[error("line 1: a mail begins with a line `Subject: ` and an empty line")]
    NoSubject,
    /// A text message has a subject.
    #[error("line 1: a text message has no subject; remove the line")]
    Subject,
    /// There is no text.
    #[error("there is no text in it")]
    Empty,
    /// The text message can become too long.
    #[error("with the longest values it has {0}; shorten it")]
    LongSms(SmsSize),
    /// The subject can become too long.
    #[error(
        "with the longest values its subject has {0} characters, and {LONGEST_SUBJECT} are allowed; shorten it"
    )]
    LongSubject(usize),
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TemplatePart {
    Text(String),
    Value(Placeholder),
}

/// A line of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TemplateLine(pub(super) Vec<TemplatePart>);

/// A template that can be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParsedTemplate {
    pub(super) subject: Option<TemplateLine>,
    pub(super) lines: Vec<TemplateLine>,
}

const SUBJECT: &str = "Subject: ";

impl ParsedTemplate {
    pub(super) fn parse(template: Template, text: &str) -> Result<Self, TemplateError> {
        if text.len() > LONGEST_TEMPLATE {
            return Err(TemplateError::LongFile(text.len()));
        }
        let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line)).peekable();
        let is_mail = template.channel() == Channel::Mail;
        let first = lines.peek().and_then(|(_, line)| line.strip_prefix(SUBJECT));
        let subject = match (is_mail, first) {
            (true, None) => return Err(TemplateError::NoSubject),
            (false, Some(_)) => return Err(TemplateError::Subject),
            (false, None) => None,
            (true, Some(subject)) => {
                let subject = line(template, 1, subject.trim())?;
                if subject.0.is_empty() || lines.nth(1).is_some_and(|(_, line)| !line.trim().is_empty()) {
                    return Err(TemplateError::NoSubject);
                }
                Some(subject)
            }
        };
        let lines = lines.map(|(number, text)| line(template, number, text.trim_end()));
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        if lines.iter().all(|line| line.0.is_empty()) {
            return Err(TemplateError::Empty);
        }
        let has = |wanted| lines.iter().any(|line| line.0.contains(&TemplatePart::Value(wanted)));
        match template.required() {
            Some(wanted) if !has(wanted) => Err(TemplateError::Missing(wanted.name())),
            _ => Ok(Self { subject, lines }),
        }
    }
}

/// Parses a line: text, `{placeholder}`, `{{` and `}}`.
fn line(template: Template, number: usize, text: &str) -> Result<TemplateLine, TemplateError> {
    if text.chars().any(|letter| letter.is_control() || turns_text(letter)) {
        return Err(TemplateError::Control(number));
    }
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, brace, after)) = split_at_brace(rest) {
        plain.push_str(before);
        if let Some(after) = after.strip_prefix(brace) {
            plain.push(brace);
            rest = after;
            continue;
        }
        let inner = after.split_once('}').filter(|_| brace == '{');
        let (name, after) = inner.ok_or(TemplateError::LoneBrace(number))?;
        let placeholder = known(template, number, name)?;
        if !plain.is_empty() {
            parts.push(TemplatePart::Text(std::mem::take(&mut plain)));
        }
        parts.push(TemplatePart::Value(placeholder));
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(TemplatePart::Text(plain));
    }
    Ok(TemplateLine(parts))
}

/// Splits a text at its first brace.
fn split_at_brace(text: &str) -> Option<(&str, char, &str)> {
    let at = text.find(['{', '}'])?;
    let (before, rest) = text.split_at_checked(at)?;
    let brace = rest.chars().next()?;
    Some((before, brace, rest.get(1..)?))
}

fn known(template: Template, line: usize, name: &str) -> Result<Placeholder, TemplateError> {
    let allowed = template.placeholders();
    let found = Placeholder::from_name(name).filter(|found| allowed.contains(found));
    found.ok_or_else(|| {
        let allowed: Vec<_> = allowed.iter().map(|one| format!("{{{}}}", one.name())).collect();
        let name = name.chars().take(40).collect();
        TemplateError::UnknownPlaceholder { line, name, allowed: allowed.join(", ") }
    })
}
