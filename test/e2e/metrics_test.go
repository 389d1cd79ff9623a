package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"checkout/test/stack"
)

// TestPrometheusReadsTheSystem has a real Prometheus scrape a running system by the configuration that compose ships: every
// machine is read, every rule can be evaluated, no alert fires, and every metric that a rule or the dashboard names is there.
func TestPrometheusReadsTheSystem(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Instances: 2})
	p := s.prometheus()

	item := s.newItem(5, 100)
	paid := s.newOrder(s.newUser(100), item)
	s.post("/orders/checkout/%s", paid)
	s.post("/payment/cancel/%s/%s", s.get("/orders/find/%s", paid)["user_id"], paid)
	for range 4 { // on both machines, so that both have counted a refusal
		s.problem(402, "insufficient-credit", "POST", "/orders/checkout/"+s.newOrder(s.newUser(1), item))
	}

	targets := p.targets()
	if len(targets) != 6 {
		t.Errorf("%d machines of 6 are scraped: %v", len(targets), targets)
	}
	for target, health := range targets {
		if health != "up" {
			t.Errorf("%s is %s", target, health)
		}
	}
	rules := p.rules()
	s.eventually(time.Minute, "every rule was evaluated", func() error {
		for _, r := range p.rules() {
			if r.Health != "ok" {
				return fmt.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
			}
		}
		return nil
	})
	asked := map[string]string{} // expression -> who asks
	for _, r := range rules {
		asked[r.Query] = "rule " + r.Name
	}
	for title, queries := range dashboard(t) {
		for _, q := range queries {
			asked[q] = "panel " + title
		}
	}
	if len(rules) < 20 || len(asked) < 60 {
		t.Errorf("%d rules and %d expressions were found", len(rules), len(asked))
	}
	s.eventually(time.Minute, "all that is asked for is there", func() error {
		known := p.names()
		for expr, who := range asked {
			if err := p.query(expr); err != nil {
				return fmt.Errorf("%s: %s: %w", who, expr, err)
			}
			named := metricsIn(expr)
			if len(named) == 0 {
				return fmt.Errorf("%s: no metric in %s", who, expr)
			}
			for _, name := range named {
				if !slices.Contains(known, name) {
					return fmt.Errorf("%s asks for %s, which nobody tells", who, name)
				}
			}
		}
		return nil
	})
	for _, r := range p.rules() {
		if r.State == "firing" {
			t.Errorf("%s fires in a system that is well", r.Name)
		}
	}
}

// TestAlertsFireForADeadShard kills a Redis: Prometheus says so, by the shipped rules.
func TestAlertsFireForADeadShard(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{})
	p := s.prometheus()
	s.must(s.Kill("redis-stock-0"))
	s.eventually(90*time.Second, "ShardDown fires", func() error {
		for _, r := range p.rules() {
			if r.Name == "ShardDown" && r.State == "firing" {
				return nil
			}
		}
		return fmt.Errorf("%+v", p.rules())
	})
}

// prometheus is a real one, that scrapes a system.
type prometheus struct {
	t   *testing.T
	url string
}

// discovery is a job's way to its machines in the configuration that compose ships: by a name that a stack does not have.
var discovery = regexp.MustCompile(`dns_sd_configs: \[\{names: \[(\w+)\][^\]]*\]`)

// prometheus starts one by compose's own configuration, except that it is told the machines' addresses, and waits for a scrape of
// each.
func (s *system) prometheus() *prometheus {
	s.t.Helper()
	root, err := stack.Root()
	s.must(err)
	shipped, err := os.ReadFile(filepath.Join(root, "compose/observability/prometheus.yml"))
	s.must(err)
	found := 0
	config := discovery.ReplaceAllStringFunc(string(shipped), func(match string) string {
		found++
		var addresses []string
		for _, u := range s.InternalURLs(discovery.FindStringSubmatch(match)[1]) {
			addresses = append(addresses, strings.TrimPrefix(u, "http://"))
		}
		return fmt.Sprintf("static_configs: [{targets: [%q]}]", strings.Join(addresses, `","`))
	})
	config = strings.ReplaceAll(strings.ReplaceAll(config, `\"`, `"`), "/etc/prometheus/rules.yml", filepath.Join(root, "common/metrics/rules.yml"))
	if found != 3 {
		s.t.Fatalf("%d jobs in\n%s", found, shipped)
	}
	dir := s.t.TempDir()
	s.must(os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o644))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	address := l.Addr().String()
	l.Close()
	cmd := exec.Command("prometheus", "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(dir, "data"),
		"--web.listen-address", address, "--log.level", "warn")
	var said strings.Builder
	cmd.Stderr = &said
	s.must(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	s.t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	p := &prometheus{s.t, "http://" + address}
	s.eventually(time.Minute, "Prometheus scrapes", func() error {
		select {
		case err := <-ended:
			ended <- err
			s.t.Fatalf("Prometheus has ended: %v\n%s\n%s", err, said.String(), config)
		default:
		}
		var answer struct{ ActiveTargets []struct{ Health string } }
		if err := p.get("/api/v1/targets?state=active", &answer); err != nil {
			return err
		}
		for _, target := range answer.ActiveTargets {
			if target.Health == "unknown" {
				return fmt.Errorf("%+v", answer)
			}
		}
		if len(answer.ActiveTargets) == 0 {
			return fmt.Errorf("no targets")
		}
		return nil
	})
	return p
}

// get asks Prometheus' API and parses the data of its answer.
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
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", answer.Status, answer.Error)
	}
	return json.Unmarshal(answer.Data, data)
}

func (p *prometheus) must(path string, data any) {
	p.t.Helper()
	if err := p.get(path, data); err != nil {
		p.t.Fatalf("%s: %v", path, err)
	}
}

// targets returns the health of each machine.
func (p *prometheus) targets() map[string]string {
	p.t.Helper()
	var answer struct {
		ActiveTargets []struct {
			Labels            map[string]string
			Health, LastError string
		}
	}
	p.must("/api/v1/targets?state=active", &answer)
	health := map[string]string{}
	for _, t := range answer.ActiveTargets {
		health[t.Labels["job"]+" "+t.Labels["instance"]] = strings.TrimSpace(t.Health + " " + t.LastError)
	}
	return health
}

// rule is a rule as Prometheus has loaded it.
type rule struct{ Name, Query, State, Health, LastError string }

func (p *prometheus) rules() []rule {
	p.t.Helper()
	var answer struct{ Groups []struct{ Rules []rule } }
	p.must("/api/v1/rules", &answer)
	var all []rule
	for _, g := range answer.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// names returns every metric's name.
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

// dashboard returns the expressions of each panel, with Grafana's variables as they are at first.
func dashboard(t *testing.T) map[string][]string {
	t.Helper()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "common/metrics/dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			ID          int
			Title, Type string
			Targets     []struct{ Expr string }
			GridPos     struct{ X, W int }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$service", ".*", "$__rate_interval", "1m")
	exprs := map[string][]string{}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q at %+v: its number or place is taken, or it has no title", p.ID, p.Title, p.GridPos)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			exprs[p.Title] = append(exprs[p.Title], variables.Replace(target.Expr))
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
	}
	return exprs
}

var (
	texts      = regexp.MustCompile(`"[^"]*"`)
	selectors  = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]`)
	groupings  = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`)
	identifier = regexp.MustCompile(`\b[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?`)
)

// metricsIn returns the metrics that an expression of PromQL names.
func metricsIn(expr string) []string {
	expr = groupings.ReplaceAllString(selectors.ReplaceAllString(texts.ReplaceAllString(expr, ""), ""), "")
	var names []string
	for _, word := range identifier.FindAllString(expr, -1) {
		function := strings.HasSuffix(word, "(")
		if name := strings.TrimSpace(word); !function && !slices.Contains([]string{"and", "or", "unless", "bool", "offset", "by"}, name) {
			names = append(names, name)
		}
	}
	return names
}

func TestMetricsIn(t *testing.T) {
	for expr, want := range map[string]string{
		`sum by (service, le) (rate(a_total{x="b_total{", y=~"c"}[5m])) / on (z) d:e:f > bool 0.1`: "a_total d:e:f",
		`absent(g) or vector(0) and (h unless i offset 5m)`:                                        "g h i",
	} {
		if got := strings.Join(metricsIn(expr), " "); got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}
