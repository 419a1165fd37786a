//! "Did you mean …?": the known name nearest to a mistyped one. Not a spelling corrector: it gives one name or none.
//!
//! Invariant: a suggestion differs from the word by at most a third of its letters.

/// The candidate nearest to `word`, when one is near enough to be meant.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = plain(word);
    let allowed = (plain.len() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&plain, &self::plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Lower case without separators: `MaxSize`, `max-size` and `max_size` are one.
fn plain(word: &str) -> Vec<char> {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut from_before = None;
    for (row, &a) in from.iter().enumerate() {
        let mut line = Vec::with_capacity(last.len());
        line.push(row + 1);
        let mut left = row + 1;
        let mut to_before = None;
        for (column, (pair, &b)) in last.windows(2).zip(to).enumerate() {
            let (diagonal, above) = match pair {
                [diagonal, above] => (*diagonal, *above),
                _ => break,
            };
            let mut best = (diagonal + usize::from(a != b)).min(above + 1).min(left + 1);
            if from_before == Some(b) && to_before == Some(a) {
                let swapped = column.checked_sub(1).and_then(|at| before.get(at));
                best = best.min(swapped.map_or(best, |cost| cost + 1));
            }
            line.push(best);
            left = best;
            to_before = Some(b);
        }
        from_before = Some(a);
        before = std::mem::replace(&mut last, line);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_its_neighbour_and_a_strange_one_nothing() {
        let names = ["max_size", "min_size", "idle_timeout", "mode", "port"];
        for (word, expected) in [
            ("max_sise", Some("max_size")),
            ("maxSize", Some("max_size")),
            ("mni_size", Some("min_size")),
            ("idle-timeout", Some("idle_timeout")),
            ("prot", Some("port")),
            ("mod", Some("mode")),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, names), expected, "{word}");
        }
    }

    #[test]
    fn distance_counts_a_swap_of_neighbours_as_one() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        for (from, to, cost) in
            [("prot", "port", 1), ("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(&chars(from), &chars(to)), cost, "{from} {to}");
        }
    }
}
