//! "Did you mean": the known words nearest to one that is not known.

/// At most three words that were probably meant, the likeliest first: words that contain it, then words a few letters away.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word: String = word.chars().take(64).collect::<String>().to_lowercase();
    let near = (word.chars().count() / 3).clamp(1, 4);
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|candidate| {
            if word.len() > 2 && candidate.contains(&word) {
                return Some((0, candidate));
            }
            let distance = distance(&word, candidate);
            (distance <= near).then_some((distance, candidate))
        })
        .collect();
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// The hint as it is appended to an error; empty where nothing is near.
pub(super) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near: Vec<String> = nearest(word, known).into_iter().map(|word| format!("`{word}`")).collect();
    if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(" or ")) }
}

/// How many letters must be put in, left out or changed (Levenshtein's distance).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = line;
        row[0] = line + 1;
        for (column, candidate) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *candidate);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        let known = ["dropped", "rejected", "refused", "tls-expired", "tls-dropped"];
        assert_eq!(nearest("droped", known), ["dropped"]);
        assert_eq!(nearest("TLS", known), ["tls-expired", "tls-dropped"]);
        assert_eq!(nearest("xyzzy", known), [""; 0]);
        assert_eq!(hint("refuse", known), " (did you mean `refused`?)");
    }

    #[test]
    fn distances_count_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
