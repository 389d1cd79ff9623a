// Package peer calls the internal door of another service: every address is known, probed, balanced and failed over, and
// concurrent calls travel together.
package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"checkout/common/api"
	"checkout/common/metrics"
	"checkout/common/requestid"
	"checkout/common/trace"
)

// ShardMapPath is the internal route by which a service tells who it is and how its IDs are spread.
const ShardMapPath = "/internal/placement"

const (
	callTimeout  = 5 * time.Second // a call whose shard hangs is answered within a second
	probeTimeout = time.Second
	probeEvery   = 500 * time.Millisecond
	maxIdle      = 256
	maxAnswer    = 64 << 20 // bytes
)

// Peer is another service, on one or more machines.
type Peer struct {
	service   string
	hosts     []string // host:port as given; a name may stand for several addresses
	client    *http.Client
	next      atomic.Uint32
	placement atomic.Pointer[api.ShardMap]
	state     atomic.Pointer[state]
	stop      context.CancelFunc
	done      sync.WaitGroup
	counts    counts
	metrics.Group
}

// state is what the last round of probes found.
type state struct {
	up, all []string // addresses
	problem string   // why the peer is not ready; empty if it is
}

// unprobed is the state before the first round.
var unprobed = state{problem: "not probed yet"}

// New returns the peer that serves service ("order", "stock" or "payment") at hosts (host:port). It is probed until Close; New
// does not wait for it.
func New(service string, hosts []string) *Peer {
	ctx, stop := context.WithCancel(context.Background())
	p := &Peer{service: service, hosts: hosts, stop: stop, client: &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: probeTimeout, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     time.Minute, // less than the server's two
		DisableCompression:  true,
	}}}
	p.count()
	p.placement.Store(&api.ShardMap{})
	p.state.Store(&unprobed)
	p.done.Go(func() { p.watch(ctx) })
	return p
}

// Close stops probing and closes idle connections.
func (p *Peer) Close() {
	p.stop()
	p.done.Wait()
	p.client.CloseIdleConnections()
}

// Service returns the name of the peer's service.
func (p *Peer) Service() string { return p.service }

// Heard tells whether every address was asked once, and has answered or failed to: before that nobody knows who is there.
func (p *Peer) Probed() bool { return p.state.Load() != &unprobed }

// Problem tells why the peer is not ready; empty if it is.
func (p *Peer) Unavailable() string { return p.state.Load().problem }

// Placement returns how the peer said that its IDs are spread; zero while it has not.
func (p *Peer) ShardMap() api.ShardMap { return *p.placement.Load() }

// Call posts in as JSON, for the request of ctx, and parses the answer into out. Any error leaves the outcome unknown.
func (p *Peer) Call(ctx context.Context, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := api.Marshal(in)
	if err != nil {
		return err
	}
	address := p.pick()
	if address == "" {
		return fmt.Errorf("%s: %s: %w", p.service, p.Unavailable(), api.Unavailable)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if id := requestid.FromContext(ctx); id != "" {
		request.Header.Set(requestid.Header, id)
	}
	trace.Inject(ctx, request.Header)
	start := time.Now()
	leaves, err := p.exchange(request, out)
	p.counts.took.WithLabelValues(path).Observe(time.Since(start).Seconds())
	if leaves || err != nil {
		p.leave(address)
	}
	if err != nil {
		p.counts.failures.WithLabelValues(path).Inc()
		slog.WarnContext(ctx, "call failed", "peer", p.service, "address", address, "path", path, "error", err)
		return fmt.Errorf("%s: %w", p.service, api.Unavailable)
	}
	return nil
}

// exchange sends a request and parses the answer into out. It tells also whether the machine that answered is about to stop, and
// would have its callers leave.
func (p *Peer) exchange(request *http.Request, out any) (leaves bool, err error) {
	response, err := p.client.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	answer := io.LimitReader(response.Body, maxAnswer)
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer, 500))
		return response.Close, fmt.Errorf("status %d: %s", response.StatusCode, text)
	}
	body, err := readAll(answer, response.ContentLength)
	if err != nil {
		return response.Close, err
	}
	return response.Close, api.Unmarshal(body, out)
}

// readAll reads an answer to its end, so that the connection is used again.
func readAll(answer io.Reader, length int64) ([]byte, error) {
	if length < 0 || length > maxAnswer {
		return io.ReadAll(answer)
	}
	body := make([]byte, length)
	_, err := io.ReadFull(answer, body)
	return body, err
}

// pick returns the next address of those that answer; where none does, the next of all: it may be back before it is probed.
func (p *Peer) pick() string {
	s := p.state.Load()
	from := s.up
	if len(from) == 0 {
		from = s.all
	}
	if len(from) == 0 {
		return ""
	}
	return from[int(p.next.Add(1))%len(from)]
}

// leave takes an address that failed out of the choice until its next probe.
func (p *Peer) leave(address string) {
	for {
		old := p.state.Load()
		i := slices.Index(old.up, address)
		if i < 0 {
			return
		}
		if p.state.CompareAndSwap(old, &state{up: slices.Delete(slices.Clone(old.up), i, i+1), all: old.all, problem: old.problem}) {
			return
		}
	}
}

func (p *Peer) watch(ctx context.Context) {
	for {
		p.state.Store(p.probeAll(ctx))
		select {
		case <-ctx.Done():
			return
		case <-time.After(probeEvery):
		}
	}
}

// probeAll resolves every name and asks every address who it is.
func (p *Peer) probeAll(ctx context.Context) *state {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	found := &state{}
	for _, host := range p.hosts {
		addresses, err := resolve(ctx, host)
		if err != nil {
			found.problem = err.Error()
		}
		found.all = append(found.all, addresses...)
	}
	slices.Sort(found.all)
	found.all = slices.Compact(found.all)
	errs := make([]error, len(found.all))
	var asked sync.WaitGroup
	for i, address := range found.all {
		asked.Go(func() { errs[i] = p.probe(ctx, address) })
	}
	asked.Wait()
	for i, address := range found.all {
		if errs[i] == nil {
			found.up = append(found.up, address)
		}
	}
	if len(found.up) > 0 {
		found.problem = "" // one machine is enough to go on
	} else if err := errors.Join(errs...); err != nil {
		found.problem = err.Error()
	}
	return found
}

func resolve(ctx context.Context, host string) ([]string, error) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return nil, err
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	if err != nil {
		return nil, err
	}
	for i, a := range addresses {
		addresses[i] = net.JoinHostPort(a, port)
	}
	return addresses, nil
}

// probe asks an address how its IDs are spread. Something that is not the internal door of this service cannot tell.
func (p *Peer) probe(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+ShardMapPath, nil)
	if err != nil {
		return err
	}
	var placement api.ShardMap
	leaves, err := p.exchange(request, &placement)
	if err != nil {
		return fmt.Errorf("%s is not the internal door of %s: %w", address, p.service, err)
	}
	if placement.Service != p.service {
		return fmt.Errorf("%s is the internal door of %q, not of %s", address, placement.Service, p.service)
	}
	p.placement.Store(&placement)
	if leaves {
		return fmt.Errorf("%s is stopping", address)
	}
	return nil
}
