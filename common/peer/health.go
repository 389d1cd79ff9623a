package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"checkout/common/api"
)

const (
	healthCheckInterval = 500 * time.Millisecond
	healthCheckTimeout  = time.Second
)

// health is the result of the last round of health checks.
type health struct {
	healthy, all []string // addresses
	problem      string   // why the peer is unavailable, or "" if it is available
}

// notProbed is the health before the first round of checks.
var notProbed = health{problem: "not probed yet"}

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

// checkHealth checks all addresses at an interval until ctx ends.
func (p *Peer) checkHealth(ctx context.Context) {
	for {
		p.health.Store(p.checkAll(ctx))
		select {
		case <-ctx.Done():
			return
		case <-time.After(healthCheckInterval):
		}
	}
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

// check requests the shard map from an address. It fails if another service responds, or if the instance is stopping.
func (p *Peer) check(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+ShardMapPath, nil)
	if err != nil {
		return err
	}
	var shardMap api.ShardMap
	closing, err := p.exchange(request, &shardMap)
	if err != nil {
		return fmt.Errorf("check the internal port of %s at %s: %w", p.service, address, err)
	}
	if shardMap.Service != p.service {
		return fmt.Errorf("check the internal port of %s at %s: it belongs to service %q", p.service, address,
			shardMap.Service)
	}
	p.shardMap.Store(&shardMap)
	if closing {
		return fmt.Errorf("check the internal port of %s at %s: the instance is stopping", p.service, address)
	}
	return nil
}
