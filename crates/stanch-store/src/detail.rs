//! How details are stored: one byte for the form, then the bytes.
//!
//! | first byte | what follows |
//! | --- | --- |
//! | `0` | the detail as it was given |
//! | `1` | LZ4: the original length (4 bytes, little-endian), then one LZ4 block |
//!
//! Source: LZ4 block format, <https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md>; the length
//! in front is `lz4_flex::block::compress_prepend_size`.

use std::borrow::Cow;

/// Details shorter than this many bytes are not worth compressing.
pub(crate) const COMPRESS_FROM: usize = 256;

/// The most bytes one body or detail may have, 512 MiB; SQLite itself stops at 1,000,000,000.
///
/// Source: <https://www.sqlite.org/limits.html>, section 1.
pub const MAX_BYTES: usize = 512 << 20;

const RAW: u8 = 0;
const LZ4: u8 = 1;

/// The bytes to store.
pub(crate) fn pack(detail: &[u8]) -> Vec<u8> {
    if detail.len() >= COMPRESS_FROM {
        let bound = lz4_flex::block::get_maximum_output_size(detail.len());
        let mut stored = vec![0; 5 + bound];
        if let (Ok(length), Ok(used)) =
            (u32::try_from(detail.len()), lz4_flex::block::compress_into(detail, &mut stored[5..]))
            && used + 5 < detail.len()
        {
            stored[0] = LZ4;
            stored[1..5].copy_from_slice(&length.to_le_bytes());
            stored.truncate(5 + used);
            return stored;
        }
    }
    let mut stored = Vec::with_capacity(1 + detail.len());
    stored.push(RAW);
    stored.extend_from_slice(detail);
    stored
}

/// The detail as it was given, or why the stored bytes make no sense.
pub(crate) fn unpack(stored: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    match stored.split_first() {
        Some((&RAW, rest)) => Ok(Cow::Borrowed(rest)),
        Some((&LZ4, rest)) => {
            let (length, block) =
                lz4_flex::block::uncompressed_size(rest).map_err(|e| format!("its detail is no LZ4: {e}"))?;
            if length > MAX_BYTES {
                return Err(format!("its detail claims {length} bytes; at most {MAX_BYTES} are written"));
            }
            lz4_flex::block::decompress(block, length)
                .map(Cow::Owned)
                .map_err(|e| format!("its detail cannot be decompressed: {e}"))
        }
        Some((form, _)) => Err(format!("its detail has the unknown form {form}")),
        None => Err("its detail is stored as nothing at all".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn repetitive_details_shrink_and_noise_is_left_alone() {
        let text = b"{\"src_ip\":\"10.0.254.30\"}".repeat(1_000);
        assert_eq!((pack(&text)[0], pack(&text).len() < text.len() / 5), (LZ4, true));
        let mut noise = Vec::new();
        while noise.len() < 4_096 {
            noise.extend(crate::chain::sha256(&noise));
        }
        assert_eq!((pack(&noise)[0], pack(&noise).len()), (RAW, noise.len() + 1));
    }

    #[test]
    fn nonsense_is_an_answer_and_not_a_crash() {
        for stored in [&b""[..], b"\x02x", b"\x01", b"\x01\xff\xff\xff\xff\0", b"\x01\x10\0\0\0\xf0"] {
            assert!(unpack(stored).is_err(), "{stored:?}");
        }
    }

    proptest! {
        #[test]
        fn every_detail_comes_back(detail in prop::collection::vec(prop_oneof![Just(7u8), any::<u8>()], 0..2_000)) {
            prop_assert_eq!(unpack(&pack(&detail)).unwrap().into_owned(), detail);
        }

        #[test]
        fn no_stored_bytes_can_panic(stored in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&stored);
        }
    }
}
