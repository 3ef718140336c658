# syntax=docker/dockerfile:1
# The image: the binary, GraphiQL inside it, and nothing else. About 60 MB.
#
#   docker build -t souk .
#   docker run -p 8080:8080 -v souk:/data -e SOUK_JWT_SECRET="$(openssl rand -hex 32)" souk
#
# It runs as in production, where SOUK_JWT_SECRET must be set and introspection is off; to look around,
# -e SOUK_ENV=development needs no secret and loads the demo shop. Embedded SQLite lies in /data; with
# -e DATABASE_URL=postgres://… nothing is kept there.

# GraphiQL's files, pinned by the lock file and checked against the hashes in assets.txt.
FROM node:22-bookworm-slim AS graphiql
WORKDIR /souk/graphiql
COPY graphiql/package.json graphiql/package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY graphiql/ ./
RUN npm run build

FROM rust:1.95-bookworm AS build
WORKDIR /souk
COPY . .
COPY --from=graphiql /souk/graphiql/dist graphiql/dist
# Dependencies stay built between builds, in the builder's own cache. So the binary is copied out of it.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/souk/target \
    cargo build --profile dist --locked --bin souk \
    && install -D target/dist/souk /image/usr/local/bin/souk \
    && install -d -m 0750 /image/data

# glibc, certificates and a user without rights; no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/usr/local/bin/souk /usr/local/bin/souk
COPY --from=build --chown=nonroot:nonroot /image/data /data
WORKDIR /data
VOLUME /data
ENV SOUK_ENV=production \
    SOUK_LISTEN=0.0.0.0:8080 \
    SOUK_LOG_FORMAT=json \
    DATABASE_URL=sqlite:///data/souk.db
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/usr/local/bin/souk", "health"]
# SIGTERM, docker's own, lets requests in flight finish; give it longer than SOUK_SHUTDOWN_GRACE.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/souk"]
CMD ["serve"]
