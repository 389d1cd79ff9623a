package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/common/shard"
	"checkout/test/check"
	"checkout/test/shop"
)

const customers = 8

// watch counts what a caller would call a failure: no answer, and every answer that a working system does not give.
type watch struct {
	way      http.RoundTripper
	mu       sync.Mutex
	all      int
	failures []string
	lies     []string // "there is no such thing" of what was made
}

func (w *watch) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := w.way.RoundTrip(request)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all++
	what := fmt.Sprintf("%s %s %s: ", time.Now().Format("15:04:05.000"), request.Method, request.URL.Path)
	switch {
	case err != nil:
		w.failures = append(w.failures, what+err.Error())
	case response.StatusCode == http.StatusNotFound:
		w.lies = append(w.lies, what+response.Status)
	case !slices.Contains([]int{200, 402, 409}, response.StatusCode):
		w.failures = append(w.failures, what+response.Status)
	}
	return response, err
}

// crowd is customers who buy until they are sent home.
type crowd struct {
	*run
	shop  *shop.Shop
	watch *watch
}

// open lets customers in, and waits until they buy.
func (r *run) open(ctx context.Context) (*crowd, error) {
	url, err := r.gateway(ctx)
	if err != nil {
		return nil, err
	}
	client := check.NewClient(url)
	w := &watch{way: client.HTTP.Transport}
	client.HTTP.Transport = w
	s, err := shop.Fill(client, shop.Behavior{Clients: customers, CancelRate: 0.2})
	if err != nil {
		return nil, err
	}
	s.Start(func(who uint64) *rand.Rand { return rand.New(rand.NewPCG(who, uint64(time.Now().UnixNano()))) })
	c := &crowd{r, s, w}
	if err := c.buys(ctx, 30); err != nil {
		s.Stop()
		return nil, err
	}
	return c, nil
}

// buys waits until n more checkouts and cancels are decided.
func (c *crowd) buys(ctx context.Context, n int64) error {
	until := c.shop.Decided() + n
	return check.Poll(ctx, returnsAfter, func(context.Context) error {
		if left := until - c.shop.Decided(); left > 0 {
			return fmt.Errorf("%d more checkouts are awaited", left)
		}
		return nil
	})
}

// close sends the customers home and holds everything that they were told against what lies in every Redis. At most that many of
// their requests may have failed.
func (c *crowd) close(ctx context.Context, failures int) error {
	c.shop.Stop()
	c.shop.Client.Close()
	found := c.watch.failures
	c.say("%d requests, %d failed: %s", c.watch.all, len(found), strings.ReplaceAll(c.shop.Summary(), "\n", "; "))
	var errs []error
	if len(found) > failures {
		errs = append(errs, fmt.Errorf("%d of %d requests failed, %d may:\n%s", len(found), c.watch.all, failures, strings.Join(found[:min(len(found), 20)], "\n")))
	}
	if lies := c.watch.lies; len(lies) > 0 {
		errs = append(errs, fmt.Errorf("%d times something that was made was said not to exist:\n%s", len(lies), strings.Join(lies[:min(len(lies), 20)], "\n")))
	}
	return errors.Join(append(errs, c.audit(ctx, c.shop))...)
}

// audit waits until everything is decided and looks for what must not be.
func (r *run) audit(ctx context.Context, s *shop.Shop) error {
	if err := r.ready(ctx); err != nil {
		return err
	}
	shards, done, err := r.shards(ctx)
	if err != nil {
		return err
	}
	defer done()
	decided, err := shards.Settle(ctx)
	if err != nil {
		return err
	}
	sn, err := shards.Snapshot(ctx)
	if err != nil {
		return err
	}
	maps.DeleteFunc(sn.Records, func(_ string, r check.Record) bool { return ofBatch(r) })
	wrong := append(s.Violations(sn), sn.Violations(withOthers(s.Deposits, sn))...)
	r.say("everything decided %.1f s later; %d orders, %d violations", decided.Seconds(), len(sn.Orders), len(wrong))
	if len(wrong) > 0 {
		return fmt.Errorf("%d violations:\n%s", len(wrong), strings.Join(wrong[:min(len(wrong), 20)], "\n"))
	}
	return nil
}

// withOthers adds the users and items of helm test, the Python suite and earlier customers, as they stand: here they are not looked into.
func withOthers(put check.Deposits, sn *check.Snapshot) check.Deposits {
	all := check.NewDeposits()
	for user, credit := range sn.Credit {
		all.Credit[user] = credit + sn.DirectPayments[user]
	}
	maps.Copy(all.Stock, sn.Stock)
	for _, o := range sn.Orders {
		if o.State != "PAID" {
			continue
		}
		all.Credit[o.User] += o.Total
		for item, quantity := range o.Lines {
			all.Stock[item] += quantity
		}
	}
	maps.Copy(all.Credit, put.Credit)
	maps.Copy(all.Stock, put.Stock)
	return all
}

// ofBatch tells a record that an order of batch_init has left: another batch_init overwrites the order, and the record stays a while.
func ofBatch(r check.Record) bool {
	for id := range r.Amounts {
		if _, isDecimal := shard.ParseDecimal(id); isDecimal {
			return true
		}
	}
	return false
}

// shards opens every Redis, each by a port forwarded to its pod.
func (r *run) shards(ctx context.Context) (check.Shards, func(), error) {
	secret, err := r.kube(ctx, "get", "secret", "redis-password", "-o", "go-template={{.data.password | base64decode}}")
	if err != nil {
		return nil, nil, err
	}
	all, forwards := check.Shards{}, []*exec.Cmd{}
	done := func() {
		all.Close()
		for _, f := range forwards {
			f.Process.Kill()
			f.Wait()
		}
	}
	for _, service := range services {
		pods, err := r.kube(ctx, "get", "statefulset", service+"-redis", "-o", "jsonpath={.spec.replicas}")
		if err != nil {
			done()
			return nil, nil, err
		}
		var n int
		fmt.Sscan(pods, &n)
		for i := range n {
			port, err := freePort()
			if err != nil {
				done()
				return nil, nil, err
			}
			command := slices.Concat(r.kubectl, []string{"-n", r.namespace, "port-forward", fmt.Sprintf("pod/%s-redis-%d", service, i), fmt.Sprintf("%d:6379", port)})
			forward := exec.Command(command[0], command[1:]...)
			if err := forward.Start(); err != nil {
				done()
				return nil, nil, err
			}
			forwards = append(forwards, forward)
			all[service] = append(all[service], redis.NewClient(&redis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", port), Password: secret}))
		}
	}
	err = check.Poll(ctx, 20*time.Second, func(ctx context.Context) error {
		var errs []error
		for _, shards := range all {
			for _, one := range shards {
				errs = append(errs, one.Ping(ctx).Err())
			}
		}
		return errors.Join(errs...)
	})
	if err != nil {
		done()
		return nil, nil, err
	}
	return all, done, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// gateway is where this machine reaches the gateway.
func (r *run) gateway(ctx context.Context) (string, error) {
	if r.url != "" {
		return r.url, nil
	}
	node, err := r.kube(ctx, "get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	if err != nil {
		return "", err
	}
	port, err := r.kube(ctx, "get", "service", "gateway", "-o", "jsonpath={.spec.ports[0].nodePort}")
	return "http://" + net.JoinHostPort(node, port), err
}
