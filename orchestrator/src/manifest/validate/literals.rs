//! Owns the search for literal addresses, ports and paths in a text.
//!
//! It does not know where the text stands.

/// Returns a literal address or host name.
pub(super) fn host(text: &str) -> Option<&str> {
    for word in words(text) {
        let address = word.trim_start_matches('[');
        if word.eq_ignore_ascii_case("localhost") || dotted_quad(word) || address.starts_with("::")
        {
            return Some(word);
        }
    }
    named_host(text)
}

/// The host name of a URL that does not begin with a variable.
fn named_host(text: &str) -> Option<&str> {
    text.match_indices("://").find_map(|(at, mark)| {
        let host = &text[at + mark.len()..];
        let end = host
            .find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c)))
            .unwrap_or(host.len());
        (end > 0).then(|| &host[..end])
    })
}

/// Words of letters, digits, dots, colons and brackets, with the port of an address cut off.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || ".:[]-_".contains(c)))
        .map(|word| word.trim_matches(|c| ".-_".contains(c)))
        .map(|word| match word.split_once(':') {
            Some((host, _)) if !host.is_empty() && !host.starts_with('[') => host,
            _ => word,
        })
        .filter(|word| !word.is_empty())
}

fn dotted_quad(word: &str) -> bool {
    word.parse::<std::net::Ipv4Addr>().is_ok()
}

/// Returns a literal port number: behind an address, or as the value of something named port.
pub(super) fn port(text: &str) -> Option<&str> {
    behind_colon(text).or_else(|| named_port(text))
}

fn behind_colon(text: &str) -> Option<&str> {
    text.match_indices(':').find_map(|(at, _)| {
        let before = text[..at].chars().next_back()?;
        let address = before.is_ascii_alphabetic() || before == '}' || before == ']';
        address
            .then(|| number(&text[at + 1..]))
            .flatten()
            .filter(|digits| digits.len() > 1)
    })
}

fn named_port(text: &str) -> Option<&str> {
    text.to_ascii_lowercase()
        .match_indices("port")
        .find_map(|(at, word)| {
            let rest = &text[at + word.len()..];
            let value = rest.trim_start_matches([' ', '"', '\'']);
            let value = value
                .strip_prefix(['=', ':'])
                .or_else(|| rest.strip_prefix(' '))?;
            number(value.trim_start_matches([' ', '"', '\'']))
        })
}

/// The digits that `text` begins with, where they are a word of their own.
fn number(text: &str) -> Option<&str> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let next = text[end..].chars().next();
    let word = !next.is_some_and(|c| c.is_ascii_alphabetic() || c == '.' || c == ':');
    ((1..=5).contains(&end) && word).then(|| &text[..end])
}

/// Returns a literal absolute path, or one in somebody's home.
pub(super) fn path(text: &str) -> Option<&str> {
    for (at, _) in text.match_indices('/') {
        let before = text[..at].chars().next_back();
        let begins = before.is_none_or(|c| c.is_whitespace() || "=\"'`(,;~".contains(c));
        let named = text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '.');
        if begins && named {
            let end = text[at..]
                .find(|c: char| c.is_whitespace() || "\"'`),;{".contains(c))
                .map_or(text.len(), |end| at + end);
            return Some(&text[at..end]);
        }
    }
    None
}

#[cfg(test)]
mod tests;
