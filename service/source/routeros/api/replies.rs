//! Which reply belongs to which command. Pure: sentences in whatever order the commands' replies are mixed, rows out.
//!
//! Every command has a tag that its replies carry (help.mikrotik.com, "API", tags), so that several run on one session.
//! `!re` is a row, `!empty` says that there is none, `!trap` is an error after which `!done` still comes, `!done` ends
//! the command, and `!fatal`, which has no tag, ends the session with everything on it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::source::routeros::parse::Rows;
use crate::source::routeros::print::{MAX_ANSWER_BYTES, PrintError, refused};

/// Tells the commands of one session apart.
pub(super) type Tag = u32;

/// Why a session is over, and with it every command on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// The device ended it, and said why.
    Fatal(String),
    /// It broke, or what comes makes no sense: one of the commands may be the cause.
    Broken(String),
}

impl Ended {
    /// What it means for a command that was running.
    pub(super) fn error(&self) -> PrintError {
        PrintError::Malformed(match self {
            Self::Fatal(reason) => format!("the device closed the session: {reason}"),
            Self::Broken(reason) => reason.clone(),
        })
    }
}

/// The commands that run on a session.
#[derive(Debug, Default)]
pub(super) struct Commands {
    last: Tag,
    running: BTreeMap<Tag, Gathered>,
    /// Nobody waits for these any more, but the device may still answer them.
    abandoned: BTreeSet<Tag>,
}

/// What a command has got so far.
#[derive(Debug, Default)]
struct Gathered {
    rows: Rows,
    bytes: usize,
    trap: Option<PrintError>,
}

/// A command that came to its end: its rows, or why there are none.
pub(super) type Done = (Tag, Result<Rows, PrintError>);

impl Commands {
    /// A new command.
    pub(super) fn begin(&mut self) -> Tag {
        self.last += 1;
        self.running.insert(self.last, Gathered::default());
        self.last
    }

    /// Gives a command up: what it has got so far is dropped, and so is what still comes.
    pub(super) fn abandon(&mut self, tag: Tag) {
        if self.running.remove(&tag).is_some() {
            self.abandoned.insert(tag);
        }
    }

    /// Whether the device may still be at work on a command that was given up.
    pub(super) fn has_abandoned(&self) -> bool {
        !self.abandoned.is_empty()
    }

    /// Takes the next sentence; the command that it ended, if it ended one.
    pub(super) fn take(&mut self, words: &[&[u8]]) -> Result<Option<Done>, Ended> {
        let Some(reply) = Reply::new(words) else { return Ok(None) };
        if reply.kind == b"!fatal" {
            return Err(Ended::Fatal(reply.text().into_owned()));
        }
        if !matches!(reply.kind, b"!re" | b"!done" | b"!trap" | b"!empty") {
            let kind = String::from_utf8_lossy(reply.kind);
            return Err(Ended::Broken(format!("an answer that begins with `{kind}`")));
        }
        let to_nobody = || Ended::Broken("a reply to another command".to_owned());
        let tag = reply.tag().ok_or_else(to_nobody)?;
        if self.abandoned.contains(&tag) {
            if reply.kind == b"!done" {
                self.abandoned.remove(&tag);
            }
            return Ok(None);
        }
        let gathered = self.running.get_mut(&tag).ok_or_else(to_nobody)?;
        match reply.kind {
            b"!re" => {
                gathered.bytes +=
                    reply.attributes().map(|(name, value)| name.len() + value.len()).sum::<usize>();
                if gathered.bytes > MAX_ANSWER_BYTES {
                    self.abandon(tag);
                    return Ok(Some((tag, Err(PrintError::too_big()))));
                }
                gathered.rows.push(reply.attributes());
                Ok(None)
            }
            b"!trap" => {
                gathered.trap = Some(refused(&reply.attribute("message").unwrap_or_default()));
                Ok(None)
            }
            b"!done" => {
                let ended = self.running.remove(&tag).unwrap_or_default();
                Ok(Some((tag, ended.trap.map_or(Ok(ended.rows), Err))))
            }
            // `!empty`: RouterOS 7.18 and newer say so of a menu without rows.
            _ => Ok(None),
        }
    }
}

/// One sentence of a device: its first word says what it is. Words are bytes, often no UTF-8: decoded lossily.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply<'w> {
    /// `!re`, `!done`, `!trap`, `!empty` or `!fatal`.
    pub(super) kind: &'w [u8],
    rest: &'w [&'w [u8]],
}

impl<'w> Reply<'w> {
    /// The reply in these words; an empty sentence is none.
    pub(super) fn new(words: &'w [&'w [u8]]) -> Option<Self> {
        let (kind, rest) = words.split_first()?;
        Some(Self { kind, rest })
    }

    /// The command that it answers.
    pub(super) fn tag(&self) -> Option<Tag> {
        let tag = self.rest.iter().find_map(|word| word.strip_prefix(b".tag="))?;
        str::from_utf8(tag).ok()?.parse().ok()
    }

    /// Names and values; a value may have equal signs in it.
    fn attributes(&self) -> impl Iterator<Item = (Cow<'w, str>, Cow<'w, str>)> + use<'w> {
        self.rest.iter().filter_map(|word| {
            let word = word.strip_prefix(b"=")?;
            let middle = word.iter().position(|byte| *byte == b'=')?;
            Some((String::from_utf8_lossy(&word[..middle]), String::from_utf8_lossy(&word[middle + 1..])))
        })
    }

    /// The value of an attribute.
    pub(super) fn attribute(&self, wanted: &str) -> Option<Cow<'w, str>> {
        self.attributes().find_map(|(name, value)| (name == wanted).then_some(value))
    }

    /// What has no form of an attribute: `!fatal` says its reason so.
    pub(super) fn text(&self) -> Cow<'w, str> {
        let is_text = |word: &&&[u8]| !word.starts_with(b"=") && !word.starts_with(b".tag=");
        let text = self.rest.iter().rfind(is_text).copied();
        String::from_utf8_lossy(text.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    /// Takes a sentence written as words with blanks between.
    fn take(commands: &mut Commands, sentence: &str) -> Result<Option<Done>, Ended> {
        let words: Vec<&[u8]> = sentence.split(' ').map(str::as_bytes).collect();
        commands.take(&words)
    }

    fn rows(values: &[&str]) -> Rows {
        let mut rows = Rows::default();
        for value in values {
            rows.push([("name", value)]);
        }
        rows
    }

    #[test]
    fn replies_of_two_commands_are_told_apart() {
        let mut commands = Commands::default();
        let (one, two) = (commands.begin(), commands.begin());
        assert_eq!((one, two), (1, 2));
        for sentence in ["!re =name=a .tag=1", "!re .tag=2 =name=x", "!re =name=b .tag=1", "!empty .tag=2"] {
            assert_eq!(take(&mut commands, sentence), Ok(None));
        }
        assert_eq!(take(&mut commands, "!done .tag=2"), Ok(Some((two, Ok(rows(&["x"]))))));
        assert_eq!(take(&mut commands, "!done .tag=1"), Ok(Some((one, Ok(rows(&["a", "b"]))))));
    }

    #[test]
    fn an_error_is_of_one_command() {
        let mut commands = Commands::default();
        let (one, two) = (commands.begin(), commands.begin());
        for sentence in
            ["!re =name=a .tag=1", "!trap =category=0 =message=broken .tag=1", "!re =name=x .tag=2"]
        {
            assert_eq!(take(&mut commands, sentence), Ok(None));
        }
        let broken = PrintError::Rejected("the device answered: broken".to_owned());
        assert_eq!(take(&mut commands, "!done .tag=1"), Ok(Some((one, Err(broken)))));
        assert_eq!(take(&mut commands, "!done .tag=2"), Ok(Some((two, Ok(rows(&["x"]))))));
    }

    #[test]
    fn what_was_given_up_is_dropped_until_it_ends() {
        let mut commands = Commands::default();
        let (one, two) = (commands.begin(), commands.begin());
        commands.abandon(one);
        assert!(commands.has_abandoned());
        assert_eq!(take(&mut commands, "!re =name=late .tag=1"), Ok(None));
        assert_eq!(take(&mut commands, "!done .tag=1"), Ok(None));
        assert!(!commands.has_abandoned());
        assert_eq!(take(&mut commands, "!done .tag=2"), Ok(Some((two, Ok(Rows::default())))));
        assert!(matches!(take(&mut commands, "!done .tag=1"), Err(Ended::Broken(_))), "it had ended");
    }

    #[test]
    fn what_ends_the_session() {
        let mut commands = Commands::default();
        commands.begin();
        assert_eq!(take(&mut commands, "!fatal shutdown"), Err(Ended::Fatal("shutdown".to_owned())));
        for nonsense in ["!re =name=a .tag=7", "!re =name=a", "!done .tag=x", "HTTP/1.1"] {
            assert!(matches!(take(&mut commands, nonsense), Err(Ended::Broken(_))), "{nonsense}");
        }
        assert_eq!(commands.take(&[]), Ok(None), "an empty sentence is nothing");
    }

    #[test]
    fn words_need_not_be_text() {
        let words: [&[u8]; 3] = [b"!re", b"=comment=B\xfc=ro", b".tag=7"];
        let reply = Reply::new(&words).unwrap();
        assert_eq!(reply.attribute("comment").as_deref(), Some("B\u{fffd}=ro"));
        assert_eq!(reply.tag(), Some(7));
    }

    /// What a device says to one command, and what is to come of it.
    #[derive(Debug, Clone)]
    struct Scripted {
        values: Vec<String>,
        fails: bool,
        is_abandoned: bool,
    }

    impl Scripted {
        fn sentences(&self, tag: Tag) -> Vec<Vec<String>> {
            let tag = format!(".tag={tag}");
            let row = |value: &String| vec!["!re".to_owned(), format!("=name={value}"), tag.clone()];
            let mut out: Vec<Vec<String>> = self.values.iter().map(row).collect();
            if self.fails {
                out.push(vec!["!trap".to_owned(), tag.clone(), "=message=no".to_owned()]);
            } else if out.is_empty() {
                out.push(vec!["!empty".to_owned(), tag.clone()]);
            }
            out.push(vec!["!done".to_owned(), tag]);
            out
        }
    }

    fn scripted() -> impl Strategy<Value = Scripted> {
        let values = prop::collection::vec("[=.!a-z ]{0,8}", 0..6);
        (values, prop::bool::weighted(0.2), prop::bool::weighted(0.2))
            .prop_map(|(values, fails, is_abandoned)| Scripted { values, fails, is_abandoned })
    }

    proptest! {
        #[test]
        fn each_command_gets_its_own_however_replies_are_mixed(
            scripts in prop::collection::vec(scripted(), 1..6),
            order in prop::collection::vec(any::<Index>(), 60),
        ) {
            let mut commands = Commands::default();
            let tags: Vec<Tag> = scripts.iter().map(|_| commands.begin()).collect();
            let mut left: Vec<Vec<Vec<String>>> =
                scripts.iter().zip(&tags).map(|(script, tag)| script.sentences(*tag)).collect();
            for sentences in &mut left {
                sentences.reverse();
            }
            for (_, tag) in scripts.iter().zip(&tags).filter(|(script, _)| script.is_abandoned) {
                commands.abandon(*tag);
            }
            let mut done = BTreeMap::new();
            let mut turns = order.iter().cycle();
            while left.iter().any(|sentences| !sentences.is_empty()) {
                let speaking: Vec<usize> = (0..left.len()).filter(|at| !left[*at].is_empty()).collect();
                let sentence = left[*turns.next().unwrap().get(&speaking)].pop().unwrap();
                let words: Vec<&[u8]> = sentence.iter().map(String::as_bytes).collect();
                done.extend(commands.take(&words).unwrap());
            }
            for (script, tag) in scripts.iter().zip(&tags) {
                let values: Vec<&str> = script.values.iter().map(String::as_str).collect();
                let expected = if script.is_abandoned {
                    None
                } else if script.fails {
                    Some(Err(refused("no")))
                } else {
                    Some(Ok(rows(&values)))
                };
                prop_assert_eq!(done.remove(tag), expected);
            }
            prop_assert!(!commands.has_abandoned());
        }

        #[test]
        fn any_sentence_is_read(words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..4)) {
            let mut commands = Commands::default();
            commands.begin();
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let _any: Result<Option<Done>, Ended> = commands.take(&words);
        }
    }
}
