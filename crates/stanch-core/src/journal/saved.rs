//! Who saved which playbook, as far as Stanch knows: what was saved through the API stands in the journal. Files
//! that are changed in the folder, by hand or by git, have no author here.

use std::collections::{BTreeMap, BTreeSet};

use stanch_model::Timestamp;

use super::event::Loaded;

/// What the journal's words end with that were written before the text's digest was.
const WORDS: &str = ", saving playbook ";

/// Who saved which playbook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// By the digest of a text: everybody who put this very text in force.
    texts: BTreeMap<String, BTreeSet<String>>,
    /// By name: who saved it when, the oldest first.
    names: BTreeMap<String, Vec<(Timestamp, String)>>,
}

impl Saved {
    /// Takes a configuration that was put in force by saving a playbook.
    pub fn loaded(&mut self, at: Timestamp, e: &Loaded) {
        let (who, name) = match &e.saved {
            Some(saved) => {
                self.texts.entry(saved.hash.clone()).or_default().insert(saved.by.clone());
                (saved.by.clone(), saved.playbook.clone())
            }
            // Journals of versions that wrote it in words only.
            None => match e.by.split_once(WORDS) {
                Some((who, name)) => (who.to_owned(), name.to_owned()),
                None => return,
            },
        };
        self.names.entry(name).or_default().push((at, who));
    }

    /// Who saved the text that a run is pinned to. Where that very text was never saved through us, somebody has
    /// changed the file since: then whoever saved the playbook last before the run began, if anybody did.
    #[must_use]
    pub fn authors(&self, name: &str, hash: &str, begun: Timestamp) -> Vec<&str> {
        if let Some(all) = self.texts.get(hash) {
            return all.iter().map(String::as_str).collect();
        }
        let all = self.names.get(name).map_or(&[][..], Vec::as_slice);
        all.iter().rev().find(|(at, _)| *at <= begun).map(|(_, who)| who.as_str()).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::event::PlaybookSaved;

    fn loaded(by: &str, saved: Option<(&str, &str)>) -> Loaded {
        let saved = saved.map(|(playbook, hash)| PlaybookSaved {
            playbook: playbook.into(),
            hash: hash.into(),
            by: by.into(),
        });
        Loaded { hash: "h".into(), version: "1".into(), by: by.into(), saved }
    }

    #[test]
    fn a_text_has_the_authors_who_saved_it_and_one_changed_by_hand_whoever_saved_it_last_before() {
        let mut saved = Saved::default();
        saved.loaded(Timestamp(10), &loaded("jon", Some(("look", "one"))));
        saved.loaded(Timestamp(20), &loaded("mira", Some(("look", "two"))));
        saved.loaded(Timestamp(30), &loaded("ada", Some(("look", "one"))));
        saved.loaded(Timestamp(40), &loaded("SIGHUP", None));
        let authors = |hash: &str, at| saved.authors("look", hash, Timestamp(at));
        assert_eq!(authors("one", 15), ["ada", "jon"], "put back by another: both");
        assert_eq!(authors("two", 50), ["mira"]);
        assert_eq!(authors("by hand", 9), Vec::<&str>::new());
        assert_eq!(authors("by hand", 29), ["mira"]);
        assert_eq!(authors("by hand", 99), ["ada"]);
        assert!(saved.authors("other", "by hand", Timestamp(99)).is_empty());
    }

    #[test]
    fn journals_that_say_it_in_words_only_are_understood() {
        let mut saved = Saved::default();
        saved.loaded(Timestamp(10), &loaded("jon, saving playbook look", None));
        assert_eq!(saved.authors("look", "any", Timestamp(10)), ["jon"]);
    }
}
