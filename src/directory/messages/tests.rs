use super::*;

const KINDS: [Locale; 2] = [Locale::English, Locale::Persian];

fn templates() -> Templates {
    Templates::new("Example", Some("accounts.example.com"))
}

/// Values of which every one has this many characters, whatever its limit.
fn values(template: Template, length: usize) -> Vec<(&'static str, String)> {
    let digits = |one: &Placeholder| ["code", "minutes", "days"].contains(&one.name());
    let value = |one: &Placeholder| {
        let most = one.longest().len().min(length);
        (one.name(), if digits(one) { "8".repeat(most) } else { "w".repeat(length) })
    };
    template.placeholders().iter().map(value).collect()
}

#[test]
fn every_built_in_text_is_there_and_has_all_that_it_needs() {
    let all = built_in::TEXTS;
    for template in Template::ALL {
        for locale in KINDS {
            let (_, _, text) = all.iter().find(|one| (one.0, one.1) == (template, locale)).unwrap();
            let parsed = ParsedTemplate::parse(template, text);
            assert!(parsed.is_ok(), "{}: {parsed:?}", template.file_name(locale));
            assert_eq!(templates().texts.get(&(template, locale)), parsed.ok().as_ref());
        }
    }
    assert_eq!(templates().check(), Ok(()));
}

/// A text message in English always fits into one part; one in Persian into three.
#[test]
fn every_text_is_rendered_at_every_length() {
    let host = "h".repeat(50);
    let templates = Templates::new(&"s".repeat(30), Some(&host));
    for template in Template::ALL {
        for locale in KINDS {
            for length in 0..700 {
                let values = values(template, length);
                let given: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let Rendered { subject, text } = render(&templates, template, locale, &given);
                assert!(!text.contains(['{', '}', '\r']), "{text}");
                assert_eq!(subject.is_some(), template.channel() == Channel::Mail);
                assert!(!subject.unwrap_or_default().contains('\n'));
                if template.channel() == Channel::Sms {
                    let size = SmsSize::of(&text);
                    assert!(size.is_allowed(), "{length}: {size} in {text}");
                    let encoding =
                        if locale == Locale::English { SmsEncoding::Gsm } else { SmsEncoding::Utf16 };
                    assert!(text.is_empty() || size.encoding == encoding, "{text}");
                }
            }
        }
    }
}

#[test]
fn a_code_message_ends_with_the_line_that_browsers_read() {
    let given = [("code", "012345"), ("minutes", "5")];
    let text = render(&templates(), Template::CodeSms, Locale::English, &given).text;
    assert_eq!(
        text,
        "012345 is your code for Example. Valid for 5 min. Do not share it.\n\n@accounts.example.com #012345"
    );
    let persian = render(&templates(), Template::CodeSms, Locale::Persian, &given).text;
    assert!(
        persian.ends_with("\n\n@accounts.example.com #012345") && persian.starts_with("کد ورود"),
        "{persian}"
    );
    // Without a host, or with one that is too long, the line would be wrong.
    for host in [None, Some("h".repeat(51))] {
        let templates = Templates::new("Example", host.as_deref());
        let text = render(&templates, Template::CodeSms, Locale::English, &given).text;
        assert!(text.ends_with("Do not share it."), "{text}");
    }
}

#[test]
fn what_a_value_contains_stays_text() {
    let hostile = "a\r\nSubject: x\r\n.\r\nBcc: b@example.com\u{2028}{code}{link}\u{202e}\u{0}";
    let given = [("link", "https://accounts.example.com/x"), ("username", hostile), ("days", "7")];
    let rendered = render(&templates(), Template::InvitationMail, Locale::English, &given);
    let line = rendered.text.lines().find(|line| line.starts_with("Your username")).unwrap();
    assert_eq!(line, "Your username: a  Subject: x  .  Bcc: b@example.com {code}{link}");
    let templates = Templates::new(hostile, None);
    let subject = render(&templates, Template::InvitationMail, Locale::English, &given).subject.unwrap();
    assert!(!subject.chars().any(char::is_control) && subject.contains("a  Subject: x"), "{subject:?}");
    // A line without its value is left out, and a value that is not given is empty.
    let rendered = render(&self::templates(), Template::InvitationMail, Locale::English, &[]);
    assert!(!rendered.text.contains("username") && !rendered.text.contains("valid"), "{}", rendered.text);
}

#[test]
fn a_wrong_template_is_refused_with_its_line() {
    let refused = |name: &str, text: &str| templates().replace(name, text).unwrap_err().to_string();
    let mail = |body: &str| format!("Subject: Hello\n\n{body}");
    for (name, text, message) in [
        (
            "code_sms.de.txt",
            "{code}".to_owned(),
            "no message has this name; use one of code_sms.en.txt, code_sms.fa.txt,",
        ),
        (
            "code_sms.en.txt",
            "a\n{cod}".to_owned(),
            "line 2: there is no placeholder {cod} in this message; use {code}, {minutes}, {service}, {host}",
        ),
        ("code_sms.en.txt", "{code} {link}".to_owned(), "line 1: there is no placeholder {link}"),
        ("code_sms.en.txt", "Hello".to_owned(), "{code} is missing"),
        ("code_sms.en.txt", "Subject: a\n\n{code}".to_owned(), "a text message has no subject"),
        ("code_sms.en.txt", String::new(), "there is no text in it"),
        ("code_sms.en.txt", "{code} {".to_owned(), "line 1: a brace stands alone"),
        ("code_sms.en.txt", "{code} }".to_owned(), "line 1: a brace stands alone"),
        ("code_sms.en.txt", "{code}\n\u{202e}".to_owned(), "line 2: there is a control character"),
        ("code_sms.en.txt", "{code}\u{0}".to_owned(), "line 1: there is a control character"),
        ("code_mail.en.txt", "{code}".to_owned(), "line 1: a mail begins with a line `Subject: `"),
        ("code_mail.en.txt", "Subject: a\n{code}".to_owned(), "line 1: a mail begins with"),
        (
            "code_mail.en.txt",
            "Subject: {link}\n\n{code}".to_owned(),
            "line 1: there is no placeholder {link}",
        ),
        ("invitation_mail.fa.txt", mail("no link"), "{link} is missing"),
        ("code_mail.en.txt", "w".repeat(LONGEST_TEMPLATE + 1), "it has 16385 bytes"),
    ] {
        let error = refused(name, &text);
        assert!(error.contains(message), "{name}: {error}");
    }
}

#[test]
fn a_text_that_can_become_too_long_is_refused() {
    let check = |name: &str, text: &str| {
        let mut templates = templates();
        templates.replace(name, text).unwrap();
        templates.check().map_err(|(name, error)| format!("{name}: {error}"))
    };
    assert_eq!(check("code_sms.en.txt", &format!("{{code}}{}", "w".repeat(152))), Ok(()));
    assert_eq!(
        check("code_sms.en.txt", &format!("{{code}}{}", "w".repeat(153))),
        Err("code_sms.en.txt: with the longest values it has 161 GSM characters, and 160 are allowed; shorten it".to_owned())
    );
    assert_eq!(check("code_sms.fa.txt", &format!("{{code}}{}", "ک".repeat(193))), Ok(()));
    assert!(
        check("code_sms.fa.txt", &format!("{{code}}{}", "ک".repeat(194)))
            .unwrap_err()
            .contains("202 UTF-16 code units")
    );
    let error = check("code_mail.en.txt", &format!("Subject: {}\n\n{{code}}", "w".repeat(201))).unwrap_err();
    assert!(error.contains("its subject has 201 characters"), "{error}");
    let mut replaced = templates();
    replaced.replace("code_sms.en.txt", "{{{code}}} at {service}").unwrap();
    let text = render(&replaced, Template::CodeSms, Locale::English, &[("code", "1")]).text;
    assert_eq!(text, "{1} at Example");
}

#[test]
fn the_size_of_a_text_message_is_that_of_the_standard() {
    for (text, encoding, units, parts) in [
        ("a".repeat(160), SmsEncoding::Gsm, 160, 1),
        ("a".repeat(161), SmsEncoding::Gsm, 161, 2),
        ("{".repeat(80), SmsEncoding::Gsm, 160, 1),
        ("{".repeat(81), SmsEncoding::Gsm, 162, 2),
        ("é@\n€".to_owned(), SmsEncoding::Gsm, 5, 1),
        ("ک".repeat(70), SmsEncoding::Utf16, 70, 1),
        ("ک".repeat(71), SmsEncoding::Utf16, 71, 2),
        ("ک".repeat(201), SmsEncoding::Utf16, 201, 3),
        ("😀".repeat(35), SmsEncoding::Utf16, 70, 1),
        ("ç".to_owned(), SmsEncoding::Utf16, 1, 1),
    ] {
        assert_eq!(SmsSize::of(&text), SmsSize { encoding, units, parts }, "{text}");
    }
    // The alphabet has 128 places, of which one is the escape to the extension.
    let alphabet = (0..0x300).chain(0x370..0x400).chain([0x20ac]).filter_map(char::from_u32);
    let alone = alphabet.filter(|letter| SmsSize::of(&letter.to_string()).encoding == SmsEncoding::Gsm);
    assert_eq!(alone.count(), 127 + 10);
}
