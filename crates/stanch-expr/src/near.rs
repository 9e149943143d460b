//! Which known word was most likely meant.

/// Help for a word that is none of the known ones: the nearest first, then all of them.
/// `plural` names them, for example `formats`.
pub fn suggest<'a>(word: &str, plural: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    if known.is_empty() {
        return format!("no {plural} are defined yet");
    }
    let all = known.join(", ");
    match nearest(word, &known) {
        Some(near) => format!("did you mean \"{near}\"? known {plural}: {all}"),
        None => format!("known {plural}: {all}"),
    }
}

/// The known word that was most likely meant, if one is close enough: at most a third of its
/// letters differ, or it only differs in case. Ties go to the first.
#[must_use]
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // Longer words cannot be near to any of ours, and comparing them would take long.
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    let distance = |k: &str| strsim::damerau_levenshtein(&lower, &k.to_lowercase());
    let near = known.iter().copied().min_by_key(|k| distance(k))?;
    (distance(near) <= (near.chars().count() / 3).max(1)).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_words_are_suggested() {
        assert_eq!(nearest("Approvals", &["approve", "approval"]), Some("approval"));
        assert_eq!(nearest("to", &["team", "tls"]), None);
        assert_eq!(nearest("x".repeat(9999).as_str(), &["team"]), None);
        assert_eq!(suggest("netop", "teams", []), "no teams are defined yet");
    }
}
