//! "Did you mean": the known words nearest to one that is not known.

/// Longer words are nobody's slip of the finger.
const LONGEST: usize = 64;

/// `; did you mean X?`, or nothing where no known word is near.
#[must_use]
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(written, known).map_or_else(String::new, |word| format!("; did you mean `{word}`?"))
}

/// ` (did you mean X or Y?)` for a word of the command line, of which a part is often all that is remembered: words that
/// contain it come first, then those a few letters away, at most three. Empty where nothing is near.
#[must_use]
pub fn hint<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let lower = written.to_lowercase();
    let contains = |word: &str| lower.len() > 2 && word.contains(&lower);
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|word| if contains(word) { Some((0, word)) } else { Some((slips(written, word)?, word)) })
        .collect();
    found.sort_by_key(|(slips, _)| *slips);
    let near: Vec<String> = found.into_iter().take(3).map(|(_, word)| format!("`{word}`")).collect();
    if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(" or ")) }
}

/// The known word with the fewest typing slips.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .filter_map(|word| Some((slips(written, word)?, word)))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, word)| word)
}

/// How many letters are put in, left out, replaced or swapped with their neighbour; `None` for more than a third of the word.
fn slips(written: &str, word: &str) -> Option<usize> {
    if written.len() > LONGEST {
        return None;
    }
    let slips = strsim::osa_distance(&written.to_lowercase(), &word.to_lowercase());
    (slips <= (word.chars().count() / 3).max(1)).then_some(slips)
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

    #[test]
    fn a_part_of_a_word_is_enough_on_the_command_line() {
        let known = ["dropped", "rejected", "refused", "tls-expired", "tls-dropped"];
        assert_eq!(hint("droped", known), " (did you mean `dropped`?)");
        assert_eq!(hint("TLS", known), " (did you mean `tls-expired` or `tls-dropped`?)");
        assert_eq!(hint("refuse", known), " (did you mean `refused`?)");
        assert_eq!(hint("xyzzy", known), "");
    }
}
