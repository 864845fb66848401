//! One suite of stories for both databases. PostgreSQL takes part when `SURVEYOR_TEST_POSTGRES` is the URL of a role that may create
//! databases; each story gets its own database or file.

mod file;
mod inbox;
mod leases;
mod receipts;
mod rest;

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use tempfile::TempDir;

use super::{NewHint, Store};
use crate::model::{ObjectKind, ObjectRef, Timestamp};

/// Any moment will do.
const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// A store of its own for one story.
struct Ground {
    /// The open store.
    store: Store,
    /// How to open it again.
    url: String,
    /// The folder of the file.
    _folder: Option<TempDir>,
    /// Who drops the database in the end, and its name.
    admin: Option<(PgPool, String)>,
}

impl Ground {
    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("surveyor.db").display());
        Self { store: Store::open(&url).await.unwrap(), url, _folder: Some(folder), admin: None }
    }

    async fn postgres() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Ok(base) = std::env::var("SURVEYOR_TEST_POSTGRES") else {
            println!("skipped on PostgreSQL: SURVEYOR_TEST_POSTGRES is not set");
            return None;
        };
        let name = format!("surveyor_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let admin = PgPool::connect(&base).await.unwrap();
        for sql in [format!("drop database if exists {name}"), format!("create database {name}")] {
            sqlx::query(AssertSqlSafe(sql)).execute(&admin).await.unwrap();
        }
        let (address, parameters) = base.split_once('?').unwrap_or((&base, ""));
        let scheme_end = address.find("://").unwrap() + 3;
        let server = address[scheme_end..].find('/').map_or(address, |at| &address[..scheme_end + at]);
        let url = format!("{server}/{name}?{parameters}");
        Some(Self { store: Store::open(&url).await.unwrap(), url, _folder: None, admin: Some((admin, name)) })
    }

    async fn end(self) {
        self.store.close().await;
        if let Some((admin, name)) = self.admin {
            sqlx::query(AssertSqlSafe(format!("drop database {name} with (force)")))
                .execute(&admin)
                .await
                .unwrap();
        }
    }
}

/// Runs each story on both databases.
macro_rules! stories {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    let ground = crate::store::tests::Ground::sqlite().await;
                    super::$name(&ground).await;
                    ground.end().await;
                }
            )*
        }
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    if let Some(ground) = crate::store::tests::Ground::postgres().await {
                        super::$name(&ground).await;
                        ground.end().await;
                    }
                }
            )*
        }
    };
}
use stories;

/// The hint number `n`, about device `n`.
fn hint(n: u32) -> NewHint {
    let mut digest = [0; 32];
    digest[28..].copy_from_slice(&n.to_be_bytes());
    NewHint {
        digest,
        object: Some(ObjectRef::new(ObjectKind::Device, i64::from(n))),
        event: "updated".to_owned(),
        request_id: Some(format!("request-{n}")),
        user: Some("alice".to_owned()),
    }
}
