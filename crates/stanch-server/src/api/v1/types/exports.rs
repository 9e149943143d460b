//! Exports.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::QueueFilter;

/// In which form.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// `json` (the default), `csv`, `ocsf`, `stix`, `markdown` or `pdf`.
    #[param(pattern = "^(json|csv|ocsf|stix|markdown|pdf)$")]
    pub format: Option<String>,
}

/// Which incidents, in which order and form: as for the queue.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueExportQuery {
    /// In which form.
    pub format: Option<String>,
    /// Which incidents, in which order.
    #[serde(flatten)]
    pub filter: QueueFilter,
}

#[cfg(test)]
mod tests {
    use super::super::{QueueFilter, QueueQuery};
    use super::QueueExportQuery;

    fn read<T: serde::de::DeserializeOwned>(query: &str) -> Result<T, String> {
        let uri = format!("http://stanch/?{query}").parse().expect("an address");
        axum::extract::Query::try_from_uri(&uri)
            .map(|q: axum::extract::Query<T>| q.0)
            .map_err(|e| e.body_text())
    }

    #[test]
    fn what_the_queue_and_its_exports_share_is_read_alike_and_nothing_else_is() {
        let said = "status=all&owner=me&waiting=true&where=incident.severity%20%3E%3D%204&sort=newest";
        let page: QueueQuery = read(&format!("{said}&limit=7&offset=3")).expect("a page");
        let export: QueueExportQuery = read(&format!("format=csv&{said}")).expect("an export");
        assert_eq!((page.limit, page.offset, export.format.as_deref()), (Some(7), Some(3), Some("csv")));
        for filter in [page.filter, export.filter] {
            assert_eq!((filter.status.as_deref(), filter.waiting), (Some("all"), Some(true)));
            assert_eq!(filter.filter.as_deref(), Some("incident.severity >= 4"));
        }
        for wrong in ["waiting=perhaps", "limit=x", "nonsense=1", "format=csv", "status=a&status=b"] {
            read::<QueueQuery>(wrong).expect_err(wrong);
        }
        for wrong in ["limit=1", "offset=1", "nonsense=1", "waiting="] {
            read::<QueueExportQuery>(wrong).expect_err(wrong);
        }
        let body: QueueFilter = serde_json::from_str(r#"{"waiting":true,"owner":"none"}"#).expect("a body");
        assert_eq!(body.waiting, Some(true));
        serde_json::from_str::<QueueFilter>(r#"{"limit":1}"#).expect_err("no page of it");
    }
}
