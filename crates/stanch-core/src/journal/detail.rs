//! The bulk beside an intake entry: bytes as received and the alerts made of them.
//!
//! Layout, all integers little-endian u32: number of deliveries; for each, the length of its body,
//! the body, the number of its records and for each record its start and end in the body; then the
//! number of new alerts and for each its length and its JSON.

use stanch_model::Alert;

/// One delivery as received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawDelivery {
    /// The body after transport decoding, byte for byte.
    pub body: Vec<u8>,
    /// Where each record lies in it.
    pub records: Vec<(u32, u32)>,
}

/// Everything beside one intake entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntakeDetail {
    /// In the order of `Intake::deliveries`.
    pub deliveries: Vec<RawDelivery>,
    /// JSON of the new alerts, in the order of their ids.
    pub alerts: Vec<Vec<u8>>,
}

impl IntakeDetail {
    /// Writes the layout above. Lengths beyond 4 GiB cannot occur: bodies are limited long before.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let size = self.deliveries.iter().map(|d| d.body.len() + 8 + 8 * d.records.len()).sum::<usize>()
            + self.alerts.iter().map(|a| a.len() + 4).sum::<usize>()
            + 8;
        let mut out = Vec::with_capacity(size);
        let put = |out: &mut Vec<u8>, n: usize| out.extend_from_slice(&(n as u32).to_le_bytes());
        put(&mut out, self.deliveries.len());
        for d in &self.deliveries {
            put(&mut out, d.body.len());
            out.extend_from_slice(&d.body);
            put(&mut out, d.records.len());
            for (start, end) in &d.records {
                put(&mut out, *start as usize);
                put(&mut out, *end as usize);
            }
        }
        put(&mut out, self.alerts.len());
        for a in &self.alerts {
            put(&mut out, a.len());
            out.extend_from_slice(a);
        }
        out
    }

    /// Reads the layout above; `None` when the bytes do not follow it.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<IntakeDetail> {
        let mut rest = bytes;
        let mut detail = IntakeDetail::default();
        for _ in 0..take_u32(&mut rest)? {
            let body = take(&mut rest)?.to_vec();
            let n = take_u32(&mut rest)?;
            let mut records = Vec::new();
            for _ in 0..n {
                records.push((take_u32(&mut rest)?, take_u32(&mut rest)?));
            }
            detail.deliveries.push(RawDelivery { body, records });
        }
        for _ in 0..take_u32(&mut rest)? {
            detail.alerts.push(take(&mut rest)?.to_vec());
        }
        Some(detail)
    }

    /// The bytes of one record as received.
    #[must_use]
    pub fn raw(&self, delivery: usize, record: usize) -> Option<&[u8]> {
        let d = self.deliveries.get(delivery)?;
        let (start, end) = *d.records.get(record)?;
        d.body.get(start as usize..end as usize)
    }

    /// One of the new alerts, by its place in the entry.
    #[must_use]
    pub fn alert(&self, ordinal: usize) -> Option<Alert> {
        serde_json::from_slice(self.alerts.get(ordinal)?).ok()
    }
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(u32::from_le_bytes(*head))
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let n = take_u32(rest)? as usize;
    let (head, tail) = rest.split_at_checked(n)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_cut_off_bytes_are_noticed() {
        let detail = IntakeDetail {
            deliveries: vec![RawDelivery { body: b"[1,22]".to_vec(), records: vec![(1, 2), (3, 5)] }],
            alerts: vec![b"{}".to_vec()],
        };
        let bytes = detail.encode();
        assert_eq!(IntakeDetail::decode(&bytes), Some(detail.clone()));
        assert_eq!(detail.raw(0, 1), Some(&b"22"[..]));
        for cut in 0..bytes.len() {
            assert_eq!(IntakeDetail::decode(&bytes[..cut]), None, "cut at {cut}");
        }
    }
}
