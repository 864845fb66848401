//! The local database: inbox, receipts, leases.
