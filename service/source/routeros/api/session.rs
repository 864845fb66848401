//! One session of the binary API: log in, then print menus one after the other. Knows no TLS and no menu.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::codec::{decode, encode};
use crate::source::routeros::menus::Menu;
use crate::source::routeros::parse::Row;
use crate::source::routeros::print::{MAX_ANSWER_BYTES, PrintError, refused};

/// Bytes asked of the socket at once.
const READ_BYTES: usize = 16 * 1024;

/// A connection on which commands are sent. After an error it must be dropped: what comes next belongs to nothing.
pub(super) struct Session<S> {
    stream: S,
    /// Bytes that are received and not read yet, from `at`.
    received: Vec<u8>,
    at: usize,
    /// Number of the last command; every reply carries it, which shows that the two sides agree.
    tag: u32,
}

/// One reply: `!re`, `!done`, `!trap`, `!empty` or `!fatal`, and its attributes.
struct Reply {
    kind: String,
    attributes: Row,
    /// What has no form of an attribute: `!fatal` says its reason so.
    text: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Logs in as of RouterOS 6.43. Before that a device answers with a challenge for MD5, which is refused: whoever
    /// listens could try passwords at leisure.
    pub(super) async fn log_in(stream: S, username: &str, password: &str) -> Result<Self, PrintError> {
        let mut session = Self { stream, received: Vec::new(), at: 0, tag: 0 };
        let words = ["/login".to_owned(), format!("=name={username}"), format!("=password={password}")];
        session.send(&words).await?;
        let mut trap = None;
        loop {
            let reply = session.reply().await?;
            match reply.kind.as_str() {
                "!done" if trap.is_some() => return Err(PrintError::Unauthorized),
                "!done" if reply.attributes.contains_key("ret") => return Err(PrintError::TooOld),
                "!done" => return Ok(session),
                "!trap" => trap = Some(()),
                "!fatal" => {
                    return Err(PrintError::Unreachable(format!(
                        "the device closed the session: {}",
                        reply.text
                    )));
                }
                _ => {}
            }
        }
    }

    /// The rows of a menu, with its columns only.
    pub(super) async fn print(&mut self, menu: Menu) -> Result<Vec<Row>, PrintError> {
        let mut words =
            vec![format!("/{}/print", menu.path), format!("=.proplist={}", menu.columns.join(","))];
        words.extend(menu.only.map(|only| format!("?{only}")));
        self.send(&words).await?;
        let mut rows = Vec::new();
        let mut trap = None;
        let mut size = 0;
        loop {
            let reply = self.reply().await?;
            match reply.kind.as_str() {
                "!re" => {
                    size +=
                        reply.attributes.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
                    if size > MAX_ANSWER_BYTES {
                        return Err(PrintError::too_big());
                    }
                    rows.push(reply.attributes);
                }
                "!done" => return trap.map_or(Ok(rows), Err),
                "!trap" => {
                    let message = reply.attributes.get("message").map(String::as_str).unwrap_or_default();
                    trap = Some(refused(message));
                }
                // RouterOS 7.18 and newer say so of a menu without rows.
                "!empty" => {}
                "!fatal" => {
                    return Err(PrintError::Malformed(format!(
                        "the device closed the session: {}",
                        reply.text
                    )));
                }
                other => return Err(PrintError::Malformed(format!("an answer that begins with `{other}`"))),
            }
        }
    }

    async fn send(&mut self, words: &[String]) -> Result<(), PrintError> {
        self.tag += 1;
        let tag = format!(".tag={}", self.tag);
        let bytes = encode(words.iter().map(String::as_str).chain([tag.as_str()]));
        let sent = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| PrintError::Malformed(format!("the connection broke: {error}")))
    }

    /// The next reply to the last command.
    async fn reply(&mut self) -> Result<Reply, PrintError> {
        loop {
            let unread = self.received.get(self.at..).unwrap_or_default();
            let decoded = decode(unread).map_err(|error| PrintError::Malformed(error.to_string()))?;
            if let Some((words, size)) = decoded {
                let reply = parse_reply(&words);
                self.at += size;
                let Some((reply, tag)) = reply else { continue };
                // A `!fatal` concerns the session, so it has no tag.
                if tag.is_some_and(|tag| tag != self.tag.to_string()) {
                    return Err(PrintError::Malformed("a reply to another command".to_owned()));
                }
                return Ok(reply);
            }
            self.received.drain(..self.at);
            self.at = 0;
            let begin = self.received.len();
            self.received.resize(begin + READ_BYTES, 0);
            let read = self.stream.read(&mut self.received[begin..]).await;
            self.received.truncate(begin + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Err(PrintError::Malformed("the device closed the connection".to_owned())),
                Ok(_) => {}
                Err(error) => return Err(PrintError::Malformed(format!("the connection broke: {error}"))),
            }
        }
    }
}

/// The reply in a sentence and its tag; an empty sentence is none. Words are bytes, often no UTF-8: decoded lossily.
fn parse_reply(words: &[&[u8]]) -> Option<(Reply, Option<String>)> {
    let (kind, rest) = words.split_first()?;
    let mut reply = Reply {
        kind: String::from_utf8_lossy(kind).into_owned(),
        attributes: Row::new(),
        text: String::new(),
    };
    let mut tag = None;
    for word in rest {
        let word = String::from_utf8_lossy(word);
        if let Some(value) = word.strip_prefix(".tag=") {
            tag = Some(value.to_owned());
        } else if let Some((name, value)) = word.strip_prefix('=').and_then(|word| word.split_once('=')) {
            reply.attributes.insert(name.to_owned(), value.to_owned());
        } else {
            reply.text = word.into_owned();
        }
    }
    Some((reply, tag))
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;
    use crate::model::FactKind;

    /// Plays a device: for each exchange, the words it must get and the sentences it answers.
    async fn device(mut stream: DuplexStream, script: Vec<(Vec<&'static str>, Vec<Vec<&'static str>>)>) {
        for (expected, answers) in script {
            let wanted = encode(expected.iter().copied());
            let mut got = vec![0; wanted.len()];
            stream.read_exact(&mut got).await.unwrap();
            assert_eq!(got, wanted, "{}", String::from_utf8_lossy(&got));
            for answer in answers {
                stream.write_all(&encode(answer)).await.unwrap();
            }
        }
    }

    const LOGIN: [&str; 4] = ["/login", "=name=u", "=password=p", ".tag=1"];

    const ARP: Menu = Menu {
        path: "ip/arp",
        columns: &["address", "comment"],
        kind: FactKind::Neighbors,
        only: Some("dynamic=true"),
    };

    async fn log_in(answers: Vec<Vec<&'static str>>) -> Result<(), PrintError> {
        let (ours, theirs) = duplex(64);
        let device = device(theirs, vec![(LOGIN.to_vec(), answers)]);
        let (session, ()) = tokio::join!(Session::log_in(ours, "u", "p"), device);
        session.map(|_| ())
    }

    async fn print(answers: Vec<Vec<&'static str>>) -> Result<Vec<Row>, PrintError> {
        // Seven bytes at a time: sentences never arrive in one piece.
        let (ours, theirs) = duplex(7);
        let command = vec!["/ip/arp/print", "=.proplist=address,comment", "?dynamic=true", ".tag=2"];
        let device =
            device(theirs, vec![(LOGIN.to_vec(), vec![vec!["!done", ".tag=1"]]), (command, answers)]);
        let ask = async {
            let mut session = Session::log_in(ours, "u", "p").await.unwrap();
            session.print(ARP).await
        };
        tokio::join!(ask, device).0
    }

    #[tokio::test]
    async fn logging_in() {
        assert_eq!(log_in(vec![vec!["!done", ".tag=1"]]).await, Ok(()));
        let wrong = vec![
            vec!["!trap", "=message=invalid user name or password (6)", ".tag=1"],
            vec!["!done", ".tag=1"],
        ];
        assert_eq!(log_in(wrong).await, Err(PrintError::Unauthorized));
        let old = vec![vec!["!done", "=ret=ebddd18303a54111e2dea05a92ab46b4", ".tag=1"]];
        assert_eq!(log_in(old).await, Err(PrintError::TooOld));
        let fatal = log_in(vec![vec!["!fatal", "too many sessions"]]).await.unwrap_err();
        assert!(fatal.is_fatal() && fatal.to_string().contains("too many sessions"));
    }

    #[tokio::test]
    async fn rows_keep_equal_signs_and_empty_values() {
        let rows = print(vec![
            vec!["!re", "=address=192.0.2.1", "=comment=a=b", ".tag=2"],
            vec![],
            vec!["!re", ".tag=2", "=address=192.0.2.2", "=comment="],
            vec!["!done", ".tag=2"],
        ])
        .await
        .unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0]["comment"].as_str(), rows[1]["comment"].as_str()), ("a=b", ""));
    }

    #[tokio::test]
    async fn empty_missing_and_forbidden_menus() {
        assert_eq!(print(vec![vec!["!empty", ".tag=2"], vec!["!done", ".tag=2"]]).await, Ok(vec![]));
        let trap = |message: &'static str| {
            vec![vec!["!trap", "=category=0", message, ".tag=2"], vec!["!done", ".tag=2"]]
        };
        assert_eq!(print(trap("=message=no such command prefix")).await, Err(PrintError::Missing));
        let forbidden = print(trap("=message=not enough permissions (9)")).await.unwrap_err();
        assert!(forbidden.to_string().starts_with("not enough permissions (9); hint: "));
    }

    #[tokio::test]
    async fn what_must_not_be_believed() {
        assert!(matches!(
            print(vec![vec!["!re", "=address=x", ".tag=1"]]).await,
            Err(PrintError::Malformed(_))
        ));
        assert!(matches!(print(vec![vec!["HTTP/1.1 400"]]).await, Err(PrintError::Malformed(_))));
        let cut = print(vec![vec!["!re", "=address=192.0.2.1", ".tag=2"]]).await;
        assert_eq!(cut, Err(PrintError::Malformed("the device closed the connection".to_owned())));
    }

    #[test]
    fn words_need_not_be_text() {
        let (reply, tag) = parse_reply(&[b"!re", b"=comment=B\xfcro", b".tag=7"]).unwrap();
        assert_eq!(reply.attributes["comment"], "B\u{fffd}ro");
        assert_eq!(tag.as_deref(), Some("7"));
        assert!(parse_reply(&[]).is_none());
    }
}
