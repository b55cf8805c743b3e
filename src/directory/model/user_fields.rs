//! The fields of a user, declared once.
//!
//! The list in this file produces the fields of `User`, of drafts and of records; the columns that are read, written and
//! copied; the columns of a CSV file and of a Django database; the fields of a request body; and what the audit trail, an
//! anonymised export and the recycle bin hold. CONTRIBUTING.md has the steps ("How to add a field of a user").
//!
//! Never in here: what has rules of its own and is written by hand beside the list. That is the id and the username, which
//! identify a user, the times, the groups, the permissions and the password.

/// Passes the list to a macro: `user_fields!(callback)` expands to `callback! { personal { ... } flags { ... } }`.
///
/// `personal` are texts. Users may write them about themselves, and an anonymised export empties them. `flags` are written
/// by others only.
///
/// `name: STORED as WRITTEN;` declares a field. `STORED` is the type of the column: `Option<String>` for a text that can be
/// null, else `String`. `WRITTEN` is the type that checks a new value. Without it, no caller can write the field. The
/// order is that of the columns, of exports and of error messages. A field that is added later needs a type with null,
/// because records, CSV files and users in the recycle bin from before lack it.
///
/// ```text
/// macro_rules! names {
///     (
///         personal { $($(#[$doc:meta])* $name:ident: $stored:ty $(as $written:ty)?;)+ }
///         flags { $($(#[$flag_doc:meta])* $flag:ident = $default:literal;)+ }
///     ) => {
///         [$(stringify!($name),)+ $(stringify!($flag),)+]
///     };
/// }
/// let names = user_fields!(names); // ["mobile_number", "email", ...]
/// ```
macro_rules! user_fields {
    ($($callback:tt)+) => {
        $($callback)+! {
            personal {
                /// Unique when not empty.
                mobile_number: Option<String> as Option<text::MobileNumber>;
                /// Unique when not empty.
                email: Option<String> as Option<text::Email>;
                /// The name of the stored image in the media directory.
                avatar: Option<String>;
                /// May be empty.
                first_name: String as text::PersonName;
                /// May be empty.
                last_name: String as text::PersonName;
                /// As stored. Only the values of `Gender` can be written.
                gender: Option<String> as Option<text::Gender>;
            }
            flags {
                /// An inactive user cannot authenticate.
                is_active = true;
                /// May enter the back office. Its permissions decide what it may do there.
                is_staff = false;
                /// May do everything (Django's `is_superuser`).
                is_admin = false;
            }
        }
    };
}
pub(in crate::directory) use user_fields;

macro_rules! names {
    (
        personal { $($(#[$doc:meta])* $name:ident: $stored:ty $(as $written:ty)?;)+ }
        flags { $($(#[$flag_doc:meta])* $flag:ident = $default:literal;)+ }
    ) => {
        /// The names of the personal fields.
        pub const PERSONAL_FIELDS: &[&str] = &[$(stringify!($name)),+];
        /// The names of the flags.
        pub const FLAG_FIELDS: &[&str] = &[$(stringify!($flag)),+];
    };
}
user_fields!(names);

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// Null, or not given.
    Null,
    /// A text.
    Text(&'a str),
    /// A flag.
    Flag(bool),
}

impl<'a> FieldValue<'a> {
    /// Returns the text of a field that is one.
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Flag(_) => None,
        }
    }
}

impl From<FieldValue<'_>> for serde_json::Value {
    fn from(value: FieldValue<'_>) -> Self {
        match value {
            FieldValue::Null => Self::Null,
            FieldValue::Text(text) => text.into(),
            FieldValue::Flag(flag) => flag.into(),
        }
    }
}

/// A place for a field that may be given. `None` means that it is not.
#[derive(Debug)]
pub enum FieldSlot<'a> {
    /// A text that is never null.
    Text(&'a mut Option<String>),
    /// A text, or null.
    NullableText(&'a mut Option<Option<String>>),
    /// A flag.
    Flag(&'a mut Option<bool>),
}

impl FieldSlot<'_> {
    /// Empties a text that was given.
    pub fn clear(self) {
        match self {
            Self::Text(text) => *text = text.as_ref().map(|_| String::new()),
            Self::NullableText(text) => *text = text.as_ref().map(|_| None),
            Self::Flag(_) => {}
        }
    }
}

/// The type of a field, as stored.
pub(in crate::directory) trait FieldType: Sized {
    /// Returns the value.
    fn value(&self) -> FieldValue<'_>;

    /// Returns the place for a value that may be given.
    fn slot(given: &mut Option<Self>) -> FieldSlot<'_>;
}

impl FieldType for String {
    fn value(&self) -> FieldValue<'_> {
        FieldValue::Text(self)
    }

    fn slot(given: &mut Option<Self>) -> FieldSlot<'_> {
        FieldSlot::Text(given)
    }
}

impl FieldType for Option<String> {
    fn value(&self) -> FieldValue<'_> {
        self.as_deref().map_or(FieldValue::Null, FieldValue::Text)
    }

    fn slot(given: &mut Option<Self>) -> FieldSlot<'_> {
        FieldSlot::NullableText(given)
    }
}

impl FieldType for bool {
    fn value(&self) -> FieldValue<'_> {
        FieldValue::Flag(*self)
    }

    fn slot(given: &mut Option<Self>) -> FieldSlot<'_> {
        FieldSlot::Flag(given)
    }
}
