//! Text in columns, for people. Not a table of a database.
//!
//! Invariant: every line has its columns at the same places, counted in characters.

/// Rows of cells under headings; numbers are aligned to the right.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; cells beyond the headings are not shown.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// As lines, each with its end.
    pub(crate) fn render(&self) -> String {
        let columns: Vec<Column> = self
            .headings
            .iter()
            .enumerate()
            .map(|(at, heading)| {
                let cells = || self.rows.iter().filter_map(|row| row.get(at));
                let widest = cells().map(|cell| cell.chars().count()).max().unwrap_or(0);
                let number = |cell: &String| cell.starts_with(|c: char| c.is_ascii_digit());
                Column {
                    width: widest.max(heading.chars().count()),
                    right: cells().next().is_some() && cells().all(number),
                }
            })
            .collect();
        let headings: Vec<String> = self.headings.iter().map(|text| text.to_uppercase()).collect();
        let mut text = line(&columns, &headings);
        for row in &self.rows {
            text.push_str(&line(&columns, row));
        }
        text
    }
}

struct Column {
    width: usize,
    right: bool,
}

fn line(columns: &[Column], cells: &[String]) -> String {
    let mut text = String::new();
    for (column, cell) in columns.iter().zip(cells) {
        if !text.is_empty() {
            text.push_str("  ");
        }
        let width = column.width;
        text.push_str(&if column.right {
            format!("{cell:>width$}")
        } else {
            format!("{cell:width$}")
        });
    }
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let mut table = Table::new(&["name", "count"]);
        table.row(vec!["a".to_owned(), "5".to_owned()]);
        table.row(vec!["longer".to_owned(), "12345678".to_owned()]);
        assert_eq!(table.render(), "NAME       COUNT\na              5\nlonger  12345678\n");
    }
}
