//! NetBox over REST: the client, the view planners read, and bootstrap.
