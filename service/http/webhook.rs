//! One webhook, from its bytes to its answer. The order matters: nothing is parsed before the signature is checked, and nothing is
//! acknowledged before it is committed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use super::metrics::Outcome;
use super::{SIGNATURE_HEADER, Shared, WebhookBody, verify};
use crate::store::NewHint;

/// How long a body may take. NetBox sends it at once; a client that dribbles holds memory.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// Texts of a hint are cut to this length: they are for people and logs, and a signed body may still be absurd.
const TEXT_LIMIT: usize = 200;

/// Takes a webhook.
pub(super) async fn receive(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let receiver = &shared.receiver;
    let signature = request.headers().get(SIGNATURE_HEADER).map(|value| value.as_bytes().to_vec());
    let body = match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            shared.metrics.count(Outcome::TooLarge);
            tracing::warn!(limit = receiver.body_limit, "webhook refused: body over the limit");
            let text = format!(
                "the body is over {} bytes\nhint: the body template that `surveyor bootstrap` installs is small\n",
                receiver.body_limit
            );
            return (StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
        }
        Ok(Err(rejection)) => {
            shared.metrics.count(Outcome::Malformed);
            return rejection.into_response();
        }
        Err(_) => {
            shared.metrics.count(Outcome::Malformed);
            return (StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n").into_response();
        }
    };
    if let Err(error) = verify(&receiver.secrets, &body, signature.as_deref()) {
        shared.metrics.count(Outcome::Refused);
        tracing::warn!("webhook refused: {error}");
        return (StatusCode::UNAUTHORIZED, format!("{error}\n")).into_response();
    }
    let content = match WebhookBody::parse(&body) {
        Ok(content) => content,
        Err(error) => {
            shared.metrics.count(Outcome::Malformed);
            tracing::warn!("webhook is signed but cannot be read: {error}");
            return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response();
        }
    };
    if content.branch {
        shared.metrics.count(Outcome::Branch);
        tracing::debug!(
            object_type = content.object_type,
            object_id = content.id,
            "webhook ignored: inside a branch"
        );
        return (StatusCode::ACCEPTED, "ignored: inside a branch\n").into_response();
    }
    let hint = NewHint {
        digest: Sha256::digest(&body).into(),
        object: content.object(),
        event: cut(content.event),
        request_id: some(cut(content.request.id)),
        user: some(cut(content.request.user)),
    };
    match shared.group.commit(hint, &receiver.store, &receiver.wake, &receiver.clock, &shared.metrics).await {
        Ok(()) => (StatusCode::ACCEPTED, "accepted\n").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not take it now\n").into_response(),
    }
}

/// At most [`TEXT_LIMIT`] characters.
fn cut(text: String) -> String {
    if text.len() <= TEXT_LIMIT { text } else { text.chars().take(TEXT_LIMIT).collect() }
}

/// Nothing instead of an empty text.
fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
