//! `surveyor serve`: receiver and loops, until it is told to stop.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::output::Output;
use super::{Ended, setup};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::http::{self, Receiver, Secrets};
use crate::worker;

pub(super) async fn run(config: &Config, output: &mut Output) -> anyhow::Result<Ended> {
    let service = Arc::new(setup::service(config).await?);
    let entries = config.entries();
    setup::sources(config, &entries, &[]).await?;
    let _claim = service.store.claim_serve("surveyor serve", service.now())?;
    let wake = Arc::new(Notify::new());
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let signals = {
        let stop = stop.clone();
        async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = stop.cancelled() => {}
            }
            tracing::info!("stopping");
            stop.cancel();
        }
    };
    let receiving = receiver(config, &service, &wake, &stop).await?;
    // Who reads standard output knows from this line that it listens.
    if let Some(webhook) = &config.webhook {
        output.say(format!("surveyor serves on http://{}", webhook.listen));
    } else {
        output.say("surveyor serves without webhooks: approvals are found by the sweep");
    }
    let loops = worker::serve(
        Arc::clone(&service),
        entries,
        config.limits,
        config.schedule,
        Arc::clone(&wake),
        stop.clone(),
    );
    let (received, (), ()) = tokio::join!(receiving, loops, signals);
    received?;
    service.store.close().await;
    Ok(Ended::Done)
}

/// The webhook receiver, bound before anything else starts.
async fn receiver(
    config: &Config,
    service: &worker::Service,
    wake: &Arc<Notify>,
    stop: &CancellationToken,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>>> {
    let bound = match &config.webhook {
        None => None,
        Some(webhook) => {
            let listener = TcpListener::bind(webhook.listen)
                .await
                .with_context(|| format!("cannot listen on `webhook.listen = \"{}\"`", webhook.listen))?;
            let secrets =
                Secrets::new(config.webhook_secrets()?.iter().map(|secret| secret.expose().to_owned()));
            let clock: http::Clock = Arc::new(|| SystemClock.now());
            let mut receiver = Receiver::new(service.store.clone(), secrets, Arc::clone(wake), clock);
            receiver.path = path_of(&webhook.public_url);
            Some((listener, http::router(receiver)))
        }
    };
    let stop = stop.clone();
    Ok(async move {
        if let Some((listener, router)) = bound {
            let until = stop.clone();
            let served = http::serve(listener, router, async move { until.cancelled().await }).await;
            stop.cancel();
            served.context("the webhook receiver stopped")?;
        }
        Ok(())
    })
}

/// The path of the address that NetBox calls.
fn path_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    match rest.split_once('/') {
        Some((_, path)) => format!("/{}", path.split(['?', '#']).next().unwrap_or_default()),
        None => http::WEBHOOK_PATH.to_owned(),
    }
}
