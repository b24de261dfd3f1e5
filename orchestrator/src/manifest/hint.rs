//! Owns the guess at what an author meant: the nearest known word.
//!
//! It does not know where the words come from.

/// Longer lists are cut: a screenful of names is no hint.
const MOST_WORDS: usize = 16;

/// Returns the word nearest to `wrong`, where one is near enough to be meant.
pub(super) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = (wrong.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|word| (distance(wrong, word), word))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, word)| word)
}

/// Writes a hint: the nearest word, or all of them.
pub(super) fn among<'a>(
    what: &str,
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    if let Some(word) = nearest(wrong, known.iter().copied()) {
        return format!("did you mean `{word}`?");
    }
    if known.is_empty() {
        return format!("no {what} is declared here");
    }
    if known.len() > MOST_WORDS {
        let more = known.len() - MOST_WORDS;
        return format!("known here: {} and {more} more", list(&known[..MOST_WORDS]));
    }
    format!("known here: {}", list(&known))
}

/// Writes words as a list in backticks.
pub(super) fn list(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The number of single-character edits (swaps of neighbours included) between two words.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests;
