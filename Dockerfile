# syntax=docker/dockerfile:1
# Surveyor as a container: `docker build -t surveyor .`; docs/GUIDE.md says how to run it.

FROM rust:1.95-bookworm AS builder
WORKDIR /src
COPY . .
# The caches keep later builds short; nothing of them is in the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin surveyor \
    && install -D -m 755 target/release/surveyor /out/surveyor

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
# A fixed number, so that secret files on the host can be given to it.
RUN groupadd --gid 8745 surveyor \
    && useradd --uid 8745 --gid 8745 --home-dir /var/lib/surveyor --no-create-home --shell /usr/sbin/nologin surveyor \
    && install -d -m 700 -o 8745 -g 8745 /var/lib/surveyor
COPY --from=builder /out/surveyor /usr/local/bin/surveyor

USER 8745:8745
# The default `store.url`, `sqlite://surveyor.db`, is relative to this folder.
WORKDIR /var/lib/surveyor
VOLUME /var/lib/surveyor
EXPOSE 8745

# `/health` answers while the local database does. There is no curl here; bash opens the connection itself.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8745 && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && read -r -t 4 line <&3 && [[ $line == *' 200 '* ]]"]

# It ends on SIGTERM by itself and starts no other process: no init is needed.
ENTRYPOINT ["/usr/local/bin/surveyor", "--config", "/etc/surveyor/surveyor.toml"]
CMD ["serve"]
