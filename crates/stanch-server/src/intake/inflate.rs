//! Decompression with two bounds: the size of the result, and its ratio to what came in.

use std::io::Read;

use flate2::read::MultiGzDecoder;

/// Below this size the ratio says nothing: a short text of zeros packs well. In bytes.
const FREE: u64 = 64 * 1024;

/// Why a compressed body is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is larger than it may be, or grows faster.
    TooLarge,
    /// It is not gzip, or was cut off.
    Broken,
}

/// The body within a gzip stream. Never holds more than the limit and one buffer.
pub(crate) fn inflate(packed: &[u8], max_body: u64, max_ratio: u64) -> Result<Vec<u8>, Refused> {
    let by_ratio = (packed.len() as u64).saturating_mul(max_ratio).max(FREE);
    let limit = max_body.min(by_ratio);
    let mut body = Vec::with_capacity(packed.len().saturating_mul(4).min(1 << 20));
    let mut decoder = MultiGzDecoder::new(packed).take(limit + 1);
    decoder.read_to_end(&mut body).map_err(|_| Refused::Broken)?;
    if body.len() as u64 > limit { Err(Refused::TooLarge) } else { Ok(body) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn an_honest_body_comes_out_whole_and_a_bomb_does_not() {
        assert_eq!(inflate(&gzip(b"{\"a\":1}"), 1 << 20, 100), Ok(b"{\"a\":1}".to_vec()));
        let bomb = gzip(&vec![0; 50 << 20]);
        assert!(bomb.len() < 60_000);
        assert_eq!(inflate(&bomb, 8 << 20, 100), Err(Refused::TooLarge));
        assert_eq!(inflate(&bomb, 8 << 20, 10_000), Err(Refused::TooLarge));
        assert_eq!(inflate(b"{\"a\":1}", 1 << 20, 100), Err(Refused::Broken));
        let cut = gzip(b"{\"a\":1}");
        assert_eq!(inflate(&cut[..cut.len() - 4], 1 << 20, 100), Err(Refused::Broken));
    }
}
