//! Printing many menus on one session, a few at the same time. Knows no TLS: a session is made by whoever calls.
//!
//! No menu takes another down. One that hangs is given up when its time is over, and the others go on; the session then
//! gets no new commands, because the device is still at work on that one, and what is left goes on a new session. When
//! a session breaks, each command that was running is asked again with none beside it, so that only the one which
//! breaks it is missing.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use super::replies::{Ended, Tag};
use super::session::Session;
use crate::source::routeros::menus::Menu;
use crate::source::routeros::print::{Answer, PrintError};
use crate::source::run::seconds;

/// How many commands run at the same time, and how long each may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Commands that run on the session at the same time.
    pub(super) concurrency: usize,
    /// Longest time for one menu, connecting included.
    pub(super) timeout: Duration,
}

/// Answers in the order in which they end. A session that is `kept` is used first; the last one is kept, if nothing is
/// left on it.
pub(super) fn print_all<'a, S, C>(
    kept: &'a Mutex<Option<Session<S>>>,
    connect: C,
    menus: &[Menu],
    limits: Limits,
) -> impl Stream<Item = Answer> + Send + use<'a, S, C>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    C: FnMut() -> BoxFuture<'a, Result<Session<S>, PrintError>> + Send,
{
    let printing = Printing {
        kept,
        connect,
        limits,
        waiting: menus.iter().copied().collect(),
        suspects: VecDeque::new(),
        running: Vec::new(),
        session: None,
        done: VecDeque::new(),
    };
    stream::unfold(printing, |mut printing| async { Some((printing.next().await?, printing)) })
}

struct Printing<'a, S, C> {
    kept: &'a Mutex<Option<Session<S>>>,
    connect: C,
    limits: Limits,
    waiting: VecDeque<Menu>,
    /// Were running when a session broke.
    suspects: VecDeque<Menu>,
    running: Vec<Running>,
    session: Option<Session<S>>,
    done: VecDeque<Answer>,
}

struct Running {
    tag: Tag,
    menu: Menu,
    deadline: Instant,
    /// Whether nothing may run beside it.
    is_suspect: bool,
}

impl<'a, S, C> Printing<'a, S, C>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    C: FnMut() -> BoxFuture<'a, Result<Session<S>, PrintError>> + Send,
{
    async fn next(&mut self) -> Option<Answer> {
        loop {
            let answer = self.done.pop_front();
            if self.done.is_empty()
                && self.running.is_empty()
                && self.waiting.is_empty()
                && self.suspects.is_empty()
            {
                self.keep();
                return answer;
            }
            if answer.is_some() {
                return answer;
            }
            while let Some((menu, is_suspect)) = self.choose() {
                self.start(menu, is_suspect).await;
            }
            if !self.running.is_empty() && self.done.is_empty() {
                self.listen().await;
            }
        }
    }

    /// The menu to ask for now, and whether it must be alone.
    fn choose(&mut self) -> Option<(Menu, bool)> {
        if self.running.is_empty() {
            let waiting = self.waiting.pop_front().map(|menu| (menu, false));
            return waiting.or_else(|| self.suspects.pop_front().map(|menu| (menu, true)));
        }
        let is_full = self.running.len() >= self.limits.concurrency;
        let is_closed = self.session.as_ref().is_none_or(Session::has_abandoned)
            || self.running.iter().any(|running| running.is_suspect);
        if is_full || is_closed { None } else { self.waiting.pop_front().map(|menu| (menu, false)) }
    }

    async fn start(&mut self, menu: Menu, is_suspect: bool) {
        let deadline = Instant::now() + self.limits.timeout;
        if let Err(error) = timeout_at(deadline, self.connected()).await.unwrap_or_else(|_| Err(self.late()))
        {
            // Without a session there is no answer to anything.
            let left = self.waiting.drain(..).chain(self.suspects.drain(..));
            self.done.extend([menu].into_iter().chain(left).map(|menu| (menu, Err(error.clone()))));
            return;
        }
        let Some(session) = &mut self.session else { return };
        let asked = timeout_at(deadline, session.ask(menu)).await;
        match asked {
            Ok(Ok(tag)) => self.running.push(Running { tag, menu, deadline, is_suspect }),
            // Half a command may be sent: nothing more can be said on this session.
            Err(_) => self.broke(&Ended::Broken(self.late().to_string()), Some(menu)),
            Ok(Err(ended)) => self.broke(&ended, Some(menu)),
        }
    }

    /// Sees to it that there is a session that takes commands.
    async fn connected(&mut self) -> Result<(), PrintError> {
        if self.running.is_empty() && self.session.as_ref().is_some_and(Session::has_abandoned) {
            self.session = None;
        }
        if self.session.is_none() {
            self.session = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        if self.session.is_none() {
            self.session = Some((self.connect)().await?);
        }
        Ok(())
    }

    /// Waits until a command ends, by its answer or because its time is over.
    async fn listen(&mut self) {
        let late = self.late();
        let Some(session) = &mut self.session else { return };
        let Some(first) = self.running.iter().map(|running| running.deadline).min() else { return };
        match timeout_at(first, session.answer()).await {
            Ok(Ok((tag, rows))) => {
                if let Some(at) = self.running.iter().position(|running| running.tag == tag) {
                    self.done.push_back((self.running.remove(at).menu, rows));
                }
            }
            Ok(Err(ended)) => self.broke(&ended, None),
            Err(_) => {
                let now = Instant::now();
                for running in self.running.extract_if(.., |running| running.deadline <= now) {
                    session.abandon(running.tag);
                    self.done.push_back((running.menu, Err(late.clone())));
                }
            }
        }
    }

    /// The session is over, and what was running on it, with the command that was about to.
    fn broke(&mut self, ended: &Ended, last: Option<Menu>) {
        self.session = None;
        let was_running: Vec<Menu> = self.running.drain(..).map(|running| running.menu).chain(last).collect();
        match ended {
            Ended::Broken(_) if was_running.len() > 1 => self.suspects.extend(was_running),
            _ => self.done.extend(was_running.into_iter().map(|menu| (menu, Err(ended.error())))),
        }
    }

    fn late(&self) -> PrintError {
        PrintError::TimedOut(seconds(self.limits.timeout))
    }

    fn keep(&mut self) {
        let clean = self.session.take().filter(|session| !session.has_abandoned());
        if clean.is_some() {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = clean;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::{FutureExt as _, StreamExt as _};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::model::FactKind;
    use crate::source::routeros::api::codec::{decode, encode};

    const PATHS: [&str; 6] = ["fine/1", "hangs", "fine/2", "fine/3", "fine/4", "fine/5"];

    fn menus(paths: &[&'static str]) -> Vec<Menu> {
        paths.iter().map(|path| Menu { path, columns: &["name"], kind: FactKind::Fdb, only: None }).collect()
    }

    /// Plays a device that answers each command with its path, row by row after all that came with it. A path says
    /// what goes wrong.
    async fn device(mut stream: DuplexStream) {
        let mut received = Vec::new();
        loop {
            let mut commands: Vec<(String, String)> = Vec::new();
            while let Some((words, size)) = decode(&received).unwrap() {
                let word = |at: usize| String::from_utf8_lossy(words[at]).into_owned();
                commands.push((word(0), word(words.len() - 1)));
                received.drain(..size);
            }
            for kind in ["!re", "!done"] {
                for (command, tag) in &commands {
                    let path = command.trim_start_matches('/').trim_end_matches("/print");
                    let name = format!("=name={path}");
                    let words = match (path, kind) {
                        ("hangs", "!done") | ("login", "!re") => continue,
                        ("breaks", _) => return,
                        ("fatal", _) => vec!["!fatal", "shutdown"],
                        ("fails", "!re") => vec!["!trap", "=message=no", tag],
                        (_, "!re") => vec![kind, &name, tag],
                        _ => vec![kind, tag],
                    };
                    if stream.write_all(&encode(words)).await.is_err() {
                        return;
                    }
                }
            }
            let read = stream.read_buf(&mut received).await;
            if !matches!(read, Ok(1..)) {
                return;
            }
        }
    }

    /// What each menu gave, and how many sessions that took.
    async fn print(paths: &[&'static str], concurrency: usize) -> (BTreeMap<&'static str, String>, usize) {
        let (kept, sessions) = (Mutex::new(None), AtomicUsize::new(0));
        let connect = || {
            sessions.fetch_add(1, Ordering::Relaxed);
            async {
                let (ours, theirs) = duplex(4096);
                tokio::spawn(device(theirs));
                Session::log_in(ours, "u", "p").await
            }
            .boxed()
        };
        let limits = Limits { concurrency, timeout: Duration::from_millis(500) };
        let answers: Vec<Answer> = print_all(&kept, connect, &menus(paths), limits).collect().await;
        assert_eq!(answers.len(), paths.len());
        let shown = |(menu, rows): Answer| {
            let name = rows.map(|rows| {
                assert_eq!(rows.len(), 1);
                rows.first().and_then(|row| row.get("name")).unwrap_or_default().to_owned()
            });
            (menu.path, name.unwrap_or_else(|error| error.to_string()))
        };
        (answers.into_iter().map(shown).collect(), sessions.into_inner())
    }

    #[tokio::test]
    async fn all_menus_go_on_one_session() {
        for concurrency in [1, 2, 8] {
            let (found, sessions) = print(&["fine/1", "fails", "fine/2", "fine/3"], concurrency).await;
            assert_eq!(sessions, 1);
            assert_eq!(found["fails"], "the device answered: no");
            assert!(found.iter().all(|(path, name)| *path == "fails" || path == name), "{found:?}");
        }
    }

    #[tokio::test]
    async fn one_that_hangs_is_missing_and_the_rest_goes_on() {
        for (concurrency, expected) in [(1, 2), (2, 1), (8, 1)] {
            let (found, sessions) = print(&PATHS, concurrency).await;
            assert_eq!(found["hangs"], "timed out after 0.5 s");
            assert_eq!(found.values().filter(|name| name.starts_with("fine/")).count(), 5, "{found:?}");
            assert_eq!(sessions, expected, "a session on which something hangs is left");
        }
    }

    #[tokio::test]
    async fn one_that_breaks_the_session_is_alone_in_that() {
        for concurrency in [1, 2, 8] {
            let (found, _) = print(&["fine/1", "fine/2", "breaks", "fine/3", "fine/4"], concurrency).await;
            assert_eq!(found["breaks"], "the device closed the connection");
            assert_eq!(found.values().filter(|name| name.starts_with("fine/")).count(), 4, "{found:?}");
        }
    }

    #[tokio::test]
    async fn a_fatal_reply_ends_all_that_runs() {
        let (found, sessions) = print(&["fatal", "hangs", "fine/1"], 2).await;
        assert_eq!(found["fatal"], "the device closed the session: shutdown");
        assert_eq!(found["hangs"], "the device closed the session: shutdown");
        assert_eq!((found["fine/1"].as_str(), sessions), ("fine/1", 2));
    }

    #[tokio::test]
    async fn without_a_session_nothing_is_read() {
        let kept: Mutex<Option<Session<DuplexStream>>> = Mutex::new(None);
        let connect = || async { Err(PrintError::Unauthorized) }.boxed();
        let limits = Limits { concurrency: 2, timeout: Duration::from_secs(1) };
        let answers: Vec<Answer> = print_all(&kept, connect, &menus(&PATHS), limits).collect().await;
        assert_eq!(answers.len(), PATHS.len());
        assert!(answers.iter().all(|(_, rows)| *rows == Err(PrintError::Unauthorized)));
    }
}
