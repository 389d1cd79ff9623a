// Package peer calls the internal port of another service.
//
// A Peer resolves the addresses of the service, checks their health and balances calls over the healthy ones. A Batcher
// sends concurrent messages together in one request.
package peer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"checkout/common/api"
	"checkout/common/metrics"
	"checkout/common/requestid"
	"checkout/common/trace"
)

// ShardMapPath is the internal route that returns the shard map of a service. Peers use it as their health check.
const ShardMapPath = "/internal/placement"

const (
	// callTimeout exceeds the 1 s within which a service responds even if a shard is unresponsive.
	callTimeout = 5 * time.Second

	dialTimeout        = time.Second
	keepAliveInterval  = 15 * time.Second
	idleConnTimeout    = time.Minute // less than idleTimeout in package web, so that the client closes first
	maxIdleConns       = 256         // per address
	maxResponseBytes   = 64 << 20
	maxErrorTextLength = 500 // bytes of an error response that are logged
)

// Peer is another service with one or more instances.
type Peer struct {
	service  string
	hosts    []string // host:port as configured; a name may resolve to several addresses
	client   *http.Client
	next     atomic.Uint32 // for round robin
	shardMap atomic.Pointer[api.ShardMap]
	health   atomic.Pointer[health]
	stop     context.CancelFunc
	done     sync.WaitGroup
	metrics  callMetrics
	metrics.Group
}

// New returns the peer that provides service ("order", "stock" or "payment") at hosts (host:port). It starts health
// checks and does not wait for their result. Call Close to stop them.
func New(service string, hosts []string) *Peer {
	ctx, stop := context.WithCancel(context.Background())
	p := &Peer{service: service, hosts: hosts, stop: stop, client: &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAliveInterval}).DialContext,
		MaxIdleConnsPerHost: maxIdleConns,
		IdleConnTimeout:     idleConnTimeout,
		DisableCompression:  true,
	}}}
	p.initMetrics()
	p.shardMap.Store(&api.ShardMap{})
	p.health.Store(&notProbed)
	p.done.Go(func() { p.checkHealth(ctx) })
	return p
}

// Close stops the health checks and closes idle connections.
func (p *Peer) Close() {
	p.stop()
	p.done.Wait()
	p.client.CloseIdleConnections()
}

// Service returns the name of the service.
func (p *Peer) Service() string { return p.service }

// Probed reports whether the first round of health checks is complete.
func (p *Peer) Probed() bool { return p.health.Load() != &notProbed }

// Unavailable returns why the peer is unavailable, or "" if it is available.
func (p *Peer) Unavailable() string { return p.health.Load().problem }

// ShardMap returns the last shard map that the peer reported, or the zero value if it has reported none.
func (p *Peer) ShardMap() api.ShardMap { return *p.shardMap.Load() }

// Call sends a POST request to path and decodes the response into out. The body is the JSON encoding of in. The request
// carries the request ID and trace of ctx. After any error, the outcome of the call is unknown.
func (p *Peer) Call(ctx context.Context, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := api.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s: encode request: %w", p.service, err)
	}
	address := p.pick()
	if address == "" {
		return fmt.Errorf("%s: %s: %w", p.service, p.Unavailable(), api.Unavailable)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: create request: %w", p.service, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if id := requestid.FromContext(ctx); id != "" {
		request.Header.Set(requestid.Header, id)
	}
	trace.Inject(ctx, request.Header)
	start := time.Now()
	closing, err := p.exchange(request, out)
	p.metrics.durations.WithLabelValues(path).Observe(time.Since(start).Seconds())
	if closing || err != nil {
		p.markUnhealthy(address)
	}
	if err != nil {
		p.metrics.failures.WithLabelValues(path).Inc()
		slog.WarnContext(ctx, "call failed", "peer", p.service, "address", address, "path", path, "error", err)
		return fmt.Errorf("%s: %w", p.service, api.Unavailable)
	}
	return nil
}

// exchange sends a request and decodes the response into out. closing is true if the instance closes the connection
// because it is shutting down.
func (p *Peer) exchange(request *http.Request, out any) (closing bool, err error) {
	response, err := p.client.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	limited := io.LimitReader(response.Body, maxResponseBytes)
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(limited, maxErrorTextLength))
		return response.Close, fmt.Errorf("unexpected status %d: %s", response.StatusCode, text)
	}
	body, err := readBody(limited, response.ContentLength)
	if err != nil {
		return response.Close, err
	}
	return response.Close, api.Unmarshal(body, out)
}

// readBody reads a body to the end, so that the connection can be reused.
func readBody(body io.Reader, length int64) ([]byte, error) {
	if length < 0 || length > maxResponseBytes {
		return io.ReadAll(body)
	}
	data := make([]byte, length)
	_, err := io.ReadFull(body, data)
	return data, err
}
