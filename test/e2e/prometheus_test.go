package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"checkout/common/freeport"
	"checkout/test/stack"
)

// prometheus is a running Prometheus.
type prometheus struct {
	t   *testing.T
	url string
}

// discovery matches the DNS service discovery of a job. startPrometheus replaces the match, because package stack
// provides no DNS names.
var discovery = regexp.MustCompile(`dns_sd_configs: \[\{names: \[(\w+)\][^\]]*\]`)

// startPrometheus starts a Prometheus with the configuration in compose/observability and the addresses of the
// instances. It waits until Prometheus has scraped each instance.
func (s *system) startPrometheus() *prometheus {
	s.t.Helper()
	root, err := stack.Root()
	s.must(err)
	shipped, err := os.ReadFile(filepath.Join(root, "compose/observability/prometheus.yml"))
	s.must(err)
	found := 0
	config := discovery.ReplaceAllStringFunc(string(shipped), func(match string) string {
		found++
		addresses := []string{} // empty for the keepers: the system has no replicated shards
		for _, u := range s.MetricsURLs(discovery.FindStringSubmatch(match)[1]) {
			addresses = append(addresses, strings.TrimPrefix(u, "http://"))
		}
		return fmt.Sprintf("static_configs: [{targets: [%s]}]", strings.Join(addresses, ", "))
	})
	rules := filepath.Join(root, "k8s/helm/checkout/files/rules.yml")
	config = strings.ReplaceAll(config, "/etc/prometheus/rules.yml", rules)
	if found != 4 {
		s.t.Fatalf("found %d jobs, want 4, in\n%s", found, shipped)
	}
	dir := s.t.TempDir()
	s.must(os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o644))
	address := freeport.Addr(s.t)
	cmd := exec.Command("prometheus", "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path",
		filepath.Join(dir, "data"), "--web.listen-address", address, "--log.level", "warn")
	var log strings.Builder
	cmd.Stderr = &log
	s.must(cmd.Start())
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	s.t.Cleanup(func() { cmd.Process.Kill(); <-exited })
	p := &prometheus{s.t, "http://" + address}
	s.eventually(time.Minute, "Prometheus scrapes", func() error {
		select {
		case err := <-exited:
			exited <- err
			s.t.Fatalf("Prometheus exited: %v\n%s\n%s", err, log.String(), config)
		default:
		}
		var response struct{ ActiveTargets []struct{ Health string } }
		if err := p.get("/api/v1/targets?state=active", &response); err != nil {
			return err
		}
		for _, target := range response.ActiveTargets {
			if target.Health == "unknown" {
				return fmt.Errorf("%+v", response)
			}
		}
		if len(response.ActiveTargets) == 0 {
			return fmt.Errorf("Prometheus has no targets, want all instances")
		}
		return nil
	})
	return p
}

// get requests a path of Prometheus' API and decodes the data of the response.
func (p *prometheus) get(path string, data any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", p.url+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var body struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return err
	}
	if body.Status != "success" {
		return fmt.Errorf("%s: %s", body.Status, body.Error)
	}
	return json.Unmarshal(body.Data, data)
}

func (p *prometheus) must(path string, data any) {
	p.t.Helper()
	if err := p.get(path, data); err != nil {
		p.t.Fatalf("%s: %v", path, err)
	}
}

// targets returns the health of each instance.
func (p *prometheus) targets() map[string]string {
	p.t.Helper()
	var response struct {
		ActiveTargets []struct {
			Labels            map[string]string
			Health, LastError string
		}
	}
	p.must("/api/v1/targets?state=active", &response)
	health := map[string]string{}
	for _, t := range response.ActiveTargets {
		health[t.Labels["job"]+" "+t.Labels["instance"]] = strings.TrimSpace(t.Health + " " + t.LastError)
	}
	return health
}

// rule is a rule as Prometheus loaded it.
type rule struct{ Name, Query, State, Health, LastError string }

func (p *prometheus) rules() []rule {
	p.t.Helper()
	var response struct{ Groups []struct{ Rules []rule } }
	p.must("/api/v1/rules", &response)
	var all []rule
	for _, g := range response.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// names returns all metric names.
func (p *prometheus) names() []string {
	p.t.Helper()
	var names []string
	p.must("/api/v1/label/__name__/values", &names)
	return names
}

// query evaluates an expression.
func (p *prometheus) query(expr string) error {
	return p.get("/api/v1/query?query="+url.QueryEscape(expr), new(any))
}
