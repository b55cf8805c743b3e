//! The texts that are inside the binary: one of each template in each language.

use std::collections::BTreeMap;

use super::parse::ParsedTemplate;
use super::template::Template;
use crate::directory::model::Locale;

/// Embeds the files of one template.
macro_rules! texts {
    ($($template:ident = $name:literal;)+) => {
        [$(
            (Template::$template, Locale::English, include_str!(concat!("../../../templates/messages/", $name, ".en.txt"))),
            (Template::$template, Locale::Persian, include_str!(concat!("../../../templates/messages/", $name, ".fa.txt"))),
        )+]
    };
}

/// The text of each template in each language.
pub(super) const TEXTS: [(Template, Locale, &str); 16] = texts! {
    CodeSms = "code_sms";
    CodeMail = "code_mail";
    InvitationMail = "invitation_mail";
    PasswordResetMail = "password_reset_mail";
    NoticePasswordMail = "notice_password_mail";
    NoticeEmailMail = "notice_email_mail";
    NoticeNumberMail = "notice_number_mail";
    NoticeNetworkMail = "notice_network_mail";
};

/// Parses all texts. A test checks that each can be parsed.
pub(super) fn all() -> BTreeMap<(Template, Locale), ParsedTemplate> {
    let parsed =
        |(template, locale, text)| Some(((template, locale), ParsedTemplate::parse(template, text).ok()?));
    TEXTS.into_iter().filter_map(parsed).collect()
}
