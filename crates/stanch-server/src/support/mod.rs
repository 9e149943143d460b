//! The support bundle: what a stranger needs to see of an installation that does not work as it should, and
//! nothing of what it is about.
//!
//! It is built by an allow-list: every part is made of `safe::Safe`, which has no room for a text that was
//! not written into this program. Names of people, hosts, sources and connectors are placeholders that
//! are the same in all parts of one bundle and mean nothing outside it.
//!
//! Source: SEC-94.

mod config;
mod errors;
mod journal;
mod machine;
mod numbers;
mod safe;
mod words;

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stanch_model::Timestamp;
use stanch_model::port::JournalError;
use utoipa::{IntoParams, ToSchema};

use crate::books::Books;
use crate::metrics::{self, Numbers};
use crate::offline::{Offline, OfflineError};
use safe::{Mask, Safe, map};

/// What stands in a bundle, part by part.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SupportBundle {
    /// The form of what follows.
    pub format: u32,
    /// In the order of reading.
    pub parts: Vec<SupportPart>,
}

/// How a bundle is made.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SupportQuery {
    /// Recompute the whole chain of the journal? Takes as long as reading it does. True by default.
    pub verify: Option<bool>,
}

/// One part of a bundle.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SupportPart {
    /// Its name.
    pub name: String,
    /// What it is for, in one line.
    pub about: String,
    /// Numbers, times, words of the program and placeholders; never a text from anywhere else.
    #[schema(value_type = Object)]
    pub content: Value,
}

/// What is looked at beside the books.
pub(crate) struct Around<'a> {
    /// Where the configuration lies, where that is known.
    pub(crate) folder: Option<&'a Path>,
    pub(crate) tenant: Option<&'a str>,
    /// Verify the whole journal? It is read in full.
    pub(crate) verify: bool,
}

/// Makes a bundle. Blocks while the journal and the configuration are read.
pub(crate) fn gather(
    books: &Books,
    around: &Around<'_>,
    made: Timestamp,
) -> Result<SupportBundle, JournalError> {
    let mut mask = Mask::default();
    let mut parts = Vec::new();
    let mut part = |name: &str, about: &str, content: Safe| {
        let (name, about, content) = (name.to_owned(), about.to_owned(), content.value());
        parts.push(SupportPart { name, about, content });
    };
    let about = map([
        ("made", Safe::Time(made)),
        ("version", Safe::Word(env!("CARGO_PKG_VERSION"))),
        ("build", Safe::Word(if cfg!(debug_assertions) { "debug" } else { "release" })),
        ("running", matches!(books, Books::Live(_)).into()),
        ("tenant", around.tenant.is_some().into()),
    ]);
    part("about", "version and build", about);
    part(
        "machine",
        "system, processors and memory of the machine with the journal",
        machine::of(books.data_dir()),
    );
    if let Some(folder) = around.folder {
        part(
            "config",
            "structure and numbers of the configuration; texts are placeholders",
            config::of(folder, &mut mask),
        );
    }
    part(
        "journal",
        "entries by kind, sizes, the end of the chain, and whether it holds",
        journal::of(books, around.verify)?,
    );
    part("files", "sizes of the files in the data folder", machine::files(books.data_dir()));
    part("ledger", "where everything received is", books.read(|s| numbers::ledger(s, &mut mask)));
    let page =
        metrics::render(&books.read(Numbers::of), books.metrics(), books.doors().as_deref(), around.tenant);
    part("metrics", "the page of metrics", map([("lines", numbers::metrics(&page, &mut mask))]));
    part("tables", "how much is held in memory", books.read(numbers::tables));
    part("errors", "errors by code, failures by kind", errors::of(books)?);
    let now = books.now();
    part(
        "times",
        "how long phases of incidents and steps of playbooks take",
        books.read(|s| numbers::times(s, now)),
    );
    Ok(SupportBundle { format: 1, parts })
}

/// The bundle of a data folder that nothing has to run on. Blocks.
///
/// # Errors
/// When there is no journal, or it cannot be read.
pub fn of_folder(
    data: &Path,
    config: Option<&Path>,
    verify: bool,
    made: Timestamp,
) -> Result<SupportBundle, OfflineError> {
    let compiled = config.and_then(crate::config_dir::compiled);
    let books = Books::Offline(std::sync::Arc::new(Offline::read(data, compiled)?));
    let around = Around { folder: config, tenant: None, verify };
    Ok(gather(&books, &around, made)?)
}
