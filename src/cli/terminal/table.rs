//! Tables that fit a terminal.
//!
//! Each column is as wide as its widest cell. If the terminal is narrower, columns that can be spared are left out, then long
//! texts are cut. Ids, keys, states and times are never cut, because a part of them is of no use. A last column of sentences
//! is neither left out nor cut: it continues below.

use super::Terminal;
use super::prose::wrap;
use super::text::{printable, width};

/// Blanks between two columns.
const GAP: usize = 2;
/// A text is not cut below this width.
const CUT_MIN: usize = 8;
/// A column of sentences is not narrower.
const SENTENCE_MIN: usize = 24;

/// How a cell is emphasised on a terminal with colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) enum CellStyle {
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Needs attention.
    Bad,
    /// Of less interest.
    Dim,
}

impl CellStyle {
    /// The escape sequence that begins it.
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "\u{1b}[32m",
            Self::Bad => "\u{1b}[31m",
            Self::Dim => "\u{1b}[2m",
        }
    }
}

/// A cell.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct TableCell {
    text: String,
    style: CellStyle,
}

impl TableCell {
    /// Emphasises the cell.
    pub(in crate::cli) fn styled(self, style: CellStyle) -> Self {
        Self { style, ..self }
    }
}

impl<T: AsRef<str>> From<T> for TableCell {
    fn from(text: T) -> Self {
        Self { text: printable(text.as_ref()), style: CellStyle::Plain }
    }
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct TableColumn {
    head: &'static str,
    can_be_cut: bool,
    /// Whether its cells continue on further lines.
    is_wrapped: bool,
    /// The order in which columns are left out; `None` is never.
    spare: Option<u8>,
}

impl TableColumn {
    /// A column whose cells are never cut.
    pub(in crate::cli) fn whole(head: &'static str) -> Self {
        Self { head, can_be_cut: false, is_wrapped: false, spare: None }
    }

    /// A column of texts that may be long.
    pub(in crate::cli) fn text(head: &'static str) -> Self {
        Self { can_be_cut: true, ..Self::whole(head) }
    }

    /// A last column of sentences, which continue below where the terminal ends.
    pub(in crate::cli) fn sentences(head: &'static str) -> Self {
        Self { is_wrapped: true, ..Self::whole(head) }
    }

    /// Marks the column as one that a narrow terminal can do without. Lower numbers are left out first.
    pub(in crate::cli) fn spare(self, order: u8) -> Self {
        Self { spare: Some(order), ..self }
    }
}

/// A table.
#[derive(Clone, Debug)]
pub(in crate::cli) struct TextTable {
    columns: Vec<TableColumn>,
    rows: Vec<Vec<TableCell>>,
}

impl TextTable {
    /// Creates a table.
    pub(in crate::cli) fn new<const N: usize>(columns: [TableColumn; N], rows: Vec<[TableCell; N]>) -> Self {
        Self { columns: columns.to_vec(), rows: rows.into_iter().map(Vec::from).collect() }
    }

    /// Formats the table for a terminal, or as wide as it is.
    pub(in crate::cli) fn render(&self, terminal: &Terminal) -> String {
        let (shown, left_out) = self.choose(terminal.width());
        let widths = self.widths(&shown, terminal.width());
        let mut text = String::new();
        let heads = shown.iter().map(|at| (self.head(*at), if terminal.colour { "\u{1b}[1m" } else { "" }));
        push_line(&mut text, heads, &widths);
        for row in &self.rows {
            let cells: Vec<_> = shown.iter().filter_map(|at| row.get(*at)).collect();
            for line in self.lines(&cells, &shown, &widths) {
                let styles = cells.iter().map(|cell| if terminal.colour { cell.style.code() } else { "" });
                push_line(&mut text, line.into_iter().zip(styles), &widths);
            }
        }
        if !left_out.is_empty() {
            let note = format!("Left out: {} (--json has everything).\n", left_out.join(", "));
            text.push_str(&note);
        }
        text
    }

    /// The lines of a row: one, or as many as its sentences need.
    fn lines(&self, cells: &[&TableCell], shown: &[usize], widths: &[usize]) -> Vec<Vec<String>> {
        let short = || cells.iter().zip(widths).map(|(cell, widest)| cut(&cell.text, *widest));
        let (Some(sentences), Some(columns), true) = (cells.last(), widths.last(), self.is_wrapped(shown))
        else {
            return vec![short().collect()];
        };
        let line = |(number, part): (usize, String)| {
            let others = short().take(cells.len() - 1);
            others.map(|text| if number == 0 { text } else { String::new() }).chain([part]).collect()
        };
        wrap(&sentences.text, *columns, 0).into_iter().enumerate().map(line).collect()
    }

    /// Whether the last of these columns has sentences.
    fn is_wrapped(&self, shown: &[usize]) -> bool {
        shown.last().and_then(|at| self.columns.get(*at)).is_some_and(|last| last.is_wrapped)
    }

    fn head(&self, at: usize) -> String {
        self.columns.get(at).map(|column| column.head.to_uppercase()).unwrap_or_default()
    }

    /// The width of a column's widest cell.
    fn natural(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| width(&cell.text));
        cells.chain([width(&self.head(at))]).max().unwrap_or_default()
    }

    /// Chooses the columns that are shown, and names the others.
    fn choose(&self, limit: Option<usize>) -> (Vec<usize>, Vec<&'static str>) {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let mut left_out = Vec::new();
        let Some(limit) = limit else { return (shown, left_out) };
        let least = |at: &usize| match self.columns.get(*at) {
            Some(column) if column.can_be_cut => self.natural(*at).min(CUT_MIN * 2),
            Some(column) if column.is_wrapped => self.natural(*at).min(SENTENCE_MIN),
            _ => self.natural(*at),
        };
        while shown.iter().map(least).sum::<usize>() + GAP * shown.len().saturating_sub(1) > limit {
            let spare = |at: &usize| self.columns.get(*at).and_then(|column| column.spare);
            let Some(gone) = shown.iter().copied().filter(|at| spare(at).is_some()).min_by_key(spare) else {
                break;
            };
            shown.retain(|at| *at != gone);
            left_out.extend(self.columns.get(gone).map(|column| column.head));
        }
        (shown, left_out)
    }

    /// The widths of the columns. Sentences take what is left; otherwise the widest texts are cut first.
    fn widths(&self, shown: &[usize], limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = shown.iter().map(|at| self.natural(*at)).collect();
        let Some(limit) = limit else { return widths };
        let gaps = GAP * shown.len().saturating_sub(1);
        if let (Some((sentences, others)), true) = (widths.split_last_mut(), self.is_wrapped(shown)) {
            let rest = limit.saturating_sub(others.iter().sum::<usize>() + gaps);
            *sentences = (*sentences).min(rest.max(SENTENCE_MIN));
        }
        let can_be_cut: Vec<bool> =
            shown.iter().map(|at| self.columns.get(*at).is_some_and(|column| column.can_be_cut)).collect();
        while widths.iter().sum::<usize>() + gaps > limit {
            let cut = widths.iter_mut().zip(&can_be_cut).filter(|(width, can)| **can && **width > CUT_MIN);
            let Some((widest, _)) = cut.max_by_key(|(width, _)| **width) else { break };
            *widest -= 1;
        }
        widths
    }
}

/// Adds a line of cells, each with the escape sequence of its style.
fn push_line(text: &mut String, cells: impl Iterator<Item = (String, &'static str)>, widths: &[usize]) {
    let mut blanks = 0;
    for (number, ((cell, style), widest)) in cells.zip(widths).enumerate() {
        blanks += if number == 0 { 0 } else { GAP };
        if !cell.is_empty() {
            text.push_str(&" ".repeat(blanks));
            blanks = 0;
            match style {
                "" => text.push_str(&cell),
                style => text.push_str(&format!("{style}{cell}\u{1b}[0m")),
            }
        }
        blanks += widest.saturating_sub(width(&cell));
    }
    text.push('\n');
}

/// Cuts a text to a width. A mark shows that it goes on.
fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if width(&short) + 1 > most {
            short.pop();
            break;
        }
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TextTable {
        let columns = [
            TableColumn::whole("id"),
            TableColumn::text("name"),
            TableColumn::text("notes").spare(1),
            TableColumn::whole("at").spare(2),
        ];
        let row = |id: &str, name: &str, notes: &str| {
            [id.into(), name.into(), notes.into(), TableCell::from("2025-09-01T12:00:00Z")]
        };
        TextTable::new(columns, vec![row("1", "alex", ""), row("42", &"x".repeat(40), &"y".repeat(40))])
    }

    fn narrow(columns: usize) -> Terminal {
        Terminal { size: Some([columns, 24]), ..Terminal::default() }
    }

    #[test]
    fn without_a_terminal_nothing_is_cut() {
        let text = table().render(&Terminal::default());
        assert!(text.starts_with("ID  NAME "), "{text}");
        assert!(text.contains(&format!(
            "42  {}  {}  2025-09-01T12:00:00Z\n",
            "x".repeat(40),
            "y".repeat(40)
        )));
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_table_is_never_wider_than_the_terminal() {
        for columns in [40, 60, 80, 120] {
            let text = table().render(&narrow(columns));
            let lines = text.lines().filter(|line| !line.starts_with("Left out"));
            assert!(lines.clone().all(|line| width(line) <= columns), "{columns}: {text}");
            assert!(lines.clone().any(|line| line.starts_with("42  xxxx")), "{text}");
        }
        assert!(table().render(&narrow(80)).contains('…'));
        let small = table().render(&narrow(40));
        assert!(small.contains("Left out: notes"), "{small}");
        assert!(!table().render(&narrow(120)).contains("Left out"));
    }

    /// A finding is of no use without its end, which says what to do.
    #[test]
    fn sentences_continue_below() {
        let rows = vec![
            ["space".into(), "only 1 GiB is free; delete what is old".into()],
            ["files".into(), "ok".into()],
            ["url".into(), "see https://example.com/a/path/longer/than/a/line now".into()],
        ];
        let table = TextTable::new([TableColumn::whole("check"), TableColumn::sentences("finding")], rows);
        assert_eq!(
            table.render(&narrow(33)),
            "CHECK  FINDING\nspace  only 1 GiB is free; delete\n       what is old\nfiles  ok\n\
             url    see\n       https://example.com/a/path/longer/than/a/line\n       now\n"
        );
        assert_eq!(table.render(&Terminal::default()).lines().count(), 4);
    }

    #[test]
    fn wide_characters_count_as_two_columns() {
        let rows = vec![[TableCell::from("漢字"), "a".into()], ["bcde".into(), "b".into()]];
        let table = TextTable::new([TableColumn::text("name"), TableColumn::whole("x")], rows);
        assert_eq!(table.render(&Terminal::default()), "NAME  X\n漢字  a\nbcde  b\n");
    }

    #[test]
    fn colour_surrounds_the_text_alone() {
        let rows = vec![[TableCell::from("active").styled(CellStyle::Good), "x".into()]];
        let table = TextTable::new([TableColumn::whole("state"), TableColumn::whole("y")], rows);
        let terminal = Terminal { colour: true, ..narrow(80) };
        assert_eq!(
            table.render(&terminal),
            "\u{1b}[1mSTATE\u{1b}[0m   \u{1b}[1mY\u{1b}[0m\n\u{1b}[32mactive\u{1b}[0m  x\n"
        );
    }
}
