//! Text for a terminal: what others wrote is escaped, and numbers stand in columns.
//!
//! Called by the commands.

/// Escapes what must not reach a terminal as it is: control characters, and invisible ones that reorder or hide their
/// neighbours. Quotes and backslashes stay.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => out.push(character),
            other => out.extend(other.escape_debug()),
        }
    }
    out
}

/// Where a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// A table with a heading, two spaces between its columns and none behind the last.
pub(crate) fn table<const N: usize>(columns: [(&str, Side); N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([columns[column].0.chars().count()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = String::new();
    let mut line = |cells: [&str; N]| {
        let mut line = String::new();
        for (column, cell) in cells.into_iter().enumerate() {
            let width = widths[column];
            line.push_str(if column == 0 { "" } else { "  " });
            line.push_str(&match columns[column].1 {
                Side::Left => format!("{cell:<width$}"),
                Side::Right => format!("{cell:>width$}"),
            });
        }
        out.push_str(line.trim_end());
        out.push('\n');
    };
    line(columns.map(|(heading, _)| heading));
    for row in rows {
        line(row.each_ref().map(String::as_str));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_speaks_to_a_terminal_passes() {
        assert_eq!(escaped("a\u{1b}[31m\n\t\u{202e}\u{85}\0"), "a\\u{1b}[31m\\n\\t\\u{202e}\\u{85}\\0");
        assert_eq!(escaped("it's \"wörker\" \\ 三"), "it's \"wörker\" \\ 三");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a".to_owned(), "1".to_owned()], ["größer".to_owned(), "12345".to_owned()]];
        let table = table([("NAME", Side::Left), ("SIZE", Side::Right)], &rows);
        assert_eq!(table, "NAME     SIZE\na           1\ngrößer  12345\n");
    }
}
