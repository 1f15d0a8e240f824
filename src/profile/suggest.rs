//! "Did you mean": the nearest known word to one that is not known.

/// `; did you mean X?`, or nothing where no known word is near.
#[must_use]
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(written, known).map_or_else(String::new, |word| format!("; did you mean `{word}`?"))
}

/// The known word with the fewest typing slips, of at most a third of its length.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > 64 {
        return None;
    }
    let lower = written.to_lowercase();
    known
        .into_iter()
        .map(|word| (distance(&lower, &word.to_lowercase()), word))
        .filter(|(slips, word)| *slips <= (word.chars().count() / 3).max(1))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, word)| word)
}

/// How many letters are put in, left out, replaced or swapped with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_different_word_is_not() {
        let known = ["host", "hosts", "port", "proxy", "sql-server"];
        for (written, word) in [("hsot", Some("host")), ("prot", Some("port")), ("sqlserver", Some("sql-server"))] {
            assert_eq!(nearest(written, known), word, "{written}");
        }
        assert_eq!(nearest("firewall", known), None);
        assert_eq!(did_you_mean("prxoy", known), "; did you mean `proxy`?");
    }
}
