//! The flags of lists: search, filters, order and page. What they mean is decided by `directory::query`; this file gives
//! each parameter of the API's lists its flag.

use std::fmt::Display;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::str::FromStr;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::days::day;
use super::report::{CliError, CutNotice};
use crate::directory::model::ValidationErrors;
use crate::directory::query::{Page, PageLink};

/// A parameter of a list and its value.
pub(super) type ListParameter = (String, String);

/// The most rows of a page, and the usual number.
const PAGE_MAX: u32 = 1000;
const PAGE_USUAL: &str = "100";

/// How the value of a filter is given.
#[derive(Clone, Copy, Debug)]
pub(super) enum FilterForm {
    /// A flag for yes and one for no.
    Switch {
        no: &'static str,
        also_no: Option<&'static str>,
        help_no: &'static str,
    },
    Number,
    Day,
    Text(&'static str),
    Choice(&'static [&'static str]),
}

/// A filter: its name in the API, its flag and its help.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListFilter {
    pub(super) name: &'static str,
    pub(super) flag: &'static str,
    pub(super) form: FilterForm,
    pub(super) help: &'static str,
}

impl ListFilter {
    pub(super) const fn switch(
        name: &'static str,
        [flag, no]: [&'static str; 2],
        [help, help_no]: [&'static str; 2],
    ) -> Self {
        Self { name, flag, form: FilterForm::Switch { no, also_no: None, help_no }, help }
    }

    /// Accepts another flag for no.
    pub(super) const fn or_no(self, also: &'static str) -> Self {
        let form = match self.form {
            FilterForm::Switch { no, help_no, .. } => FilterForm::Switch { no, also_no: Some(also), help_no },
            other => other,
        };
        Self { form, ..self }
    }

    pub(super) const fn number(name: &'static str, flag: &'static str, help: &'static str) -> Self {
        Self { name, flag, form: FilterForm::Number, help }
    }

    pub(super) const fn day(name: &'static str, flag: &'static str, help: &'static str) -> Self {
        Self { name, flag, form: FilterForm::Day, help }
    }

    pub(super) const fn text(
        name: &'static str,
        [flag, value]: [&'static str; 2],
        help: &'static str,
    ) -> Self {
        Self { name, flag, form: FilterForm::Text(value), help }
    }

    /// Returns its arguments.
    fn args(&self) -> Vec<Arg> {
        let arg = Arg::new(self.name).long(self.flag).help(self.help);
        match self.form {
            FilterForm::Switch { no, also_no, help_no } => {
                let other = Arg::new(no).long(no).help(help_no).action(ArgAction::SetTrue);
                let other = other.conflicts_with(self.name).visible_aliases(also_no);
                vec![arg.action(ArgAction::SetTrue), other]
            }
            FilterForm::Number => {
                vec![arg.value_name("NUMBER").allow_negative_numbers(true).value_parser(number)]
            }
            FilterForm::Day => vec![arg.value_name("DAY").value_parser(day)],
            FilterForm::Text(value) => {
                vec![arg.value_name(value).value_parser(clap::builder::NonEmptyStringValueParser::new())]
            }
            FilterForm::Choice(choices) => {
                vec![arg.value_name("CHOICE").value_parser(choices.to_vec())]
            }
        }
    }

    /// Returns the value that was given.
    fn value(&self, matches: &ArgMatches) -> Option<String> {
        match self.form {
            FilterForm::Switch { no, .. } => {
                let given = [(self.name, true), (no, false)];
                let given = given.into_iter().find(|(name, _)| matches.get_flag(name));
                given.map(|(_, yes)| yes.to_string())
            }
            FilterForm::Number => matches.get_one::<i64>(self.name).map(ToString::to_string),
            FilterForm::Day | FilterForm::Text(_) | FilterForm::Choice(_) => {
                matches.get_one::<String>(self.name).cloned()
            }
        }
    }
}

/// A list: its filters and the columns that it can be ordered by.
pub(super) trait ListNoun: Clone + Send + Sync + 'static {
    const FILTERS: &'static [ListFilter];
    const COLUMNS: &'static [&'static str];
    /// What the search covers; `None` if there is none.
    const SEARCH: Option<&'static str>;
}

/// The switches of a command that writes, from the same kind of table.
#[derive(Clone, Debug)]
pub(super) struct Switches<N>(Vec<ListParameter>, PhantomData<N>);

/// The flags of a list.
#[derive(Clone, Debug)]
pub(super) struct ListFlags<N> {
    parameters: Vec<ListParameter>,
    limit: u32,
    /// Whether the number of rows was given.
    is_limited: bool,
    offset: u64,
    all: bool,
    noun: PhantomData<N>,
}

/// The rows of a list, and what is said if there are more.
pub(super) struct ListedRows<T> {
    pub(super) rows: Vec<T>,
    pub(super) cut: Option<CutNotice>,
}

impl<N: ListNoun> Args for Switches<N> {
    fn augment_args(command: Command) -> Command {
        command.args(N::FILTERS.iter().flat_map(ListFilter::args))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<N: ListNoun> FromArgMatches for Switches<N> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(given::<N>(matches), PhantomData))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<N> Switches<N> {
    /// Returns what was given for a flag of the API.
    pub(super) fn get(&self, name: &str) -> Option<bool> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value == "true")
    }

    /// Whether none was given.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn given<N: ListNoun>(matches: &ArgMatches) -> Vec<ListParameter> {
    let given = N::FILTERS.iter().filter_map(|filter| Some((filter.name.to_owned(), filter.value(matches)?)));
    given.collect()
}

impl<N: ListNoun> Args for ListFlags<N> {
    fn augment_args(command: Command) -> Command {
        let search = N::SEARCH.map(|help| Arg::new("search").long("search").value_name("TERMS").help(help));
        let columns = N::COLUMNS.join(", ");
        let page = [
            Arg::new("ordering")
                .long("ordering")
                .visible_alias("order")
                .value_name("COLUMNS")
                .allow_hyphen_values(true)
                .value_parser(ordering::<N>)
                .help(format!("The order: {columns}, separated by commas; - in front for descending")),
            Arg::new("limit")
                .long("limit")
                .value_name("LIMIT")
                .value_parser(within(1..=PAGE_MAX))
                .default_value(PAGE_USUAL)
                .help("The maximum number of rows (1 to 1000)"),
            Arg::new("offset")
                .long("offset")
                .value_name("NUMBER")
                .allow_negative_numbers(true)
                .value_parser(offset)
                .help("Leave out this many rows first"),
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["limit", "offset"])
                .help("List all rows, however many there are"),
        ];
        command.args(search).args(N::FILTERS.iter().flat_map(ListFilter::args)).args(page)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<N: ListNoun> FromArgMatches for ListFlags<N> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut parameters = given::<N>(matches);
        for name in ["search", "ordering"] {
            let value = matches.try_get_one::<String>(name).ok().flatten();
            parameters.extend(value.map(|value| (name.to_owned(), value.clone())));
        }
        let is_limited = matches.value_source("limit") == Some(clap::parser::ValueSource::CommandLine);
        let limit = matches.get_one::<u32>("limit").copied().unwrap_or(PAGE_MAX);
        let offset = matches.get_one::<u64>("offset").copied().unwrap_or(0);
        let all = matches.get_flag("all");
        Ok(Self { parameters, limit, is_limited, offset, all, noun: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Returns a parser of whole numbers within bounds.
pub(super) fn within<T>(
    bounds: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| format!("use a whole number from {} to {}", bounds.start(), bounds.end()))
    }
}

/// Parses an id, or another whole number.
pub(super) fn number(text: &str) -> Result<i64, &'static str> {
    text.parse().map_err(|_| "use a whole number, such as 7")
}

fn offset(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "use a whole number from 0 on, such as 100")
}

/// Checks the names of columns.
fn ordering<N: ListNoun>(text: &str) -> Result<String, String> {
    let unknown =
        text.split(',').find(|column| !N::COLUMNS.contains(&column.strip_prefix('-').unwrap_or(column)));
    match unknown {
        None => Ok(text.to_owned()),
        Some(column) => Err(format!("there is no column {column:?} here: use {}", N::COLUMNS.join(", "))),
    }
}

impl<N: ListNoun> ListFlags<N> {
    /// Adds a parameter that has a flag of its own.
    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.parameters.push((name.to_owned(), value.to_string()));
        self
    }

    /// Lists rows with a higher id only.
    pub(super) fn after(mut self, id: Option<i64>) -> Self {
        let Some(least) = id.map(|id| id.saturating_add(1)) else { return self };
        match self.parameters.iter_mut().find(|(name, _)| name == "id_min") {
            Some((_, given)) => *given = given.parse().unwrap_or(least).max(least).to_string(),
            None => return self.with("id_min", least),
        }
        self
    }

    /// Orders by these columns if no order was given.
    pub(super) fn usually_by(self, columns: &str) -> Self {
        match self.parameters.iter().any(|(name, _)| name == "ordering") {
            true => self,
            false => self.with("ordering", columns),
        }
    }

    /// Lists all rows if no number was given.
    pub(super) fn usually_all(self) -> Self {
        Self { all: self.all || !(self.is_limited || self.offset > 0), ..self }
    }

    /// Fetches the rows.
    pub(super) async fn fetch<T>(
        &self,
        page: impl AsyncFn(&[ListParameter]) -> Result<Page<T>, CliError>,
    ) -> Result<ListedRows<T>, CliError> {
        let parameters = |more: [(&str, String); 2]| {
            let more = more.map(|(name, value)| (name.to_owned(), value));
            self.parameters.iter().cloned().chain(more).collect::<Vec<_>>()
        };
        if !self.all {
            let found =
                page(&parameters([("limit", self.limit.to_string()), ("offset", self.offset.to_string())]))
                    .await?;
            let cut =
                found.next.is_some().then(|| CutNotice::counted(found.rows.len(), self.offset, found.count));
            return Ok(ListedRows { rows: found.rows, cut });
        }
        let (mut rows, mut cursor) = (Vec::new(), Some(String::new()));
        while let Some(from) = cursor {
            let found = page(&parameters([("limit", PAGE_MAX.to_string()), ("cursor", from)])).await?;
            rows.extend(found.rows);
            cursor = match found.next {
                Some(PageLink::Cursor(next)) => Some(next),
                Some(PageLink::Offset(_)) | None => None,
            };
        }
        Ok(ListedRows { rows, cut: None })
    }
}

/// Reports invalid parameters by their flags.
pub(super) fn invalid_flags(errors: &ValidationErrors) -> CliError {
    let texts: Vec<_> = errors
        .iter()
        .map(|(name, messages)| {
            let flag = match name {
                "group_id" | "groups_in" => "group".to_owned(),
                name => name.replace('_', "-"),
            };
            format!("--{flag}: {}", messages.join(" "))
        })
        .collect();
    CliError::usage(texts.join("; "))
}
