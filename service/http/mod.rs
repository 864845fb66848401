//! The webhook receiver: NetBox's hints in, nothing decided. Beside it `/health` and `/metrics`.
//!
//! A webhook goes: body limit, signature over the raw bytes, JSON, inbox row committed, 202, worker woken. It sees the store
//! and pure code, never NetBox: what a hint means is found out by asking NetBox, later.
//!
//! ```text
//! 202  committed, or committed before (a repeated delivery), or inside a branch (not true yet; nothing is stored)
//! 400  signed, but not a JSON object: the body template is broken, and NetBox shows the job as failed
//! 401  no signature or a wrong one; nothing is read, nothing stored
//! 408  the body did not come in time        413  over the body limit
//! 503  the store does not take it; the sweep will find the change
//! ```
//!
//! A JSON object about a kind Surveyor does not know, or without an id, is a hint without an object: it wakes the worker, no more.

pub mod body;
mod group;
mod metrics;
pub mod signature;
#[cfg(test)]
mod tests;
mod webhook;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use body::{BODY_TEMPLATE, WebhookBody};
pub use signature::{SIGNATURE_HEADER, Secrets, SignatureError, sign, verify};

use crate::model::Timestamp;
use crate::store::Store;

/// Where NetBox sends to unless the configuration says otherwise.
pub const WEBHOOK_PATH: &str = "/webhooks/netbox";

/// The largest body read by default. Our own template renders 300 bytes; NetBox's default body carries the whole object, twice
/// more as snapshots, with its config context.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// How long `/health` and `/metrics` wait for the store: shorter than the time-out of probes, 5 s or more in practice.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long requests may go on after a shutdown began. NetBox's webhooks take milliseconds.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// What time it is; the program's clock, or a test's.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the receiver needs.
#[derive(Clone)]
pub struct Receiver {
    /// Where hints go.
    pub store: Store,
    /// What bodies are signed with.
    pub secrets: Secrets,
    /// The path of the public URL, beside [`WEBHOOK_PATH`] which is always there.
    pub path: String,
    /// The largest body read, in bytes.
    pub body_limit: usize,
    /// Woken after each commit.
    pub wake: Arc<Notify>,
    /// What time it is.
    pub clock: Clock,
}

impl Receiver {
    /// A receiver at [`WEBHOOK_PATH`] with [`BODY_LIMIT`].
    pub fn new(store: Store, secrets: Secrets, wake: Arc<Notify>, clock: Clock) -> Self {
        Self { store, secrets, path: WEBHOOK_PATH.to_owned(), body_limit: BODY_LIMIT, wake, clock }
    }
}

/// What every request shares.
struct Shared {
    receiver: Receiver,
    group: group::Group,
    metrics: metrics::Metrics,
}

/// The routes.
pub fn router(receiver: Receiver) -> Router {
    let limit = receiver.body_limit;
    let shared =
        Arc::new(Shared { receiver, group: group::Group::default(), metrics: metrics::Metrics::default() });
    Router::new()
        .route(WEBHOOK_PATH, post(webhook::receive))
        .route("/health", get(health))
        .route("/metrics", get(show_metrics))
        .fallback(elsewhere)
        .layer(DefaultBodyLimit::max(limit))
        .with_state(shared)
}

/// Answers until the shutdown future ends, then finishes what it has begun, for ten seconds at most.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let begun = CancellationToken::new();
    let signal = {
        let begun = begun.clone();
        async move {
            shutdown.await;
            begun.cancel();
        }
    };
    let patience = async {
        begun.cancelled().await;
        tokio::time::sleep(SHUTDOWN_GRACE).await;
    };
    tokio::select! {
        outcome = axum::serve(listener, router).with_graceful_shutdown(signal) => outcome,
        () = patience => {
            tracing::warn!("requests still ran {} s after the shutdown began; cut off", SHUTDOWN_GRACE.as_secs());
            Ok(())
        }
    }
}

/// The configured path, compared as text: a path from a URL may hold what a router takes for a pattern.
async fn elsewhere(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if request.uri().path() != shared.receiver.path {
        return (StatusCode::NOT_FOUND, "nothing here\n").into_response();
    }
    if request.method() != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response();
    }
    webhook::receive(State(shared), request).await
}

/// 200 if the store answers.
async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let (status, body) = match tokio::time::timeout(PROBE_TIMEOUT, shared.receiver.store.backlog()).await {
        Ok(Ok(backlog)) => (
            StatusCode::OK,
            serde_json::json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "backlog": backlog}),
        ),
        Ok(Err(error)) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::warn!(cause, "not healthy: {error}");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                serde_json::json!({"status": "unavailable", "reason": "the store failed"}),
            )
        }
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            serde_json::json!({"status": "unavailable", "reason": "the store does not answer"}),
        ),
    };
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

/// Counters, and the store's figures if it answers.
async fn show_metrics(State(shared): State<Arc<Shared>>) -> Response {
    let store = &shared.receiver.store;
    let figures = async { Some((store.counts().await.ok()?, store.freshness().await.ok()?)) };
    let figures = tokio::time::timeout(PROBE_TIMEOUT, figures).await.ok().flatten();
    let text = shared.metrics.render(figures.as_ref().map(|(counts, sources)| (counts, sources.as_slice())));
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}
