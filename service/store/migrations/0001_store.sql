-- One text for SQLite and PostgreSQL: text, bigint (Unix milliseconds, 0 and 1 for no and yes) and bytea only.
-- SQLite takes any type name; `bytea` gets NUMERIC affinity there, which leaves blobs alone.

-- What NetBox told us: each row only says that something changed, not what to do.
create table inbox (
    id text not null primary key,          -- SHA-256 of the body, so that a repeated delivery is one row
    object_type text,
    object_id bigint,
    event text not null,
    request_id text,
    username text,
    received_at bigint not null,
    attempt bigint not null,               -- fences: only the last taker may finish a hint
    holder text,
    lease_until bigint not null,
    done_at bigint
);
create index inbox_open on inbox (received_at, id) where done_at is null;

-- Every write: committed as planned, as intended before the call, and with its effect after it.
create table receipt (
    id text not null primary key,
    run text not null,
    plan text not null,
    object text not null,
    step text not null,
    seq bigint not null,
    verb text not null,
    kind text not null,
    credential text not null,
    request text not null,
    before_json text,
    state text not null,
    effect text,
    reason text,
    planned_at bigint not null,
    updated_at bigint not null
);
create index receipt_object on receipt (object, planned_at);
create index receipt_open on receipt (object, state) where state in ('planned', 'intended', 'unsettled');

-- Who works on what. Rows stay after a release, so that the attempt number never goes back.
create table lease (
    name text not null primary key,
    holder text not null,
    attempt bigint not null,
    lease_until bigint not null
);

-- The last collection of each source, as one blob: observations never become rows.
create table source (
    name text not null primary key,
    collection bytea,
    observed_at bigint not null,
    complete bigint not null,
    gaps bigint not null,
    error text,
    last_complete bigint,
    last_attempt bigint not null
);

-- How many discovery runs in a row said the same about an identity.
create table claim (
    identity text not null primary key,
    claim_hash text not null,
    run text not null,
    streak bigint not null,
    first_seen bigint not null,
    last_seen bigint not null
);
create index claim_seen on claim (last_seen);

-- Where a reader of a sequence has got to.
create table bookmark (
    name text not null primary key,
    position text not null
);

-- Discoveries, stagings, sweeps.
create table run (
    id text not null primary key,
    kind text not null,
    begun_at bigint not null,
    ended_at bigint,
    summary text
);
create index run_kind on run (kind, begun_at);

-- The last known state of each DNS server.
create table dns_server (
    name text not null primary key,
    state text not null,
    updated_at bigint not null
);
