package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"checkout/common/api"
	"checkout/common/events"
)

const (
	healthCheckInterval = 500 * time.Millisecond
	healthCheckTimeout  = time.Second
)

// health is the result of a round of health checks. markUnhealthy later removes addresses from the healthy ones.
type health struct {
	healthy, all []string // addresses
	problem      string   // why the peer is unavailable, or "" if it is available
}

// notProbed is the health before the first round of health checks is complete.
var notProbed = health{problem: "no health check is complete yet"}

// pick returns the next healthy address. If none is healthy, pick returns the next of all addresses, because that
// address may have recovered since the last health check. If there are no addresses, pick returns "".
func (p *Peer) pick() string {
	h := p.health.Load()
	from := h.healthy
	if len(from) == 0 {
		from = h.all
	}
	if len(from) == 0 {
		return ""
	}
	return from[int(p.next.Add(1))%len(from)]
}

// markUnhealthy treats an address as unhealthy until its next health check.
func (p *Peer) markUnhealthy(address string) {
	for {
		old := p.health.Load()
		i := slices.Index(old.healthy, address)
		if i < 0 {
			return
		}
		healthy := slices.Delete(slices.Clone(old.healthy), i, i+1)
		if p.health.CompareAndSwap(old, &health{healthy: healthy, all: old.all, problem: old.problem}) {
			return
		}
	}
}

// checkHealth checks all addresses at regular intervals until ctx ends.
func (p *Peer) checkHealth(ctx context.Context) {
	reported := outage{}
	for {
		found := p.checkAll(ctx)
		p.health.Store(found)
		if ctx.Err() == nil {
			reported = p.addEvent(reported, found)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(healthCheckInterval):
		}
	}
}

// outage is the last reported health of a peer's instances.
type outage struct {
	used   bool      // all instances have been healthy at the same time; before that, they may be starting
	since  time.Time // start of the outage; zero if all instances are healthy
	detail string
}

// addEvent adds an event if the number of healthy instances has changed. It adds no event before all instances have
// been healthy at the same time.
func (p *Peer) addEvent(last outage, found *health) outage {
	if len(found.healthy) == len(found.all) && found.problem == "" {
		if !last.since.IsZero() {
			p.events.Add(api.Event{
				Kind: events.PeerBack, Service: p.service, DurationMS: time.Since(last.since).Milliseconds(),
			})
		}
		return outage{used: true}
	}
	now := last
	now.detail = fmt.Sprintf("%d of %d instances healthy", len(found.healthy), len(found.all))
	if !now.used || now.detail == last.detail {
		return last
	}
	if now.since.IsZero() {
		now.since = time.Now()
	}
	p.events.Add(api.Event{Kind: events.PeerUnavailable, Service: p.service, Detail: now.detail})
	return now
}

// checkAll resolves every host and checks every address.
func (p *Peer) checkAll(ctx context.Context) *health {
	ctx, cancel := context.WithTimeout(ctx, healthCheckTimeout)
	defer cancel()
	result := &health{}
	for _, host := range p.hosts {
		addresses, err := resolve(ctx, host)
		if err != nil {
			result.problem = err.Error()
		}
		result.all = append(result.all, addresses...)
	}
	slices.Sort(result.all)
	result.all = slices.Compact(result.all)
	errs := make([]error, len(result.all))
	var checks sync.WaitGroup
	for i, address := range result.all {
		checks.Go(func() { errs[i] = p.check(ctx, address) })
	}
	checks.Wait()
	for i, address := range result.all {
		if errs[i] == nil {
			result.healthy = append(result.healthy, address)
		}
	}
	if len(result.healthy) > 0 {
		result.problem = "" // one healthy instance is enough
	} else if err := errors.Join(errs...); err != nil {
		result.problem = err.Error()
	}
	return result
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

// check requests the shard map of the instance at an address, verifies it and stores it. It returns an error if the
// request fails, another service responds, the shards are not the known ones, or the instance is unfit or stopping.
func (p *Peer) check(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+ShardMapPath, nil)
	if err != nil {
		return err
	}
	if p.shards != nil {
		request.Header.Set(KnownHeader, p.shards.KnownShards(p.service))
	}
	var shardMap api.ShardMap
	reply, err := p.exchange(request, &shardMap)
	if err != nil {
		return fmt.Errorf("check the internal port of %s at %s: %w", p.service, address, err)
	}
	if shardMap.Service != p.service {
		return fmt.Errorf("check the internal port of %s at %s: the port belongs to service %q", p.service, address,
			shardMap.Service)
	}
	if p.shards != nil {
		final, err := p.shards.VerifyPeer(ctx, shardMap)
		if err != nil {
			p.verified.Delete(reply.shards)
			return fmt.Errorf("check the internal port of %s at %s: %w", p.service, address, err)
		}
		if final {
			p.verified.Store(reply.shards, true)
		}
	}
	if len(shardMap.Unfit) > 0 { // do not store this shard map: its modulus may be unknown
		return fmt.Errorf("check the internal port of %s at %s: %s", p.service, address,
			strings.Join(shardMap.Unfit, "; "))
	}
	p.shardMap.Store(&shardMap)
	if reply.closing {
		return fmt.Errorf("check the internal port of %s at %s: the instance is stopping", p.service, address)
	}
	return nil
}
