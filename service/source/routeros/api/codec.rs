//! Sentences and words of the RouterOS binary API. Pure: bytes to words and back, whatever the words mean.
//!
//! A word is its length and its bytes; a sentence is words ended by an empty one. Lengths take one to five bytes
//! (help.mikrotik.com, "API", protocol).

/// Longest word that is accepted. Comments and debugging texts reach some kilobytes.
const MAX_WORD_BYTES: usize = 1024 * 1024;

/// Most words in a sentence: columns of a row, of which the longest menus have about a hundred.
const MAX_WORDS: usize = 4096;

/// Bytes that are no sentence. The connection cannot be used any more: where the next one begins is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum CodecError {
    /// First length bytes from 0xF8 are reserved.
    #[error("the device does not speak the RouterOS API (control byte {0:#04x})")]
    Control(u8),
    /// Longer than anything a device sends.
    #[error("a word of {0} bytes in an answer")]
    LongWord(usize),
    /// More words than anything a device sends.
    #[error("an answer with too many words")]
    ManyWords,
}

/// The words of a sentence and how many bytes it took.
type Sentence<'a> = (Vec<&'a [u8]>, usize);

/// The bytes of a sentence.
pub(super) fn encode<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut out = Vec::new();
    // An empty word would end the sentence.
    for word in words.into_iter().filter(|word| !word.is_empty()) {
        push_length(&mut out, word.len());
        out.extend_from_slice(word.as_bytes());
    }
    out.push(0);
    out
}

/// The first sentence in these bytes; `None` if more bytes are needed.
pub(super) fn decode(bytes: &[u8]) -> Result<Option<Sentence<'_>>, CodecError> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        let Some((length, size)) = length(&bytes[at..])? else { return Ok(None) };
        at += size;
        if length == 0 {
            return Ok(Some((words, at)));
        }
        if length > MAX_WORD_BYTES {
            return Err(CodecError::LongWord(length));
        }
        if words.len() == MAX_WORDS {
            return Err(CodecError::ManyWords);
        }
        let Some(word) = bytes.get(at..at + length) else { return Ok(None) };
        words.push(word);
        at += length;
    }
}

/// A length and the number of bytes it takes; `None` if more bytes are needed.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, CodecError> {
    let Some(first) = bytes.first().copied() else { return Ok(None) };
    let (more, high) = match first {
        0x00..=0x7f => (0, first),
        0x80..=0xbf => (1, first & 0x3f),
        0xc0..=0xdf => (2, first & 0x1f),
        0xe0..=0xef => (3, first & 0x0f),
        0xf0..=0xf7 => (4, 0),
        control => return Err(CodecError::Control(control)),
    };
    let Some(rest) = bytes.get(1..=more) else { return Ok(None) };
    let length = rest.iter().fold(usize::from(high), |sum, byte| (sum << 8) | usize::from(*byte));
    Ok(Some((length, 1 + more)))
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let [b0, b1, b2, b3] = length.to_be_bytes();
    match length {
        0..0x80 => out.push(b3),
        0x80..0x4000 => out.extend([b2 | 0x80, b3]),
        0x4000..0x20_0000 => out.extend([b1 | 0xc0, b2, b3]),
        0x20_0000..0x1000_0000 => out.extend([b0 | 0xe0, b1, b2, b3]),
        _ => out.extend([0xf0, b0, b1, b2, b3]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_as_documented() {
        for (length_of_word, bytes) in [
            (0x00, vec![0x00]),
            (0x7f, vec![0x7f]),
            (0x80, vec![0x80, 0x80]),
            (0x87, vec![0x80, 0x87]),
            (0x3fff, vec![0xbf, 0xff]),
            (0x4000, vec![0xc0, 0x40, 0x00]),
            (0x1f_ffff, vec![0xdf, 0xff, 0xff]),
            (0x20_0000, vec![0xe0, 0x20, 0x00, 0x00]),
            (0x0fff_ffff, vec![0xef, 0xff, 0xff, 0xff]),
            (0x1000_0000, vec![0xf0, 0x10, 0x00, 0x00, 0x00]),
        ] {
            let mut out = Vec::new();
            push_length(&mut out, length_of_word);
            assert_eq!(out, bytes, "{length_of_word:#x}");
            assert_eq!(length(&bytes), Ok(Some((length_of_word, bytes.len()))));
            assert_eq!(length(&bytes[..bytes.len() - 1]), Ok(None), "one byte is missing");
        }
    }

    #[test]
    fn a_sentence_as_documented() {
        let bytes = encode(["/login", "=name=admin"]);
        assert_eq!(bytes, b"\x06/login\x0b=name=admin\x00");
        let (words, size) = decode(&bytes).unwrap().unwrap();
        assert_eq!((words, size), (vec![b"/login".as_slice(), b"=name=admin"], bytes.len()));
    }

    #[test]
    fn what_is_no_sentence_is_refused() {
        assert_eq!(decode(&[0xff]), Err(CodecError::Control(0xff)));
        assert_eq!(decode(&[0xf0, 0xff, 0, 0, 0]), Err(CodecError::LongWord(0xff00_0000)));
        assert_eq!(decode(&[1, b'a'].repeat(MAX_WORDS + 1)), Err(CodecError::ManyWords));
    }

    proptest! {
        #[test]
        fn sentences_read_back(words in prop::collection::vec("\\PC{1,300}", 0..8), tail: Vec<u8>) {
            let mut bytes = encode(words.iter().map(String::as_str));
            let size = bytes.len();
            for cut in 0..size {
                prop_assert_eq!(decode(&bytes[..cut]), Ok(None));
            }
            bytes.extend(tail);
            let expected: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
            prop_assert_eq!(decode(&bytes), Ok(Some((expected, size))));
        }

        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            if let Ok(Some((_, size))) = decode(&bytes) {
                prop_assert!(size <= bytes.len());
            }
        }
    }
}
