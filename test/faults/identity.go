package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"checkout/test/check"
	"checkout/test/shop"
	"checkout/test/stack"
)

// identityScenario replaces the data of a Redis or a setting of an instance for a while. The instances must refuse
// each wrong Redis, so that no data is lost and no response is wrong.
var identityScenario = scenario{
	name: "identity", run: runIdentity, sizes: []stack.Size{{Instances: 2, Shards: 2}}, waits: true,
	about: "A Redis comes back empty or with an older copy; an instance starts with addresses that are reversed, too " +
		"few or of another service. The instances must refuse each wrong Redis, so that no response is wrong and no " +
		"write is lost",
}

const (
	refusedWithin = 20 * time.Second // enough for a restart of an instance and its first health checks
	wrongLasts    = time.Second      // how long clients use the system before the fault, and again after the refusal
)

// wrong describes a Redis with wrong data or an instance with a wrong setting, and the refusal that the instances must
// report.
type wrong struct {
	name, service string
	instances     []string // instances of the service; they must refuse the shard
	shard         int      // index of the shard to refuse
	reason        string   // part of the reason that the instances must report
	inject        func() (heal func() error, err error)
}

func runIdentity(ctx context.Context, tr *trial) (err error) {
	proxies := newProxies(tr.random) // records the script calls for check, and injects no faults
	defer proxies.close()
	s, err := tr.start(ctx, stack.Config{Proxy: proxies.insert, Tags: "faults"})
	if err != nil {
		return err
	}
	defer s.end(&err)
	sh, err := shop.Fill(s.Client, shop.Behavior{
		Clients: tr.options.clients, CancelRate: 0.3, AllRoutes: true, KeyRate: 0.3, Rate: tr.options.rate,
		InstanceURLs: s.PublicURLs("order"), OnCheckout: func(r check.Response) { tr.countCheckout(describeResponse(r)) },
	})
	if err != nil {
		return err
	}
	m := &mixRun{system: s, shop: sh, proxies: proxies}
	s.GatewayMayFail = true
	proxies.takeCalls()
	if m.before, err = s.shards.Snapshot(ctx); err != nil {
		return err
	}
	for i, w := range m.wrongs(ctx) {
		round := uint64(i + 1)
		m.proxies.seed(round)
		m.shop.Start(func(client uint64) *rand.Rand { return tr.random("client", round<<32|client) })
		err := m.withWrong(ctx, w)
		m.shop.Stop()
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		if err := m.ready(ctx); err != nil {
			return fmt.Errorf("%s: wait until the system is ready after the fault: %w", w.name, err)
		}
		m.settle(ctx)
		if err := m.check(ctx, round); err != nil {
			return err
		}
	}
	if err := m.loseService(ctx); err != nil {
		return err
	}
	return m.adoptLost(ctx)
}

// wrongs returns the faults that withWrong injects:
//   - A Redis has wrong data. Both running instances and an instance that starts during the fault must refuse it.
//   - An instance has a wrong setting. Only this instance must refuse the shard.
func (m *mixRun) wrongs(ctx context.Context) (all []wrong) {
	both := func(service string) []string { return []string{service + "-1", service + "-2"} }
	for _, service := range stack.Services() {
		all = append(all,
			wrong{service + ": lost data", service, both(service), 0, "the Redis is empty", func() (func() error, error) {
				return m.replaceData(ctx, service, 0, nil)
			}},
			wrong{service + ": older copy", service, both(service), 1, "went back in time", func() (func() error, error) {
				return m.replaceData(ctx, service, 1, func(to string) error {
					return os.CopyFS(to, os.DirFS(filepath.Join(m.RedisDir(service, 1), appendOnlyDir)))
				})
			}},
		)
	}
	env := func(service, name, reason, variable, value string) {
		all = append(all, wrong{service + ": " + name, service, []string{service + "-2"}, 0, reason,
			func() (func() error, error) { return m.withEnv(ctx, service+"-2", variable, value) }})
	}
	// All services check their settings with the same code, so one service is enough for each wrong setting.
	services := stack.Services()
	m.trial.random("identity", 0).Shuffle(len(services), func(i, j int) {
		services[i], services[j] = services[j], services[i]
	})
	addrs := m.RedisAddrs(services[0])
	env(services[0], "reversed addresses", "the Redis is shard 1 of "+services[0], "REDIS_ADDRS", addrs[1]+","+addrs[0])
	env(services[1], "fewer shards", "REDIS_ADDRS lists only 1", "REDIS_ADDRS", m.RedisAddrs(services[1])[0])
	others := strings.Join(m.RedisAddrs("stock"), ",")
	env("order", "the Redis servers of stock", "the Redis is shard 0 of stock", "REDIS_ADDRS", others)
	env("stock", "another system", `not shard 0 of stock of system "shop"`, "SYSTEM_NAME", "shop")
	return all
}

// withWrong injects a fault and waits until the instances refuse the wrong Redis. After clients have used the system
// for a while, withWrong heals the fault.
func (m *mixRun) withWrong(ctx context.Context, w wrong) error {
	if !sleep(ctx, wrongLasts) {
		return ctx.Err()
	}
	done := m.trial.inject("wrong Redis", w.name)
	defer done()
	heal, err := w.inject()
	if err != nil {
		return err
	}
	for _, instance := range w.instances {
		m.wantRefused(ctx, w, instance)
	}
	if len(w.instances) > 1 { // an instance that starts now must refuse the shard too
		if err := errors.Join(m.Kill(w.instances[0]), m.Start(ctx, w.instances[0])); err != nil {
			return err
		}
		m.wantRefused(ctx, w, w.instances[0])
	}
	sleep(ctx, wrongLasts)
	return heal()
}

// wantRefused waits until an instance reports that it is not ready because of the wrong Redis. The reason must name the
// shard.
func (m *mixRun) wantRefused(ctx context.Context, w wrong, instance string) {
	service, number, _ := strings.Cut(instance, "-")
	url := m.InternalURLs(service)[int(number[0]-'1')]
	prefix := fmt.Sprintf("shard %d: ", w.shard)
	err := check.Poll(ctx, refusedWithin, func(ctx context.Context) error {
		status, missing, err := readiness(ctx, url)
		if err == nil && status == http.StatusServiceUnavailable {
			for _, reason := range missing {
				if strings.HasPrefix(reason, prefix) && strings.Contains(reason, w.reason) {
					return nil
				}
			}
		}
		return fmt.Errorf("GET %s/readyz: got status %d, reasons %q, error %v, want 503 and a reason with %q",
			url, status, missing, err, w.reason)
	})
	if err != nil && ctx.Err() == nil {
		m.trial.violate("%s: %s does not refuse shard %d with the reason %q: %v", w.name, instance, w.shard, w.reason, err)
	}
}

// readiness requests /readyz from an instance.
func readiness(ctx context.Context, url string) (status int, missing []string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	var body struct{ Missing []string }
	err = json.NewDecoder(response.Body).Decode(&body)
	return response.StatusCode, body.Missing, err
}

// withEnv restarts an instance with another value of a variable. The returned function restarts the instance with the
// old value.
func (m *mixRun) withEnv(ctx context.Context, instance, variable, value string) (heal func() error, err error) {
	cmd, err := m.Command(ctx, instance)
	if err != nil {
		return nil, err
	}
	present := ""
	for _, pair := range cmd.Env {
		if name, value, _ := strings.Cut(pair, "="); name == variable {
			present = value
		}
	}
	restart := func(value string) error {
		return errors.Join(m.Kill(instance), m.SetEnv(instance, variable+"="+value), m.Start(ctx, instance))
	}
	return func() error { return restart(present) }, restart(value)
}
