//! The texts of messages: templates in two languages, which the operator may replace, and their rendering.
//!
//! A template is plain text with placeholders such as `{code}`. That of a mail begins with `Subject: `. A line whose
//! placeholder has no value is left out. What a value contains stays text: its control characters become spaces, marks that
//! change the direction of text are removed, and its braces are no placeholders.
//!
//! Never in here: a file, a clock, or the sending of a message.

mod built_in;
mod parse;
mod placeholder;
mod sms;
mod template;

use std::collections::BTreeMap;

use self::parse::{LONGEST_SUBJECT, ParsedTemplate, TemplateLine, TemplatePart};
pub use self::parse::{LONGEST_TEMPLATE, TemplateError};
use self::placeholder::Placeholder;
pub use self::sms::{SmsEncoding, SmsSize};
pub use self::template::Template;
use super::model::{Channel, Locale};

/// All templates in all languages, with what all messages of an installation share.
#[derive(Clone, Debug)]
pub struct Templates {
    texts: BTreeMap<(Template, Locale), ParsedTemplate>,
    service: String,
    host: String,
}

/// The built-in texts, of a service without a name and a host of its own.
impl Default for Templates {
    fn default() -> Self {
        Self { texts: built_in::all(), service: "Wardroom".to_owned(), host: String::new() }
    }
}

impl Templates {
    /// The built-in texts, for a service with this name, at this host. Without a host, lines that name it are left out.
    pub fn new(service: &str, host: Option<&str>) -> Self {
        Self { service: service.to_owned(), host: host.unwrap_or_default().to_owned(), ..Self::default() }
    }

    /// Replaces a text. `name` is the name of its file.
    pub fn replace(&mut self, name: &str, text: &str) -> Result<(), TemplateError> {
        let all =
            Template::ALL.iter().flat_map(|template| Locale::ALL.iter().map(|locale| (*template, *locale)));
        let key = all.clone().find(|(template, locale)| template.file_name(*locale) == name);
        let (template, locale) = key.ok_or_else(|| {
            let names = all.map(|(template, locale)| template.file_name(locale)).collect::<Vec<_>>();
            TemplateError::UnknownName(names.join(", "))
        })?;
        let parsed = ParsedTemplate::parse(template, text)?;
        self.texts.insert((template, locale), parsed);
        Ok(())
    }

    /// Checks that no text can become too long, whatever its values are. Returns the name of the file of the first that can.
    pub fn check(&self) -> Result<(), (String, TemplateError)> {
        for (template, locale) in self.texts.keys() {
            self.check_one(*template, *locale).map_err(|error| (template.file_name(*locale), error))?;
        }
        Ok(())
    }

    fn check_one(&self, template: Template, locale: Locale) -> Result<(), TemplateError> {
        let values: Vec<_> = template.placeholders().iter().map(|one| (one.name(), one.longest())).collect();
        let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        // The values of the installation are known.
        let values: Vec<_> =
            values.into_iter().filter(|(name, _)| !["service", "host"].contains(name)).collect();
        let rendered = render(self, template, locale, &values);
        if template.channel() == Channel::Sms {
            let size = SmsSize::of(&rendered.text);
            return if size.is_allowed() { Ok(()) } else { Err(TemplateError::LongSms(size)) };
        }
        let subject = rendered.subject.unwrap_or_default().chars().count();
        if subject > LONGEST_SUBJECT { Err(TemplateError::LongSubject(subject)) } else { Ok(()) }
    }
}

/// A message that is ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject of a mail.
    pub subject: Option<String>,
    /// The text. Its lines end with `\n`, except the last.
    pub text: String,
}

/// Fills a template. The name and the host of the service need not be given. A value that is not given is empty.
pub fn render(
    templates: &Templates,
    template: Template,
    locale: Locale,
    values: &[(&str, &str)],
) -> Rendered {
    let Some(parsed) = templates.texts.get(&(template, locale)) else {
        return Rendered { subject: None, text: String::new() };
    };
    let value = |placeholder: Placeholder| {
        let given = values.iter().find(|(name, _)| *name == placeholder.name()).map(|(_, value)| *value);
        let given = given.unwrap_or(match placeholder {
            Placeholder::Service => &templates.service,
            Placeholder::Host => &templates.host,
            _ => "",
        });
        placeholder.clean(given)
    };
    let lines: Vec<_> = parsed.lines.iter().filter_map(|line| fill(line, value)).collect();
    let subject = parsed.subject.as_ref().map(|line| fill(line, value).unwrap_or_default());
    Rendered { subject, text: lines.join("\n").trim().to_owned() }
}

/// Fills a line; `None` if one of its values is empty.
fn fill(line: &TemplateLine, value: impl Fn(Placeholder) -> String) -> Option<String> {
    let mut filled = String::new();
    for part in &line.0 {
        match part {
            TemplatePart::Text(text) => filled.push_str(text),
            TemplatePart::Value(placeholder) => {
                let value = value(*placeholder);
                if value.is_empty() {
                    return None;
                }
                filled.push_str(&value);
            }
        }
    }
    Some(filled)
}

#[cfg(test)]
mod tests;
