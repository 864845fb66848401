//! The client against real sockets that behave badly: what proxies, restarts and wrong addresses look like.
