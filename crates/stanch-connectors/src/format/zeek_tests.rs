use super::*;
use crate::format::testing::{alerts, shared_data};

#[test]
fn both_encodings_of_the_same_traffic_give_the_same_alerts() {
    for (log, expected) in [("notice", 207), ("weird", 24_202)] {
        let (json, tsv) = (
            shared_data(&format!("zeek-wrccdc-2018/json/{log}.json.gz")),
            shared_data(&format!("zeek-wrccdc-2018/tsv/{log}.log.gz")),
        );
        let (Some(json), Some(tsv)) = (json, tsv) else {
            return;
        };
        let (json, tsv) = (alerts(&Zeek, &json), alerts(&Zeek, &tsv));
        assert_eq!(json.len(), expected);
        assert_eq!(tsv.len(), expected);
        // The two files are not in the same order; whole alerts are compared, unmapped fields too.
        let sorted = |list: Vec<(Alert, String)>| {
            let mut texts: Vec<String> = list.iter().map(|a| format!("{a:?}")).collect();
            texts.sort();
            texts
        };
        for (a, b) in sorted(json).iter().zip(&sorted(tsv)) {
            assert_eq!(a, b);
        }
    }
}
