//! What is printed: data on standard output, talk on standard error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// `1 gap`, `2 gaps`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Standard output and error of one command.
#[derive(Debug)]
pub(crate) struct Output {
    /// Whether data is wanted as JSON.
    pub json: bool,
    data: io::BufWriter<io::Stdout>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, data: io::BufWriter::new(io::stdout()) }
    }

    /// A line of data; not with `--json`.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> anyhow::Result<()> {
        if !self.json {
            writeln!(self.data, "{}", text.as_ref())?;
        }
        Ok(())
    }

    /// A block of data that ends with a line break of its own; not with `--json`.
    pub(crate) fn block(&mut self, text: &str) -> anyhow::Result<()> {
        if !self.json {
            self.data.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    /// The data as JSON; only with `--json`.
    pub(crate) fn object(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        if self.json {
            serde_json::to_writer_pretty(&mut self.data, value)?;
            writeln!(self.data)?;
        }
        Ok(())
    }

    /// Talk.
    #[expect(clippy::unused_self, reason = "talk belongs to the same place as data")]
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        let _closed = writeln!(io::stderr(), "{}", text.as_ref());
    }

    /// What went wrong, with its causes, once.
    #[expect(clippy::unused_self, reason = "talk belongs to the same place as data")]
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let mut text = error.to_string();
        for cause in error.chain().skip(1) {
            let cause = cause.to_string();
            if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
        }
        let stderr = io::stderr();
        let label = if stderr.is_terminal() { "\u{1b}[31merror\u{1b}[0m" } else { "error" };
        let _closed = writeln!(stderr.lock(), "{label}: {text}");
    }

    pub(crate) fn finish(&mut self) -> anyhow::Result<()> {
        self.data.flush()?;
        Ok(())
    }
}

/// Whether the reader of standard output went away: that is not an error (`surveyor discover | head`).
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
            || cause
                .downcast_ref::<serde_json::Error>()
                .is_some_and(|error| error.io_error_kind() == Some(io::ErrorKind::BrokenPipe))
    })
}
