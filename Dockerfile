# The image of the service and of the operator's commands.
#
#   docker build -t mintmark:0.1.0 .
#   docker run --env-file production.env -v /srv/mintmark/keys:/etc/mintmark/keys:ro -p 127.0.0.1:4000:4000 mintmark:0.1.0
#   docker run --env-file production.env --entrypoint mintmark mintmark:0.1.0 migrate
#
# It runs as user 10001, who owns nothing in it, and writes nothing: give it a read-only root and no capabilities.
# compose.yaml and deploy/kubernetes.yaml do, and .ci/image holds it to that.

FROM node:24-bookworm-slim AS node

FROM node AS build
WORKDIR /app
# No package's script runs here: the compiler and argon2 come prebuilt, and `prepare` would build before the code is there.
COPY package.json package-lock.json ./
COPY packages packages
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && rm dist/.tsbuildinfo packages/verifier/dist/.tsbuildinfo packages/verifier/dist/*.d.ts
COPY drizzle drizzle
COPY public public
# Whatever the umask of the checkout was: everyone may read, nobody but root may write.
RUN chmod -R u=rwX,go=rX dist drizzle packages public && chmod 755 dist/cli.js

# A stage of its own, and a layer of its own: a release that changes no package does not ship them anew. Many packages
# ship their tests; nobody runs them here. Of our own packages the service needs the verifier alone.
FROM node AS packages
WORKDIR /app
COPY package.json package-lock.json ./
COPY packages/verifier/package.json packages/verifier/
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && find node_modules -type d \( -name test -o -name tests \) -exec test -e '{}/../package.json' ';' \
    -prune -exec rm -rf '{}' + \
  && chmod -R u=rwX,go=rX package.json node_modules

FROM node
# A number that no account of a host has; Kubernetes proves `runAsNonRoot` by numbers only. Nothing is installed in here
# later, so the package managers go.
RUN groupadd --gid 10001 mintmark \
  && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin mintmark \
  && rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* \
    /usr/local/bin/yarn /usr/local/bin/yarnpkg \
  && mkdir -p /etc/mintmark/keys \
  && ln -s /app/dist/cli.js /usr/local/bin/mintmark
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=packages /app/package.json ./
COPY --from=build /app/packages/verifier/package.json packages/verifier/
COPY --from=build /app/packages/verifier/dist packages/verifier/dist
COPY --from=build /app/drizzle drizzle
COPY --from=build /app/public public
COPY --from=build /app/dist dist

# Inside a container the network around it decides who reaches a port. Publish 4000 to your proxy, and 4001 to nobody.
ENV NODE_ENV=production \
  MINTMARK_LISTEN=0.0.0.0:4000 \
  MINTMARK_HEALTH_LISTEN=0.0.0.0:4001 \
  MINTMARK_KEYS_FOLDER=/etc/mintmark/keys
EXPOSE 4000 4001
USER 10001:10001

# Whether the process runs; whether it can serve is for a load balancer to ask, at /readyz. (`docker build` keeps this,
# `buildah build` and `podman build` with `--format docker` only.)
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "-e", "const port = process.env.MINTMARK_HEALTH_LISTEN.split(':').at(-1); fetch('http://127.0.0.1:' + port + '/healthz').then(answer => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# No shell in between: signals reach the service, which ends in order on SIGTERM.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "/app/dist/main.js"]

# Last, so that a new version or revision leaves every layer above as it was.
ARG VERSION=unversioned
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Mintmark" \
  org.opencontainers.image.description="Identity microservice: the session row is the truth, a minutes-long ES256 token is its cache." \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.base.name="docker.io/library/node:24-bookworm-slim"
