//! Declarations of ISC dhcpd's lease file: words, then `;` or statements in braces. Pure, and knows what no declaration means.
//!
//! The file is a log to which whole declarations are appended, so one that ends with the file is merely being written. One
//! that ends where another begins was cut by a crash or a full disk: it is left out, and the rest is read all the same.

use std::iter::Peekable;

use super::tokens::{Kind, Token, Tokens};

/// What dhcpd declares in a lease file (dhcpd.leases(5)), as it writes it and as its manual does.
const DECLARATIONS: [&str; 15] = [
    "lease",
    "ia-na",
    "ia_na",
    "ia-ta",
    "ia_ta",
    "ia-pd",
    "ia_pd",
    "host",
    "group",
    "subgroup",
    "class",
    "subclass",
    "failover",
    "server-duid",
    "authoring-byte-order",
];

/// Deeper braces than statements of `on expiry` have are none of dhcpd's.
const MAX_DEPTH: usize = 16;

/// More words than a statement has, or statements than a declaration: this is another file.
const MAX_LENGTH: usize = 10_000;

/// One statement: `starts 4 2026/11/19 10:00:00;`, or `lease 192.0.2.7 { .. }`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Statement {
    /// What stands before the `;` or the `{`.
    pub(super) words: Vec<Kind>,
    /// What stands in the braces.
    pub(super) body: Vec<Self>,
    /// Where it begins, from 1.
    pub(super) line: usize,
}

impl Statement {
    /// The words that are words, `None` for what is quoted.
    pub(super) fn texts(&self) -> Vec<Option<&str>> {
        self.words
            .iter()
            .map(|kind| match kind {
                Kind::Word(word) => Some(word.as_str()),
                _ => None,
            })
            .collect()
    }
}

/// What comes next in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A whole declaration.
    Declaration(Statement),
    /// Something that is none, from this line on; what follows it can be read.
    Malformed(usize),
    /// A declaration that the file ends in.
    Unfinished,
}

/// The declarations of a file, in order.
pub(super) struct Declarations<'a> {
    tokens: Peekable<Tokens<'a>>,
}

/// Why a statement ended before its end.
enum Stop {
    Malformed,
    EndOfFile,
}

impl<'a> Declarations<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { tokens: Tokens::new(bytes).peekable() }
    }

    /// A statement; the caller has seen that there is one. `depth` braces are open.
    fn statement(&mut self, depth: usize) -> Result<Statement, Stop> {
        let mut statement = Statement::default();
        loop {
            // Where a declaration begins, another one that is still open was cut.
            if depth > 0
                && self.tokens.peek().is_some_and(|token| token.is_outermost && is_declaration(token))
            {
                return Err(Stop::Malformed);
            }
            let token = self.tokens.next().ok_or(Stop::EndOfFile)?;
            if statement.words.is_empty() {
                statement.line = token.line;
            }
            match token.kind {
                Kind::End => return Ok(statement),
                Kind::Open => {
                    statement.body = self.body(depth + 1)?;
                    return Ok(statement);
                }
                // The last line of a file may end in the middle of a string.
                Kind::Cut if self.tokens.peek().is_none() => return Err(Stop::EndOfFile),
                Kind::Cut | Kind::Close => return Err(Stop::Malformed),
                word if statement.words.len() < MAX_LENGTH => statement.words.push(word),
                _ => return Err(Stop::Malformed),
            }
        }
    }

    /// Statements up to the closing brace.
    fn body(&mut self, depth: usize) -> Result<Vec<Statement>, Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Malformed);
        }
        let mut body = Vec::new();
        loop {
            match self.tokens.peek().ok_or(Stop::EndOfFile)?.kind {
                Kind::Close => {
                    self.tokens.next();
                    return Ok(body);
                }
                _ if body.len() >= MAX_LENGTH => return Err(Stop::Malformed),
                _ => body.push(self.statement(depth)?),
            }
        }
    }

    /// Goes on to where the next declaration begins.
    fn recover(&mut self) {
        while self.tokens.next_if(|token| !(token.is_outermost && is_declaration(token))).is_some() {}
    }
}

fn is_declaration(token: &Token) -> bool {
    token.word().is_some_and(|word| DECLARATIONS.contains(&word))
}

impl Iterator for Declarations<'_> {
    type Item = Next;

    fn next(&mut self) -> Option<Next> {
        let first = self.tokens.peek()?;
        let line = first.line;
        if !is_declaration(first) {
            let begins =
                first.word().is_some_and(|word| DECLARATIONS.iter().any(|known| known.starts_with(word)));
            self.tokens.next();
            if begins && self.tokens.peek().is_none() {
                return Some(Next::Unfinished);
            }
            self.recover();
            return Some(Next::Malformed(line));
        }
        Some(match self.statement(0) {
            Ok(statement) => Next::Declaration(statement),
            Err(Stop::EndOfFile) => Next::Unfinished,
            Err(Stop::Malformed) => {
                self.recover();
                Next::Malformed(line)
            }
        })
    }
}
