package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"slices"
	"strings"
	"time"

	"checkout/common/freeport"
	"checkout/test/check"
	"checkout/test/shop"
)

const (
	clients = 8
	buys    = 30 // number of decided checkouts and cancels that show that the system works
)

// openShop creates users and items, starts clients, and waits until the system works. If gatewayMayFail is true, a
// missing response is not a violation.
func (r *run) openShop(ctx context.Context, gatewayMayFail bool) (*shop.Shop, error) {
	url, err := r.gateway(ctx)
	if err != nil {
		return nil, err
	}
	client := check.NewClient(url)
	client.GatewayMayFail = gatewayMayFail
	s, err := shop.Fill(client, shop.Behavior{Clients: clients, CancelRate: 0.2})
	if err != nil {
		return nil, err
	}
	s.Start(func(client uint64) *rand.Rand { return rand.New(rand.NewPCG(client, uint64(time.Now().UnixNano()))) })
	if err := s.AwaitDecided(ctx, buys, recoveryTimeout); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// closeShop stops the clients and audits the system. At most the given number of requests may have failed.
func (r *run) closeShop(ctx context.Context, s *shop.Shop, failures int) error {
	s.Stop()
	s.Client.Close()
	failed, err := s.CheckFailures(failures)
	r.Logf("%d requests, %d failed: %s", len(s.Responses()), failed, strings.ReplaceAll(s.Summary(), "\n", "; "))
	return errors.Join(err, r.audit(ctx, s))
}

// shardsHealthy waits until one instance of order, which the gateway chooses, uses all its shards. An instance may be
// ready before it uses all shards.
func (r *run) shardsHealthy(ctx context.Context) error {
	url, err := r.gateway(ctx)
	if err != nil {
		return err
	}
	client := check.NewClient(url)
	defer client.Close()
	return check.Poll(ctx, recoveryTimeout, func(context.Context) error {
		if ping := client.Call("GET", "/orders/ping"); !ping.OK() || strings.Contains(ping.Body, `"up":false`) {
			return fmt.Errorf("GET /orders/ping: got %v, want 200 and every shard up", ping)
		}
		return nil
	})
}

// buy checks that the system works under a short load. No request may fail.
func (r *run) buy(ctx context.Context) error {
	return r.underLoad(ctx, 0, func(*shop.Shop) error { return nil })
}

// underLoad performs an action while clients check orders out, and waits until the system works again. Then it stops
// the clients and audits the system. At most the given number of requests may fail.
func (r *run) underLoad(ctx context.Context, failures int, do func(*shop.Shop) error) error {
	s, err := r.openShop(ctx, false)
	if err != nil {
		return err
	}
	if err = do(s); err == nil {
		err = s.AwaitDecided(ctx, buys, recoveryTimeout)
	}
	return errors.Join(err, r.closeShop(ctx, s, failures))
}

// audit compares the system with the responses that the clients received.
func (r *run) audit(ctx context.Context, s *shop.Shop) error {
	if err := r.ready(ctx); err != nil {
		return err
	}
	url, err := r.gateway(ctx) // a new installation has another port
	if err != nil {
		return err
	}
	s.Client.Gateway = url
	shards, closeShards, err := r.openShards(ctx)
	if err != nil {
		return err
	}
	defer closeShards()
	a, err := s.Audit(ctx, shards)
	if err != nil {
		return err
	}
	r.Logf("%v", a)
	return a.Err()
}

// password returns the password of Redis.
func (c *cluster) password(ctx context.Context) (string, error) {
	return c.kube(ctx, "get", "secret", "redis-password", "-o", "go-template={{.data.password | base64decode}}")
}

// openShards connects to every Redis shard through a port that is forwarded to its pod.
func (r *run) openShards(ctx context.Context) (shards check.Shards, done func(), err error) {
	secret, err := r.password(ctx)
	if err != nil {
		return nil, nil, err
	}
	shards, forwards := check.Shards{}, []*exec.Cmd{}
	done = func() {
		shards.Close()
		for _, f := range forwards {
			f.Process.Kill()
			f.Wait()
		}
	}
	defer func() {
		if err != nil {
			done()
		}
	}()
	for _, service := range services {
		pods, err := r.redisPods(ctx, service)
		if err != nil {
			return nil, nil, err
		}
		for _, pod := range pods {
			port, err := freeport.Reserve()
			if err != nil {
				return nil, nil, err
			}
			args := slices.Concat(r.kubectl[1:], []string{"-n", r.namespace, "port-forward", "pod/" + pod,
				fmt.Sprintf("%d:6379", port.Number)})
			forward := exec.Command(r.kubectl[0], args...)
			if err := forward.Start(); err != nil {
				return nil, nil, err
			}
			forwards = append(forwards, forward)
			shards.Add(service, port.Addr(), secret)
		}
	}
	if err := check.Poll(ctx, recoveryTimeout, shards.Ping); err != nil {
		return nil, nil, fmt.Errorf("connect to Redis through forwarded ports: %w", err)
	}
	return shards, done, nil
}

// gateway returns the URL of the gateway for this computer.
func (r *run) gateway(ctx context.Context) (string, error) {
	if r.url != "" {
		return r.url, nil
	}
	node, err := r.kube(ctx, "get", "nodes",
		"-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	if err != nil {
		return "", err
	}
	port, err := r.kube(ctx, "get", "service", "gateway", "-o", "jsonpath={.spec.ports[0].nodePort}")
	return "http://" + net.JoinHostPort(node, port), err
}
