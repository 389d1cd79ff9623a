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
	"checkout/common/events"
	"checkout/common/logs"
	"checkout/common/metrics"
	"checkout/common/requestid"
	"checkout/common/shard"
	"checkout/common/trace"
)

// ShardMapPath is the internal route that returns the shard map of a service. Peers request this route as their health
// check.
const ShardMapPath = "/internal/placement"

// ShardsHeader is a header of each response of the internal port: a digest of the identities of the shards. A Peer
// accepts a response only if the Peer has verified a shard map with this digest. Since the last health check, the
// instance may have restarted with other Redis servers.
const ShardsHeader = "X-Shards"

// KnownHeader is a header of each health check. In it, the caller reports the known shards of the peer; see Shards.
const KnownHeader = "X-Known-Shards"

const (
	// A service responds within 1 s, even if a shard is unresponsive. callTimeout must be longer.
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
	auth     string        // the header Authorization of every request, or ""
	next     atomic.Uint32 // for round robin
	shardMap atomic.Pointer[api.ShardMap]
	verified sync.Map // digests of the few shard maps that were verified; see ShardsHeader
	health   atomic.Pointer[health]
	shards   Shards // may be nil
	stop     context.CancelFunc
	done     sync.WaitGroup
	events   *events.Ring // may be nil
	failures logs.Limiter // limits the log lines about failed calls, by path
	metrics  callMetrics
	metrics.Group
}

// Shards is what a service knows about the shards of its peers. Package cluster implements Shards.
type Shards interface {
	// VerifyPeer returns an error if an identity in the shard map is not acceptable. If final is false, verify again
	// later: this instance has not read the known identities yet.
	VerifyPeer(context.Context, api.ShardMap) (final bool, err error)
	// KnownShards returns the value of KnownHeader: the shards of the peer that this service knows.
	KnownShards(service string) string
}

// New returns the peer that provides a service ("order", "stock" or "payment") at the given hosts (host:port). New
// starts health checks and does not wait for their result. Close stops the health checks.
//
//   - authorization: the Authorization header of every request, or "" for no such header
//   - shards: if not nil, each health check sends shards.KnownShards to the instance, and fails if shards.VerifyPeer
//     rejects the shard map of the instance
//   - log: if not nil, it receives an event when instances become unhealthy or healthy
func New(
	service string, hosts []string, authorization string, shards Shards, log *events.Ring,
) *Peer {
	ctx, stop := context.WithCancel(context.Background())
	p := &Peer{service: service, hosts: hosts, auth: authorization, shards: shards, events: log, stop: stop}
	// The transport has no Proxy, so calls ignore the proxy variables of the environment.
	p.client = &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAliveInterval}).DialContext,
		MaxIdleConnsPerHost: maxIdleConns,
		IdleConnTimeout:     idleConnTimeout,
		DisableCompression:  true,
	}}
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

// Unavailable returns the reason why the peer is unavailable, or "" if it is available.
func (p *Peer) Unavailable() string { return p.health.Load().problem }

// ShardMap returns the last valid shard map that the peer reported, or the zero value if there is none.
func (p *Peer) ShardMap() api.ShardMap { return *p.shardMap.Load() }

// ShardOf returns the shard of an ID at the peer, or 0 if the shard is unknown. Use the result only to group messages.
// If the result is wrong, a slow or failed shard may delay or fail messages for other shards.
func (p *Peer) ShardOf(id string) int {
	if s, ok := shard.Of(id); ok {
		return s
	}
	if n, ok := shard.ParseDecimal(id); ok {
		if modulus := p.ShardMap().Modulus; modulus > 0 {
			return n % modulus
		}
	}
	return 0
}

// Call sends in as the JSON body of a POST request to a path, and decodes the response into out. The request carries
// the request ID and trace of ctx. After any error, the outcome of the call is unknown.
func (p *Peer) Call(ctx context.Context, path string, in, out any) error {
	caller := ctx
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
	reply, err := p.exchange(request, out)
	if err == nil {
		err = p.verifyReply(ctx, address, reply)
	}
	p.metrics.durations.WithLabelValues(path).Observe(time.Since(start).Seconds())
	if reply.closing {
		p.markUnhealthy(address)
	}
	if err != nil {
		if caller.Err() == nil { // otherwise the caller has ended the call, and the instance may be healthy
			p.failed(ctx, address, path, err)
		}
		return fmt.Errorf("%s: %w", p.service, api.Unavailable)
	}
	return nil
}

// failed records that a call failed because of the instance.
func (p *Peer) failed(ctx context.Context, address, path string, err error) {
	p.markUnhealthy(address)
	p.metrics.failures.WithLabelValues(path).Inc()
	if unlogged, ok := p.failures.Allow(path); ok {
		slog.WarnContext(ctx, "call failed", "peer", p.service, "address", address, "path", path, "error", err,
			"unlogged", unlogged)
	}
}

// reply is the part of a response that describes the instance.
type reply struct {
	closing bool   // the instance closes the connection because it is shutting down
	shards  string // the value of ShardsHeader
}

// verifyReply returns an error if the shards of the instance that sent a reply cannot be verified.
func (p *Peer) verifyReply(ctx context.Context, address string, r reply) error {
	if p.isVerified(r) {
		return nil
	}
	if err := p.check(ctx, address); err != nil {
		return err
	}
	if !p.isVerified(r) {
		return fmt.Errorf("%s at %s: the shards have changed since the reply", p.service, address)
	}
	return nil
}

func (p *Peer) isVerified(r reply) bool {
	_, ok := p.verified.Load(r.shards)
	return ok || p.shards == nil
}

// exchange sends a request and decodes the response into out.
func (p *Peer) exchange(request *http.Request, out any) (r reply, err error) {
	if p.auth != "" {
		request.Header.Set("Authorization", p.auth)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	r = reply{response.Close, response.Header.Get(ShardsHeader)}
	limited := io.LimitReader(response.Body, maxResponseBytes)
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(limited, maxErrorTextLength))
		return r, fmt.Errorf("unexpected status %d: %s", response.StatusCode, text)
	}
	body, err := readBody(limited, response.ContentLength)
	if err != nil {
		return r, err
	}
	return r, api.Unmarshal(body, out)
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
