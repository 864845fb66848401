//! Names: of hosts (validated, because they reach NetBox and DNS) and of sources (as the user typed them).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// NetBox limits the name of a device or virtual machine to 64 characters (dcim.models.Device.name).
pub const MAX_NETBOX_NAME: usize = 64;

/// A valid host name: RFC 1123 section 2.1 labels (letters, digits, hyphen; 1 to 63 each), in lower case, at most 253 characters,
/// without the trailing dot. What is not one never reaches NetBox's name field, a DNS file or a shell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct HostName(String);

/// Why a text is not a host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHostName {
    /// Nothing is left after trimming.
    #[error("the name is empty")]
    Empty,
    /// Over 253 characters, or a label over 63.
    #[error("the name or one of its labels is too long")]
    TooLong,
    /// A character outside letters, digits, hyphen and dot, or a label that begins or ends with a hyphen.
    #[error("the name has characters that a host name cannot have")]
    Characters,
    /// Only digits and dots: it would read as an address.
    #[error("the name reads as a number or an address")]
    Numeric,
}

impl HostName {
    /// The name, lower case, no trailing dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first label: `printer` of `printer.example.org`.
    pub fn short(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }
}

impl FromStr for HostName {
    type Err = InvalidHostName;

    fn from_str(text: &str) -> Result<Self, InvalidHostName> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err(InvalidHostName::Empty);
        }
        if name.len() > 253 || name.split('.').any(|label| label.len() > 63) {
            return Err(InvalidHostName::TooLong);
        }
        let label_is_valid = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if !name.split('.').all(label_is_valid) {
            return Err(InvalidHostName::Characters);
        }
        if name.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(InvalidHostName::Numeric);
        }
        Ok(Self(name.to_ascii_lowercase()))
    }
}

impl TryFrom<String> for HostName {
    type Error = InvalidHostName;

    fn try_from(text: String) -> Result<Self, InvalidHostName> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a source in the configuration: `router1`, `sw1`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "String")]
pub struct SourceName(Arc<str>);

impl SourceName {
    /// Takes the text as it is; the configuration has checked it.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name as typed in the configuration.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text found on a network, made harmless for NetBox's Markdown fields: control characters and line breaks become spaces,
/// Markdown and HTML punctuation is escaped, and at most `limit` characters stay.
pub fn escape_markdown(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for (count, c) in text.chars().enumerate() {
        if count == limit {
            out.push('…');
            break;
        }
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // Strikes through in pairs, and has no backslash form.
            '~' => out.push_str("&#126;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() || is_invisible(c) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Bidirectional controls and zero-width characters: they make a text read as another than it is (Unicode TR 36).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn host_names_follow_rfc1123() {
        assert_eq!("Printer.Example.ORG.".parse::<HostName>().unwrap().as_str(), "printer.example.org");
        assert_eq!("a_b".parse::<HostName>(), Err(InvalidHostName::Characters));
        assert_eq!("-a".parse::<HostName>(), Err(InvalidHostName::Characters));
        assert_eq!("a..b".parse::<HostName>(), Err(InvalidHostName::Characters));
        assert_eq!("".parse::<HostName>(), Err(InvalidHostName::Empty));
        assert_eq!("192.0.2.1".parse::<HostName>(), Err(InvalidHostName::Numeric));
        assert_eq!("a".repeat(64).parse::<HostName>(), Err(InvalidHostName::TooLong));
        assert_eq!("x\n".parse::<HostName>(), Err(InvalidHostName::Characters));
        assert_eq!("prіnter".parse::<HostName>(), Err(InvalidHostName::Characters), "a Cyrillic letter");
    }

    #[test]
    fn markdown_is_neutralised() {
        assert_eq!(escape_markdown("a\nb", 10), "a b");
        assert_eq!(escape_markdown("[x](http://e)", 40), "\\[x\\]\\(http://e\\)");
        assert_eq!(escape_markdown("<img src=x>", 40), "&lt;img src=x&gt;");
        assert_eq!(escape_markdown("abcdef", 3), "abc…");
    }

    proptest! {
        #[test]
        fn no_line_break_or_tag_survives(text in "\\PC{0,80}|[\\x00-\\x7f]{0,80}") {
            let safe = escape_markdown(&text, 64);
            prop_assert!(!safe.contains(['\n', '\r', '<', '>']));
        }

        #[test]
        fn a_valid_name_stays_itself(name in "[a-z][a-z0-9]{0,10}(\\.[a-z][a-z0-9]{0,10}){0,3}") {
            let parsed: HostName = name.parse().unwrap();
            prop_assert_eq!(parsed.as_str(), name.as_str());
        }
    }
}
