//! One command on an open connection: input and output at the same time, both bounded.

use std::time::Duration;

use russh::ChannelMsg;
use russh::client::Handle;
use tokio::time::timeout;

use super::{Peer, SshConfig, SshError};

/// Bounds of one command.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the start of the command to its exit status.
    pub time: Duration,
    /// Bytes on stdout; more is an error, because a cut answer is a wrong one.
    pub stdout: usize,
    /// Bytes on stderr that are kept; the rest is dropped.
    pub stderr: usize,
}

/// What a command left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status; 127 is the shell's "command not found".
    pub status: u32,
    /// Everything on stdout.
    pub stdout: Vec<u8>,
    /// The beginning of stderr.
    pub stderr: Vec<u8>,
}

pub(super) async fn exec(
    connection: &Handle<Peer>,
    config: &SshConfig,
    command: &str,
    stdin: &[u8],
    limits: &Limits,
) -> Result<Output, SshError> {
    let target = || config.target.clone();
    let lost = |why: String| SshError::Lost { target: target(), why };
    let opened = async {
        let channel = connection.channel_open_session().await?;
        channel.exec(true, command).await?;
        Ok::<_, russh::Error>(channel)
    };
    let channel = timeout(config.timeout, opened)
        .await
        .map_err(|_| SshError::Timeout { target: target(), step: "starting the command", started: true })?
        .map_err(|error| SshError::Protocol { target: target(), source: error.into() })?;
    let (mut reader, writer) = channel.split();

    let write = async {
        // A command that ends without reading its input is judged by its exit status, not by our failed write.
        if writer.data(stdin).await.is_ok() {
            _ = writer.eof().await;
        }
    };
    let read = async {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut status = None;
        let mut last = "the connection was closed".to_owned();
        while let Some(message) = reader.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    if stdout.len() + data.len() > limits.stdout {
                        return Err(SshError::TooMuchOutput { target: target(), limit: limits.stdout });
                    }
                    stdout.extend_from_slice(&data);
                }
                ChannelMsg::ExtendedData { data, ext: 1 } => {
                    let room = limits.stderr.saturating_sub(stderr.len()).min(data.len());
                    stderr.extend_from_slice(&data[..room]);
                }
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                ChannelMsg::ExitSignal { signal_name, .. } => {
                    last = format!("it was killed by signal {signal_name:?}");
                }
                ChannelMsg::Failure => {
                    "the server refused to run it".clone_into(&mut last);
                    break;
                }
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        status.map(|status| Output { status, stdout, stderr }).ok_or_else(|| lost(last))
    };
    // Reading decides; writing only runs beside it, because a command may answer before it has read everything.
    let both = async {
        tokio::pin!(read, write);
        tokio::select! {
            biased;
            output = &mut read => output,
            () = &mut write => read.await,
        }
    };
    timeout(limits.time, both).await.map_err(|_| SshError::Timeout {
        target: target(),
        step: "running the command",
        started: true,
    })?
}
