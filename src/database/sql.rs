//! A statement: text that only the program wrote, and values that are only ever parameters.
//!
//! `&'static str` is the type of all text, so that no outside input can become SQL. Both databases read
//! the same text, with parameters `$1`, `$2`, ...; SQLite is given them by name, so their order is free.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use rusqlite::types::ToSqlOutput;
use tokio_postgres::types::{IsNull, Type, private::BytesMut};

/// Which database runs a statement, where the text must differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// One parameter. It does not print itself: among parameters are hashes of passwords and digests of tokens.
#[derive(Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Bool(value) => write!(f, "Bool({value})"),
            Self::Int(value) => write!(f, "Int({value})"),
            Self::Text(_) => f.write_str("Text(***)"),
            Self::Bytes(_) => f.write_str("Bytes(***)"),
        }
    }
}

/// A name that only the database knows, quoted as the standard has it (ISO/IEC 9075, delimited identifier): the one
/// text of a statement that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    quoted: String,
}

impl Name {
    /// Any text is the name of something, or of nothing, but never more than a name.
    pub(crate) fn new(name: &str) -> Self {
        Self { quoted: format!("\"{}\"", name.replace('\0', "").replace('"', "\"\"")) }
    }

    /// The name in its quotes.
    pub(crate) fn quoted(&self) -> &str {
        &self.quoted
    }
}

/// A statement with its parameters.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    text: Cow<'static, str>,
    args: Vec<Value>,
    composed: bool,
}

impl Sql {
    /// A whole statement; its parameters follow with [`Sql::bind`] in the order of their numbers.
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), args: Vec::new(), composed: false }
    }

    /// The beginning of a statement that is put together from a caller's wishes. It has too many forms for
    /// each to be kept prepared: PostgreSQL's would fill the server's memory, SQLite's push out the others.
    pub(crate) fn composed(text: &'static str) -> Self {
        Self { composed: true, ..Self::new(text) }
    }

    /// The same statement with `text` in front of it, in which there is no parameter.
    pub(crate) fn after(mut self, text: &'static str) -> Self {
        self.text.to_mut().insert_str(0, text);
        self
    }

    /// Whether the statement is one of very many forms; see [`Sql::composed`].
    pub(crate) fn is_composed(&self) -> bool {
        self.composed
    }

    /// The next parameter's value.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.args.push(value.into());
        self
    }

    /// More text, for a statement that is put together.
    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// A parameter in the text of a statement that is put together.
    pub(crate) fn push_arg(&mut self, value: impl Into<Value>) -> &mut Self {
        self.args.push(value.into());
        // Writing to a String cannot fail.
        let _ = write!(self.text.to_mut(), "${}", self.args.len());
        self
    }

    /// The name of a table or column of somebody else's database.
    pub(crate) fn push_name(&mut self, name: &Name) -> &mut Self {
        self.text.to_mut().push_str(&name.quoted);
        self
    }

    /// Whether its parameters appear in the order of their numbers, so that SQLite counts them alike. To ask it for
    /// the name of each takes the longer the more there are.
    pub(crate) fn is_in_order(&self) -> bool {
        let numbers = self.text.split('$').skip(1).map(|rest| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit);
            digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
        });
        let mut seen = 0;
        for number in numbers {
            if number > seen + 1 {
                return false;
            }
            seen = seen.max(number);
        }
        seen == self.args.len()
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn args(&self) -> &[Value] {
        &self.args
    }

    pub(crate) fn into_args(self) -> Vec<Value> {
        self.args
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Null => Ok(ToSqlOutput::from(rusqlite::types::Null)),
            Self::Bool(value) => value.to_sql(),
            Self::Int(value) => value.to_sql(),
            Self::Text(value) => value.to_sql(),
            Self::Bytes(value) => value.to_sql(),
        }
    }
}

/// PostgreSQL infers each parameter's type from the statement; the value has to suit it.
impl tokio_postgres::types::ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bool(value) => value.to_sql_checked(ty, out),
            Self::Int(value) => value.to_sql_checked(ty, out),
            Self::Text(value) => value.to_sql_checked(ty, out),
            Self::Bytes(value) => value.to_sql_checked(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}
