//! One session of the binary API: log in, send commands, hear answers. Knows no TLS; whose answer it is, is in `replies`.

use std::io::ErrorKind;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::codec::{decode, encode};
use super::replies::{Commands, Done, Ended, Reply, Tag};
use crate::source::routeros::menus::Menu;
use crate::source::routeros::print::PrintError;

/// Bytes asked of the socket at once.
const READ_BYTES: usize = 32 * 1024;

/// The first command, which is alone.
const LOGIN: Tag = 1;

/// A connection on which several commands run. After an error it must be dropped: what comes next belongs to nothing.
pub(super) struct Session<S> {
    stream: S,
    received: Received,
    commands: Commands,
}

/// Bytes that are received and not read yet, from `at`.
#[derive(Default)]
struct Received {
    bytes: Vec<u8>,
    at: usize,
}

impl Received {
    /// The words of the next sentence, if all of it is there.
    fn sentence(&mut self) -> Result<Option<Vec<&[u8]>>, Ended> {
        let unread = self.bytes.get(self.at..).unwrap_or_default();
        let decoded = decode(unread).map_err(|error| Ended::Broken(error.to_string()))?;
        Ok(decoded.map(|(words, size)| {
            self.at += size;
            words
        }))
    }

    /// Waits for more. Nothing is lost if the waiting is given up.
    async fn more(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<(), Ended> {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.reserve(READ_BYTES);
        let read = stream.read_buf(&mut self.bytes).await;
        // Below TLS a device may just stop.
        if matches!(&read, Ok(0))
            || read.as_ref().is_err_and(|error| error.kind() == ErrorKind::UnexpectedEof)
        {
            return Err(Ended::Broken("the device closed the connection".to_owned()));
        }
        read.map(drop).map_err(|error| broken(&error))
    }
}

fn broken(error: &std::io::Error) -> Ended {
    Ended::Broken(format!("the connection broke: {error}"))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Logs in as of RouterOS 6.43. Before that a device answers with a challenge for MD5, which is refused: whoever
    /// listens could try passwords at leisure.
    pub(super) async fn log_in(stream: S, username: &str, password: &str) -> Result<Self, PrintError> {
        let mut session = Self { stream, received: Received::default(), commands: Commands::default() };
        session.commands.begin();
        let words = ["/login".to_owned(), format!("=name={username}"), format!("=password={password}")];
        session.send(LOGIN, &words).await.map_err(|ended| ended.error())?;
        let mut is_refused = false;
        loop {
            let Some(words) = session.received.sentence().map_err(|ended| ended.error())? else {
                session.received.more(&mut session.stream).await.map_err(|ended| ended.error())?;
                continue;
            };
            let Some(reply) = Reply::new(&words) else { continue };
            match reply.kind {
                b"!trap" => is_refused = true,
                b"!done" if is_refused => return Err(PrintError::Unauthorized),
                b"!done" if reply.attribute("ret").is_some() => return Err(PrintError::TooOld),
                _ => {}
            }
            match session.commands.take(&words) {
                Ok(Some(_)) => return Ok(session),
                Ok(None) => {}
                Err(ended @ Ended::Fatal(_)) => {
                    return Err(PrintError::Unreachable(ended.error().to_string()));
                }
                Err(ended) => return Err(ended.error()),
            }
        }
    }

    /// Asks for the rows of a menu, with its columns only. The answer has this tag.
    pub(super) async fn ask(&mut self, menu: Menu) -> Result<Tag, Ended> {
        let tag = self.commands.begin();
        let mut words =
            vec![format!("/{}/print", menu.path), format!("=.proplist={}", menu.columns.join(","))];
        words.extend(menu.only.map(|only| format!("?{only}")));
        self.send(tag, &words).await?;
        Ok(tag)
    }

    /// The next command that comes to its end. Nothing is lost if the waiting is given up.
    pub(super) async fn answer(&mut self) -> Result<Done, Ended> {
        loop {
            while let Some(words) = self.received.sentence()? {
                if let Some(done) = self.commands.take(&words)? {
                    return Ok(done);
                }
            }
            self.received.more(&mut self.stream).await?;
        }
    }

    /// Gives a command up. The others go on.
    pub(super) fn abandon(&mut self, tag: Tag) {
        self.commands.abandon(tag);
    }

    /// Whether a command that was given up may still be at work.
    pub(super) fn has_abandoned(&self) -> bool {
        self.commands.has_abandoned()
    }

    async fn send(&mut self, tag: Tag, words: &[String]) -> Result<(), Ended> {
        let tag = format!(".tag={tag}");
        let bytes = encode(words.iter().map(String::as_str).chain([tag.as_str()]));
        let sent = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| broken(&error))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;
    use crate::model::FactKind;
    use crate::source::routeros::parse::Rows;

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

    async fn print(answers: Vec<Vec<&'static str>>) -> Result<Rows, PrintError> {
        // Seven bytes at a time: sentences never arrive in one piece.
        let (ours, theirs) = duplex(7);
        let command = vec!["/ip/arp/print", "=.proplist=address,comment", "?dynamic=true", ".tag=2"];
        let device =
            device(theirs, vec![(LOGIN.to_vec(), vec![vec!["!done", ".tag=1"]]), (command, answers)]);
        let ask = async {
            let mut session = Session::log_in(ours, "u", "p").await.unwrap();
            assert_eq!(session.ask(ARP).await, Ok(2));
            let (tag, rows) = session.answer().await.map_err(|ended| ended.error())?;
            assert_eq!(tag, 2);
            rows
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
        let comments: Vec<Option<&str>> = rows.iter().map(|row| row.get("comment")).collect();
        assert_eq!(comments, [Some("a=b"), Some("")]);
    }

    #[tokio::test]
    async fn empty_missing_and_forbidden_menus() {
        let empty = print(vec![vec!["!empty", ".tag=2"], vec!["!done", ".tag=2"]]).await;
        assert_eq!(empty, Ok(Rows::default()));
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
}
