//! The words of ISC dhcpd's lease file. Pure.
//!
//! The file is written in the language of `dhcpd.conf` (dhcpd.leases(5)): words, quoted strings with escapes, `{`, `}`, `;`, `=`, and
//! comments from `#` to the end of the line. dhcpd writes what is not printable as `\ooo`, so a string never spans lines: one that
//! does was cut.

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, number, address or date: anything up to a blank or a sign.
    Word(String),
    /// What stands between quotes, escapes resolved: any bytes.
    Text(Vec<u8>),
    /// `{`
    Open,
    /// `}`
    Close,
    /// `;`
    End,
    /// `=` or `,`
    Sign,
    /// A string without its closing quote.
    Cut,
}

/// A word and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// From 1.
    pub(super) line: usize,
    /// Whether it is the first in its line, without a blank before it: declarations of dhcpd begin there, what is in
    /// them does not.
    pub(super) is_outermost: bool,
}

impl Token {
    /// The word, if it is one.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// Splits a file into words, one at a time.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    line_start: usize,
}

impl<'a> Tokens<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1, line_start: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    self.line_start = self.at;
                }
                b'#' => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                }
                byte if byte.is_ascii_whitespace() || byte == b'\x0b' => self.at += 1,
                _ => break,
            }
        }
    }

    fn word(&mut self) -> Kind {
        let start = self.at;
        let is_end = |byte: u8| {
            byte.is_ascii_whitespace()
                || matches!(byte, b'\x0b' | b'{' | b'}' | b';' | b'=' | b',' | b'"' | b'#')
        };
        while self.peek().is_some_and(|byte| !is_end(byte)) {
            self.at += 1;
        }
        let word = self.bytes.get(start..self.at).unwrap_or_default();
        Kind::Word(String::from_utf8_lossy(word).into_owned())
    }

    /// Between the quotes; the first is behind us.
    fn text(&mut self) -> Kind {
        let mut text = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Kind::Text(text);
                }
                b'\n' => return Kind::Cut,
                b'\\' => {
                    self.at += 1;
                    match self.escaped() {
                        Some(byte) => text.push(byte),
                        None => return Kind::Cut,
                    }
                }
                byte => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        Kind::Cut
    }

    /// Behind a backslash: three octal digits, `x` and two hexadecimal ones, a letter of C, or the character itself.
    fn escaped(&mut self) -> Option<u8> {
        let first = self.peek().filter(|byte| *byte != b'\n')?;
        self.at += 1;
        Some(match first {
            b'0'..=b'7' => {
                let mut value = u32::from(first - b'0');
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = self.peek() else { break };
                    value = value * 8 + u32::from(digit - b'0');
                    self.at += 1;
                }
                // `\777` is no byte; dhcpd never writes it.
                u8::try_from(value & 0xff).ok()?
            }
            b'x' => {
                let mut value = 0;
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                        break;
                    };
                    value = value * 16 + digit;
                    self.at += 1;
                }
                u8::try_from(value).ok()?
            }
            b't' => b'\t',
            b'r' => b'\r',
            b'n' => b'\n',
            b'b' => b'\x08',
            other => other,
        })
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blanks();
        let first = self.peek()?;
        let (line, is_outermost) = (self.line, self.at == self.line_start);
        let sign = match first {
            b'{' => Some(Kind::Open),
            b'}' => Some(Kind::Close),
            b';' => Some(Kind::End),
            b'=' | b',' => Some(Kind::Sign),
            _ => None,
        };
        let kind = match sign {
            Some(sign) => {
                self.at += 1;
                sign
            }
            None if first == b'"' => {
                self.at += 1;
                self.text()
            }
            None => self.word(),
        };
        Some(Token { kind, line, is_outermost })
    }
}
