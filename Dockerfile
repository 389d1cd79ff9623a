# Every image of the system, for any architecture: docker build --target order|stock|payment|gateway .
# The three services are built in one go: they share most of what there is to compile. An image whose binary has not
# changed by it stays the same image, since the build is reproducible.

FROM --platform=$BUILDPLATFORM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY common common
COPY order order
COPY stock stock
COPY payment payment
ARG TARGETOS TARGETARCH
ARG VERSION=devel
# nomsgpack leaves out Gin's codec of a format that no route speaks: a third of the binary.
RUN --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -tags nomsgpack -ldflags "-s -w -X checkout/common/metrics.version=$VERSION" -o /out/ ./order ./stock ./payment

# Nothing but a static binary, and the certificates by which REDIS_TLS=1 knows its server.
FROM scratch AS service
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
ENV GIN_MODE=release
EXPOSE 5000 5001
USER 65532:65532

FROM service AS order
COPY --from=build /out/order /order
ENTRYPOINT ["/order"]

FROM service AS stock
COPY --from=build /out/stock /stock
ENTRYPOINT ["/stock"]

FROM service AS payment
COPY --from=build /out/payment /payment
ENTRYPOINT ["/payment"]

# The gateway carries its configuration, so that it needs no file of the host: neither its permissions nor its path matter.
FROM nginx:1.30-alpine AS gateway
COPY --chmod=444 nginx.conf test/compose/upstreams.conf test/compose/listen.conf /etc/nginx/
EXPOSE 8000
USER nginx
STOPSIGNAL SIGQUIT
ENTRYPOINT ["nginx", "-e", "stderr", "-p", "/tmp/", "-c", "/etc/nginx/nginx.conf"]
CMD ["-g", "worker_processes auto;"]
