//! NetBox's REST API: lists by cursor, bulk writes, guarded writes. Every call is one request, except lists.
//!
//! Reads are retried on transient errors; writes never are, because only planning again can tell what a lost write did.
//! It knows paths and JSON, not what the objects mean.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::{Method, header};
use serde_json::Value;

use super::endpoint::Endpoint;
use super::error::{Answer, Error};
use super::page::{self, Page};
use crate::transport::http;
use crate::transport::secret::Secret;
use crate::transport::tls::TlsMode;

/// Waits before the second, third and fourth try of a read: long enough for a worker to be restarted.
const RETRIES: &[Duration] = &[Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];
/// The longest wait a `Retry-After` is granted: a sweep must not hang on a proxy's mood.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// What v2 tokens begin with (NetBox users/constants.py, `TOKEN_PREFIX`).
const V2_PREFIX: &str = "nbt_";
/// Query strings are cut into requests below this: gunicorn takes request lines of 4094 bytes (`limit_request_line`).
const QUERY_BYTES: usize = 3000;
/// Stands for an etag where NetBox sends none (4.5): the object's `last_updated` instead.
const LAST_UPDATED: &str = "last_updated:";

/// What a client needs.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// NetBox's address, with its sub-path if it has one; a trailing `/api` is tolerated.
    pub url: String,
    /// API token, v1 or v2.
    pub token: Secret,
    /// How the server's certificate is checked.
    pub tls: TlsMode,
    /// Additional authorities for `verify`.
    pub ca_file: Option<PathBuf>,
    /// For one request, answer included.
    pub timeout: Duration,
    /// Rows a page, at most; NetBox's `MAX_PAGE_SIZE` (default 1000) caps it.
    pub page_size: usize,
}

/// How much was asked of NetBox so far: for `0 writes, 12 requests`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests sent, retries included.
    pub requests: usize,
    /// Those of them that write.
    pub writes: usize,
}

/// A NetBox user, as the token's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Primary key.
    pub id: i64,
    /// Login name, as it appears in the change log.
    pub username: String,
}

/// A NetBox to talk to, as one user. Cheap to clone; clones share the connections and the counters.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Arc<str>,
    token: Secret,
    page_size: usize,
    requests: Arc<AtomicUsize>,
    writes: Arc<AtomicUsize>,
}

impl Client {
    /// A client; sends nothing yet.
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        let base = config.url.trim().trim_end_matches('/').trim_end_matches("/api").trim_end_matches('/');
        if !(base.starts_with("http://") || base.starts_with("https://")) {
            return Err(Error::Malformed {
                url: config.url,
                why: "no http:// or https:// address".to_owned(),
                hint: "write `netbox.url` as `https://netbox.example.org`".to_owned(),
            });
        }
        let agent = concat!("surveyor/", env!("CARGO_PKG_VERSION"));
        let http = http::client(&config.tls, config.ca_file.as_deref(), config.timeout, agent)?;
        Ok(Self {
            http,
            base: base.into(),
            token: config.token,
            page_size: config.page_size.max(1),
            requests: Arc::default(),
            writes: Arc::default(),
        })
    }

    /// The same NetBox as another user, counting on its own.
    #[must_use]
    pub fn with_token(&self, token: Secret) -> Self {
        Self { token, requests: Arc::default(), writes: Arc::default(), ..self.clone() }
    }

    /// Whether both count the same requests: one is a clone of the other.
    pub fn shares_counts(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.requests, &other.requests)
    }

    /// NetBox's address, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// Requests and writes so far.
    pub fn counts(&self) -> Counts {
        Counts {
            requests: self.requests.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
        }
    }

    /// NetBox's version, `4.7.3` (`/api/status/`).
    pub async fn status(&self) -> Result<String, Error> {
        let path = "status/";
        let status = self.read(path, &[] as &[(&str, &str)]).await.map_err(|error| match error {
            Error::NotFound { .. } => self.no_netbox(path, "there is no `/api/status/`"),
            other => other,
        })?;
        match status.json.get("netbox-version").and_then(Value::as_str) {
            Some(version) => Ok(version.to_owned()),
            None => Err(self.no_netbox(path, "the status has no `netbox-version`")),
        }
    }

    /// Who the token belongs to (`/api/authentication-check/`, NetBox 4.5 and later).
    pub async fn me(&self) -> Result<User, Error> {
        let path = "authentication-check/";
        let user = self.read(path, &[] as &[(&str, &str)]).await?.json;
        match (user.get("id").and_then(Value::as_i64), user.get("username").and_then(Value::as_str)) {
            (Some(id), Some(username)) => Ok(User { id, username: username.to_owned() }),
            _ => Err(self.no_netbox(path, "the user has no `id` and `username`")),
        }
    }

    /// All rows that match, by primary key. Ask for few columns with `fields`: it is ten times as fast.
    pub async fn list<K, V>(
        &self,
        endpoint: impl Into<Endpoint>,
        query: &[(K, V)],
    ) -> Result<Vec<Value>, Error>
    where
        K: AsRef<str> + Sync,
        V: AsRef<str> + Sync,
    {
        let path = endpoint.into().path();
        let fixed: Vec<(&str, &str)> =
            query.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect();
        let limit = self.page_size.to_string();
        let mut next = page::first();
        let mut rows = Vec::new();
        loop {
            let mut query = fixed.clone();
            query.push(("limit", &limit));
            let position: Vec<(&str, String)> = next.pairs();
            query.extend(position.iter().map(|(key, value)| (*key, value.as_str())));
            let answer = self.read(path, &query).await?;
            let page = Page::parse(answer.json).ok_or_else(|| self.no_netbox(path, "no list of results"))?;
            match page::advance(&next, page, &mut rows) {
                Some(position) => next = position,
                None => return Ok(rows),
            }
        }
    }

    /// The first row only: the newest, with `ordering`.
    pub async fn first<K, V>(
        &self,
        endpoint: impl Into<Endpoint>,
        query: &[(K, V)],
    ) -> Result<Vec<Value>, Error>
    where
        K: AsRef<str> + Sync,
        V: AsRef<str> + Sync,
    {
        let path = endpoint.into().path();
        let mut pairs: Vec<(&str, &str)> =
            query.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect();
        pairs.push(("limit", "1"));
        let answer = self.read(path, &pairs).await?;
        let page = Page::parse(answer.json).ok_or_else(|| self.no_netbox(path, "no list of results"))?;
        Ok(page.results)
    }

    /// All rows where `key` is one of `values`, asked in as many requests as request lines allow.
    pub async fn list_in<K, V>(
        &self,
        endpoint: impl Into<Endpoint>,
        key: &str,
        values: &[String],
        query: &[(K, V)],
    ) -> Result<Vec<Value>, Error>
    where
        K: AsRef<str> + Sync,
        V: AsRef<str> + Sync,
    {
        let endpoint = endpoint.into();
        let mut rows = Vec::new();
        for chunk in page::chunks(key, values, QUERY_BYTES) {
            let mut pairs: Vec<(&str, &str)> = query.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
            pairs.extend(chunk.iter().map(|value| (key, value.as_str())));
            rows.extend(self.list(endpoint, &pairs).await?);
        }
        Ok(rows)
    }

    /// One object.
    pub async fn get(&self, endpoint: impl Into<Endpoint>, id: i64) -> Result<Value, Error> {
        let path = format!("{}{id}/", endpoint.into().path());
        Ok(self.read(&path, &[] as &[(&str, &str)]).await?.json)
    }

    /// One object, with what `update` and `delete` take to refuse if somebody changes it meanwhile.
    pub async fn get_with_etag(
        &self,
        endpoint: impl Into<Endpoint>,
        id: i64,
    ) -> Result<(Value, Option<String>), Error> {
        let path = format!("{}{id}/", endpoint.into().path());
        let reply = self.read(&path, &[] as &[(&str, &str)]).await?;
        let etag = reply.etag.or_else(|| {
            let moment = reply.json.get("last_updated").and_then(Value::as_str)?;
            Some(format!("{LAST_UPDATED}{moment}"))
        });
        Ok((reply.json, etag))
    }

    /// What a list accepts (`OPTIONS`): choices of statuses, for one.
    pub async fn options(&self, endpoint: impl Into<Endpoint>) -> Result<Value, Error> {
        let path = endpoint.into().path();
        Ok(self.send(Method::OPTIONS, path, None, None).await?.json)
    }

    /// Makes one object.
    pub async fn create(&self, endpoint: impl Into<Endpoint>, body: &Value) -> Result<Value, Error> {
        Ok(self.send(Method::POST, endpoint.into().path(), Some(Body::Json(body)), None).await?.json)
    }

    /// Makes all of them or none; the answer is in request order.
    pub async fn create_many(
        &self,
        endpoint: impl Into<Endpoint>,
        bodies: &[Value],
        message: Option<&str>,
    ) -> Result<Vec<Value>, Error> {
        let path = endpoint.into().path();
        if bodies.is_empty() {
            return Ok(Vec::new());
        }
        let body = with_message(bodies, message);
        let reply = self.send(Method::POST, path, Some(Body::Json(&body)), None).await?;
        let rows = self.rows(path, reply.json)?;
        if rows.len() != bodies.len() {
            return Err(self.no_netbox(path, "it made another number of objects than was asked for"));
        }
        Ok(rows)
    }

    /// Changes all of them or none; each body has its `id`. NetBox before 4.7 skips ids that do not exist (or may not be
    /// seen) in silence, so the answer can have fewer rows than the request: compare the ids.
    pub async fn update_many(
        &self,
        endpoint: impl Into<Endpoint>,
        bodies: &[Value],
        message: Option<&str>,
    ) -> Result<Vec<Value>, Error> {
        let path = endpoint.into().path();
        if bodies.is_empty() {
            return Ok(Vec::new());
        }
        let body = with_message(bodies, message);
        let reply = self.send(Method::PATCH, path, Some(Body::Json(&body)), None).await?;
        self.rows(path, reply.json)
    }

    /// Removes all of them or none. What is already gone is an error with its id on 4.7, and nothing before.
    pub async fn delete_many(
        &self,
        endpoint: impl Into<Endpoint>,
        ids: &[i64],
        message: Option<&str>,
    ) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let rows: Vec<Value> = ids.iter().map(|id| serde_json::json!({ "id": id })).collect();
        let body = with_message(&rows, message);
        self.send(Method::DELETE, endpoint.into().path(), Some(Body::Json(&body)), None).await?;
        Ok(())
    }

    /// Changes one object; with an etag only if nobody changed it since.
    pub async fn update(
        &self,
        endpoint: impl Into<Endpoint>,
        id: i64,
        body: &Value,
        if_match: Option<&str>,
    ) -> Result<Value, Error> {
        let endpoint = endpoint.into();
        let path = format!("{}{id}/", endpoint.path());
        let if_match = self.checked(endpoint, id, &path, if_match).await?;
        Ok(self.send(Method::PATCH, &path, Some(Body::Json(body)), if_match).await?.json)
    }

    /// Removes one object; with an etag only if nobody changed it since.
    pub async fn delete(
        &self,
        endpoint: impl Into<Endpoint>,
        id: i64,
        if_match: Option<&str>,
    ) -> Result<(), Error> {
        let endpoint = endpoint.into();
        let path = format!("{}{id}/", endpoint.path());
        let if_match = self.checked(endpoint, id, &path, if_match).await?;
        self.send(Method::DELETE, &path, None, if_match).await?;
        Ok(())
    }

    /// Sends a file in the form field `file`: custom scripts take nothing else.
    pub async fn upload(
        &self,
        path: &str,
        replace: bool,
        file_name: &str,
        content: &str,
    ) -> Result<Value, Error> {
        let method = if replace { Method::PUT } else { Method::POST };
        Ok(self.send(method, path, Some(Body::File { file_name, content }), None).await?.json)
    }

    /// Does by hand what NetBox before 4.6 cannot: compares `last_updated` just before the write.
    async fn checked<'a>(
        &self,
        endpoint: Endpoint,
        id: i64,
        path: &str,
        if_match: Option<&'a str>,
    ) -> Result<Option<&'a str>, Error> {
        let Some(moment) = if_match.and_then(|etag| etag.strip_prefix(LAST_UPDATED)) else {
            return Ok(if_match);
        };
        let now = self.get(endpoint, id).await?;
        match now.get("last_updated").and_then(Value::as_str) {
            Some(current) if current == moment => Ok(None),
            current => Err(Error::Changed {
                path: path.to_owned(),
                etag: current.map(|moment| format!("{LAST_UPDATED}{moment}")),
            }),
        }
    }

    /// A GET, tried again on transient errors.
    async fn read<K, V>(&self, path: &str, query: &[(K, V)]) -> Result<Reply, Error>
    where
        K: AsRef<str> + Sync,
        V: AsRef<str> + Sync,
    {
        let path = page::with_query(path, query);
        for pause in RETRIES {
            match self.send(Method::GET, &path, None, None).await {
                Err(error) if error.is_transient() => {
                    let pause = error.retry_after().unwrap_or(*pause).min(LONGEST_WAIT);
                    tracing::debug!(netbox.path = path, error = %error, "trying again");
                    tokio::time::sleep(pause).await;
                }
                done => return done,
            }
        }
        self.send(Method::GET, &path, None, None).await
    }

    /// One request, one answer.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Body<'_>>,
        if_match: Option<&str>,
    ) -> Result<Reply, Error> {
        let url = format!("{}/api/{path}", self.base);
        let shown = path.split('?').next().unwrap_or(path);
        self.requests.fetch_add(1, Ordering::Relaxed);
        if !matches!(method, Method::GET | Method::OPTIONS) {
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
        let token = self.token.expose();
        let scheme = if token.starts_with(V2_PREFIX) { "Bearer" } else { "Token" };
        let mut request = self
            .http
            .request(method.clone(), &url)
            .header(header::AUTHORIZATION, format!("{scheme} {token}"))
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_LANGUAGE, "en");
        if let Some(etag) = if_match {
            request = request.header(header::IF_MATCH, etag);
        }
        request = match body {
            None => request,
            Some(Body::Json(value)) => request.json(value),
            Some(Body::File { file_name, content }) => page::multipart(request, file_name, content),
        };
        let broken = |error: reqwest::Error| Error::of_transport(&error, method.as_str(), &url, shown);
        let response = request.send().await.map_err(broken)?;
        let status = response.status();
        let text = |name: header::HeaderName| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (etag, location) = (text(header::ETAG), text(header::LOCATION));
        let retry_after =
            text(header::RETRY_AFTER).and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let body = response.bytes().await.map_err(broken)?;
        tracing::trace!(netbox.method = %method, netbox.path = path, netbox.status = status.as_u16(), bytes = body.len());
        let answer = Answer {
            method: method.as_str(),
            url: &url,
            path: shown,
            status,
            etag: etag.as_deref(),
            location: location.as_deref(),
            retry_after,
            body: &body,
        };
        if !status.is_success() {
            return Err(Error::of_answer(&answer));
        }
        if body.is_empty() {
            return Ok(Reply { json: Value::Null, etag });
        }
        match serde_json::from_slice(&body) {
            Ok(json) => Ok(Reply { json, etag }),
            Err(_) => Err(Error::not_netbox(&answer, "the answer is not JSON")),
        }
    }

    /// The rows of a bulk answer.
    fn rows(&self, path: &str, json: Value) -> Result<Vec<Value>, Error> {
        match json {
            Value::Array(rows) => Ok(rows),
            _ => Err(self.no_netbox(path, "a bulk answer is no list")),
        }
    }

    fn no_netbox(&self, path: &str, why: &str) -> Error {
        Error::Malformed {
            url: format!("{}/api/{path}", self.base),
            why: why.to_owned(),
            hint: "check that `netbox.url` is NetBox's address, with its sub-path if it has one".to_owned(),
        }
    }
}

/// A success.
struct Reply {
    json: Value,
    etag: Option<String>,
}

/// What a request carries.
enum Body<'a> {
    Json(&'a Value),
    File { file_name: &'a str, content: &'a str },
}

/// The rows as one body, each with the message for the change log (NetBox 4.4 and later take it per row).
fn with_message(rows: &[Value], message: Option<&str>) -> Value {
    let mut rows = rows.to_vec();
    if let Some(message) = message {
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            row.insert("changelog_message".to_owned(), Value::from(message));
        }
    }
    Value::from(rows)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
