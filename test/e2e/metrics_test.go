package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"checkout/test/stack"
)

// TestPrometheusEvaluatesEveryRuleAndPanel checks the configuration in compose/observability with a real Prometheus and
// a running system. Prometheus scrapes every instance, evaluates every rule, and has every metric that the rules and
// the dashboard use. No alert fires. After the kill of a Redis, the alert ShardDown fires.
func TestPrometheusEvaluatesEveryRuleAndPanel(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Instances: 2, Env: map[string][]string{"": {"REDIS_DISK=1Ti"}}})
	p := s.startPrometheus()

	item := s.newItem(5, 100)
	paid := s.newOrder(s.newUser(100), item)
	s.post("/orders/checkout/%s", paid)
	s.post("/payment/cancel/%s/%s", s.get("/orders/find/%s", paid)["user_id"], paid)
	for range 4 { // so many requests that both instances count a refusal
		s.problem(402, "insufficient-credit", "POST", "/orders/checkout/"+s.newOrder(s.newUser(1), item))
	}

	s.eventually(time.Minute, "Prometheus scrapes every instance", func() error {
		targets := p.targets()
		if len(targets) != 6 {
			return fmt.Errorf("got %d instances, want 6: %v", len(targets), targets)
		}
		for target, health := range targets {
			if health != "up" {
				return fmt.Errorf("%s is %s, want up", target, health)
			}
		}
		return nil
	})
	rules := p.rules()
	s.eventually(time.Minute, "every rule is evaluated", func() error {
		for _, r := range p.rules() {
			if r.Health != "ok" {
				return fmt.Errorf("rule %s: got health %s, want ok; last error: %s", r.Name, r.Health, r.LastError)
			}
		}
		return nil
	})
	users := map[string]string{} // by expression: the rule or panel that uses the expression
	for _, r := range rules {
		users[r.Query] = "rule " + r.Name
	}
	for title, queries := range dashboard(t) {
		for _, q := range queries {
			users[q] = "panel " + title
		}
	}
	if len(rules) < 20 || len(users) < 60 {
		t.Errorf("found %d rules and %d expressions, want at least 20 and 60", len(rules), len(users))
	}
	s.eventually(time.Minute, "every expression has its metrics", func() error {
		known := p.names()
		for expr, user := range users {
			if err := p.query(expr); err != nil {
				return fmt.Errorf("%s: evaluate %s: %w", user, expr, err)
			}
			named := metricsIn(expr)
			if len(named) == 0 {
				return fmt.Errorf("%s: found no metric in %s", user, expr)
			}
			for _, name := range named {
				// Only Kubernetes exports the kubelet_ metrics, and only an unhealthy shard has redis_shard_problem.
				if strings.HasPrefix(name, "kubelet_") || name == "redis_shard_problem" || replicated.MatchString(name) {
					continue
				}
				if !slices.Contains(known, name) {
					return fmt.Errorf("%s uses %s, which no instance exports", user, name)
				}
			}
		}
		return nil
	})
	for _, r := range p.rules() {
		if r.State == "firing" {
			t.Errorf("alert %s fires in a healthy system", r.Name)
		}
	}
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

// dashboard returns the expressions of each panel. It replaces Grafana's variables with their initial values.
func dashboard(t *testing.T) map[string][]string {
	t.Helper()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "k8s/helm/checkout/files/dashboard.json"))
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
			t.Errorf("panel %d %q at %+v: duplicate number, no title, or too wide", p.ID, p.Title, p.GridPos)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			exprs[p.Title] = append(exprs[p.Title], variables.Replace(target.Expr))
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q has no expression", p.Title)
		}
	}
	return exprs
}

// replicated matches the metrics of replicated shards and their keepers. The system of this test has no replicated
// shards.
var replicated = regexp.MustCompile(`^(keeper_|redis_shard_(node_|replicas|failovers_total|epoch))`)

var (
	texts      = regexp.MustCompile(`"[^"]*"`)
	selectors  = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]`)
	groupings  = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`)
	identifier = regexp.MustCompile(`\b[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?`)
)

// metricsIn returns the metrics in a PromQL expression.
func metricsIn(expr string) []string {
	expr = groupings.ReplaceAllString(selectors.ReplaceAllString(texts.ReplaceAllString(expr, ""), ""), "")
	var names []string
	for _, word := range identifier.FindAllString(expr, -1) {
		function := strings.HasSuffix(word, "(")
		name := strings.TrimSpace(word)
		keyword := slices.Contains([]string{"and", "or", "unless", "bool", "offset", "by"}, name)
		if !function && !keyword {
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
			t.Errorf("metrics in %s: got %q, want %q", expr, got, want)
		}
	}
}
