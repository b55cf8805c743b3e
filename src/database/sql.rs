//! SQL statements: text from the program's source, and values that are always parameters.
//!
//! All text has the type `&'static str`, so that no outside input can become SQL. Both databases get the same text,
//! with parameters `$1`, `$2`, and so on. SQLite binds them by name, so they may appear in any order.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use rusqlite::types::ToSqlOutput;
use tokio_postgres::types::{IsNull, Type, private::BytesMut};

/// The SQL dialect of a database, for statements whose text must differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// The value of one parameter. Its `Debug` output hides text and bytes, because they may be secrets.
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

/// The name of a table or column that is only known at run time, quoted as a delimited identifier (ISO/IEC 9075). It is
/// the only text in a statement that does not come from the program's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    quoted: String,
}

impl Name {
    /// Quotes a name. Whatever the text contains, it can only be read as a name.
    pub(crate) fn new(name: &str) -> Self {
        Self { quoted: format!("\"{}\"", name.replace('\0', "").replace('"', "\"\"")) }
    }

    /// Returns the name with its quotes.
    pub(crate) fn quoted(&self) -> &str {
        &self.quoted
    }
}

/// What a database keeps of a statement for the next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preparation {
    Nothing,
    /// The prepared statement. PostgreSQL may still plan it for the values of each run.
    Statement,
    /// The prepared statement and its plan.
    Plan,
}

/// A statement with its parameters.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    text: Cow<'static, str>,
    args: Vec<Value>,
    kept: Preparation,
}

impl Sql {
    /// Creates a complete statement. Add its parameters with [`Sql::bind`] in the order of their numbers.
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), args: Vec::new(), kept: Preparation::Statement }
    }

    /// Begins a statement that is composed from a caller's choices. It is not kept prepared because it has too many
    /// forms: on PostgreSQL they would fill the server's memory, on SQLite they would evict all others from the cache.
    pub(crate) fn composed(text: &'static str) -> Self {
        Self { kept: Preparation::Nothing, ..Self::new(text) }
    }

    /// Keeps the statement prepared with one plan. For statements that have few forms, whose best plan is the same whatever
    /// the values are, and that take no longer than a few look-ups. Their limits are part of the text: PostgreSQL would plan a
    /// parameter as a tenth of the table.
    pub(crate) fn with_one_plan(mut self) -> Self {
        self.kept = Preparation::Plan;
        self
    }

    /// Returns whether the statement has one plan; see [`Sql::with_one_plan`].
    pub(crate) fn has_one_plan(&self) -> bool {
        self.kept == Preparation::Plan
    }

    /// Puts `text` in front of the statement. It must not contain parameters.
    pub(crate) fn with_prefix(mut self, text: &'static str) -> Self {
        self.text.to_mut().insert_str(0, text);
        self
    }

    /// Returns whether the statement is composed; see [`Sql::composed`].
    pub(crate) fn is_composed(&self) -> bool {
        self.kept == Preparation::Nothing
    }

    /// Adds the value of the next parameter.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.args.push(value.into());
        self
    }

    /// Appends text.
    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// Appends a parameter and adds its value.
    pub(crate) fn push_arg(&mut self, value: impl Into<Value>) -> &mut Self {
        self.args.push(value.into());
        // Writing to a String cannot fail.
        let _ = write!(self.text.to_mut(), "${}", self.args.len());
        self
    }

    /// Appends the name of a table or column of a foreign database.
    pub(crate) fn push_name(&mut self, name: &Name) -> &mut Self {
        self.text.to_mut().push_str(&name.quoted);
        self
    }

    /// Appends the name of a table of a foreign database, with its schema if it needs one.
    pub(crate) fn push_table(&mut self, schema: Option<&str>, table: &str) -> &mut Self {
        if let Some(schema) = schema {
            self.push_name(&Name::new(schema)).push(".");
        }
        self.push_name(&Name::new(table))
    }

    /// Returns whether the parameters first appear in the order of their numbers. Then SQLite numbers them the same
    /// way, and values can be bound by position. Looking up each parameter's name takes time quadratic in their number.
    pub(crate) fn has_ordered_parameters(&self) -> bool {
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

    /// Returns whether this is the other statement with the same parameters. Those differ more often than the text.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.args == other.args && self.text == other.text
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

/// PostgreSQL infers the type of each parameter from the statement. The value must match that type.
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
