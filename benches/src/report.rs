//! One Markdown table per workload, with each peer's figure and its ratio to miu-log's.

use std::fmt::Write as _;

/// A table under construction; all cells are text.
#[derive(Debug, Default)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    #[must_use]
    pub fn new<I: IntoIterator<Item = S>, S: Into<String>>(head: I) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row; missing cells stay empty.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table as Markdown, padded so that it reads well as plain text too.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.chain(self.head.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
            })
            .collect();
        let mut text = String::new();
        let mut line = |cells: &[String]| {
            for (column, width) in widths.iter().enumerate() {
                let cell = cells.get(column).map_or("", String::as_str);
                let padding = " ".repeat(width - cell.chars().count());
                // Names stand left, figures right. Writing to a string does not fail.
                let _ = match column {
                    0 => write!(text, "| {cell}{padding} "),
                    _ => write!(text, "| {padding}{cell} "),
                };
            }
            text.push_str("|\n");
        };
        line(&self.head);
        let rule: Vec<String> = widths
            .iter()
            .enumerate()
            .map(|(column, width)| match column {
                0 => "-".repeat(*width),
                _ => format!("{}:", "-".repeat(width - 1)),
            })
            .collect();
        line(&rule);
        for row in &self.rows {
            line(row);
        }
        text
    }
}

/// A figure with as many digits as it deserves.
#[must_use]
pub fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{:.2} M", value / 1e6),
        size if size >= 1e4 => format!("{:.0} k", value / 1e3),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// How many times `value` is of `own`, or a dash where there is nothing to compare with.
#[must_use]
pub fn ratio(value: Option<f64>, own: Option<f64>) -> String {
    match (value, own) {
        (Some(value), Some(own)) if own > 0.0 => format!("{:.2}", value / own),
        _ => "-".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["peer", "rate"]);
        table.row(vec!["miu-log".into(), "4.00 M".into()]);
        assert_eq!(table.to_markdown(), "| peer    |   rate |\n| ------- | -----: |\n| miu-log | 4.00 M |\n");
    }

    #[test]
    fn figures_keep_three_digits_or_so() {
        let shown = [0.344, 12.34, 1_234.0, 45_600.0, 4_123_456.0].map(figure);
        assert_eq!(shown, ["0.34", "12.3", "1234", "46 k", "4.12 M"]);
    }
}
