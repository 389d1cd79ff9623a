package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestSecretsAppearNowhere checks that the Redis password and the internal token appear in no log, response, metric,
// profile or health check. The test provokes errors of every kind, with debug logs enabled.
func TestSecretsAppearNowhere(t *testing.T) {
	t.Parallel()
	const secret, wrong, internal = "s3cr3t-of-the-shop", "s3cr3t-that-is-wrong", "s3cr3t-between-services"
	const token = "INTERNAL_TOKEN=" + internal
	var output bytes.Buffer
	for _, cfg := range []stack.Config{
		{Env: map[string][]string{"": {"WDM_DEBUG=1", token}}},
		{Env: map[string][]string{"": {"WDM_DEBUG=1", token, "REDIS_PASSWORD=" + wrong}}},
		{Env: map[string][]string{"": {"WDM_DEBUG=1", token, "REDIS_USERNAME=nobody"}}},
	} {
		cfg.RedisPassword = secret
		s := launch(t, cfg)
		request := func(method, url string) {
			r := s.Call(method, url)
			fmt.Fprintln(&output, method, url, r.Status, r.Header, r.Body, r.Err)
		}
		if len(cfg.Env[""]) == 2 {
			s.waitReady()
			user, item := s.newUser(50), s.newItem(3, 50)
			order := s.newOrder(user, item)
			request("POST", "/orders/checkout/"+order)
			request("POST", "/orders/checkout/"+order+"x")
			request("POST", "/payment/pay/"+user+"/x")
			s.must(s.Kill("redis-payment-0"))
			request("GET", "/payment/find_user/"+user)
			request("POST", "/orders/checkout/"+s.newOrder(user, item))
		}
		for _, service := range stack.Services() {
			s.eventually(readyTimeout, service+" is alive", func() error {
				if r := s.Call("GET", s.InternalURLs(service)[0]+"/healthz"); !r.OK() {
					return fmt.Errorf("%v", r)
				}
				return nil
			})
			for _, path := range []string{
				"/readyz", "/healthz", "/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap?debug=1",
				"/debug/pprof/goroutine?debug=2", "/debug/vars", "/internal/placement", "/nothing",
			} {
				request("GET", s.InternalURLs(service)[0]+path)
				request("GET", s.MetricsURLs(service)[0]+path)
			}
			request("POST", s.InternalURLs(service)[0]+"/internal/reserve")
		}
		for _, path := range []string{
			"/orders/ping", "/stock/ping", "/payment/ping", "/orders/find/0", "/payment/find_user/0", "/stock/item/create/1",
		} {
			request("GET", path)
			request("POST", path)
		}
		s.eventually(check.DecisionTimeout, "a failed health check is logged", func() error {
			for _, service := range stack.Services() {
				if strings.Contains(s.Tail(service+"-1", 100_000), "shard is unhealthy") {
					return nil
				}
			}
			return errors.New("no log has a failed health check")
		})
		logs, err := filepath.Glob(filepath.Join(s.Dir(), "logs", "*"))
		s.must(err)
		if len(logs) < 7 {
			t.Errorf("found only the logs %v, want at least 7", logs)
		}
		for _, log := range logs {
			text, err := os.ReadFile(log)
			s.must(err)
			fmt.Fprintln(&output, log, string(text))
		}
	}
	bin, err := stack.Build(context.Background(), io.Discard, stack.Source{})
	if err != nil {
		t.Fatal(err)
	}
	environments := [][]string{
		{"REDIS_PASSWORD=" + secret, "REDIS_DB=x"},
		{"REDIS_PASSWORD=" + secret, "REDIS_ADDRS=127.0.0.1:1", "MACHINE_ID=1/1", "ORDER_SERVICE_URL=http://127.0.0.1:1/",
			"STOCK_SERVICE_URL=http://127.0.0.1:1/", "PAYMENT_SERVICE_URL=http://127.0.0.1:1/", "PORT=1", "BIND=192.0.2.1"},
	}
	for _, service := range stack.Services() { // each command fails: the environment is invalid, or no service runs
		for _, args := range [][]string{{}, {"healthcheck"}} {
			for _, env := range environments {
				command := exec.Command(filepath.Join(bin, service), args...)
				command.Env = env
				out, err := command.CombinedOutput()
				if err == nil {
					t.Errorf("%s %v with %v succeeded, want an error", service, args, env)
				}
				output.Write(out)
			}
		}
	}
	for _, word := range []string{secret, wrong, internal} {
		for line := range strings.Lines(output.String()) {
			if strings.Contains(line, word) {
				t.Errorf("a secret appears in: %s", line)
			}
		}
	}
	for _, text := range []string{"shard is unhealthy", "WRONGPASS", "level=DEBUG", "http_request_duration_seconds"} {
		if !strings.Contains(output.String(), text) {
			t.Errorf("the output lacks %q, so the test has provoked too few errors", text)
		}
	}
}
