package e2e

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"checkout/test/check"
	"checkout/test/stack"
)

// collector is a server that receives spans over OTLP.
type collector struct {
	t   *testing.T
	url string

	mu    sync.Mutex
	spans []span
}

// span is a span and the service that exported it.
type span struct {
	service             string
	trace, id, parent   string
	name                string
	kind                otlp.Span_SpanKind
	attributes          map[string]string
	links               []string // trace IDs of the links
	startNano, stopNano uint64
}

func newCollector(t *testing.T) *collector {
	c := &collector{t: t}
	server := httptest.NewServer(http.HandlerFunc(c.receive))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *collector) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var data otlp.TracesData // encoded like ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &data)
	}
	contentType, key := r.Header.Get("Content-Type"), r.Header.Get("X-Key")
	if err != nil || r.URL.Path != "/v1/traces" || contentType != "application/x-protobuf" || key != "let me in" {
		c.t.Errorf("export to %s with the headers %v: error %v, want protobuf at /v1/traces with the given X-Key",
			r.URL, r.Header, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range data.ResourceSpans {
		attributes := map[string]string{}
		for _, kv := range resource.Resource.Attributes {
			attributes[kv.Key] = kv.Value.GetStringValue()
		}
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				found := span{
					service: attributes["service.name"], name: s.Name, kind: s.Kind, attributes: map[string]string{},
					trace: hex.EncodeToString(s.TraceId), id: hex.EncodeToString(s.SpanId),
					parent:    hex.EncodeToString(s.ParentSpanId),
					startNano: s.StartTimeUnixNano, stopNano: s.EndTimeUnixNano,
				}
				for _, kv := range s.Attributes {
					found.attributes[kv.Key] = kv.Value.GetStringValue()
				}
				for _, link := range s.Links {
					found.links = append(found.links, hex.EncodeToString(link.TraceId))
				}
				c.spans = append(c.spans, found)
			}
		}
	}
}

// of returns the spans of a trace in the order of their start.
func (c *collector) of(trace string) []span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []span
	for _, s := range c.spans {
		if s.trace == trace {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b span) int { return int(int64(a.startNano) - int64(b.startNano)) })
	return found
}

// startTraced starts a system that exports its traces to the collector. The given environment variables configure the
// services and the gateway.
func (c *collector) startTraced(instances int, variables ...string) *system {
	return start(c.t, stack.Config{Race: true, Instances: instances, Env: map[string][]string{"": append(variables,
		"OTEL_EXPORTER_OTLP_ENDPOINT="+c.url, "OTEL_EXPORTER_OTLP_HEADERS=X-Key=let%20me%20in",
		"OTEL_BSP_SCHEDULE_DELAY=100")}})
}

// checkout checks an order out as part of a trace and returns the status, or 0 without a response.
func (s *system) checkout(order, trace string) int {
	return s.checkoutAt(s.Stack.Gateway()+"/orders", order, trace)
}

// checkoutAt is like checkout, but sends the request to the route /checkout below the given URL.
func (s *system) checkoutAt(url, order, trace string) int {
	request, err := http.NewRequest("POST", url+"/checkout/"+order, nil)
	s.must(err)
	request.Header.Set("traceparent", fmt.Sprintf("00-%s-00f067aa0ba902b7-01", trace))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// traceID returns the i-th trace ID of a test.
func traceID(i int) string { return fmt.Sprintf("4bf92f3577b34da6%016x", i+1) }

// TestConcurrentCheckoutsHaveSeparateTraces checks that concurrent checkouts have separate traces, although their
// messages and commands are batched. Each trace contains the spans of order, payment, stock and Redis. The parent of
// the root is the client's span, and the parent of each other span is in the same trace.
func TestConcurrentCheckoutsHaveSeparateTraces(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	s := c.startTraced(2, "CLIENT_TRACES=1")
	user := s.newUser(1_000_000)
	items := []string{s.newItemOn(0, 1, 1000), s.newItemOn(1, 1, 1000)}
	const orders = 60
	ids := make([]string, orders)
	for i := range ids {
		ids[i] = s.newOrder(user, items...)
	}
	s.concurrently(orders, orders, func(i int) {
		if status := s.checkout(ids[i], traceID(i)); status != 200 {
			t.Errorf("checkout of order %d: got status %d, want 200", i, status)
		}
	})
	want := []string{
		"order POST /checkout/:order_id", "order redis begin", "order payment reserve", "payment reserve",
		"payment redis reserve", "order stock reserve", "stock reserve", "stock redis reserve", "stock redis reserve",
		"order redis commit",
	}
	// If stock replies late, the coordinator reserves the credit again before commit.
	repeated := append(slices.Clone(want), "order payment reserve", "payment reserve", "payment redis reserve")
	slices.Sort(want)
	slices.Sort(repeated)
	for i, id := range ids {
		var spans []span
		s.eventually(check.DecisionTimeout, "the trace of a checkout is complete", func() error {
			spans = c.of(traceID(i))
			var got []string
			for _, s := range spans {
				got = append(got, s.service+" "+s.name)
			}
			if slices.Sort(got); !slices.Equal(got, want) && !slices.Equal(got, repeated) {
				return fmt.Errorf("trace %d has the spans\n%s\nwant these spans (the credit may be reserved twice):\n%s",
					i, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			return nil
		})
		byID := map[string]span{}
		for _, s := range spans {
			byID[s.id] = s
		}
		attempts := map[string]bool{}
		for _, s := range spans {
			parent, ok := byID[s.parent]
			if root := s.name == "POST /checkout/:order_id"; root != (s.parent == "00f067aa0ba902b7") || !root && !ok {
				t.Errorf("order %s: span %s %s has the parent %q, want a span of the trace (root: the client's span)",
					id, s.service, s.name, s.parent)
			}
			if ok && (s.startNano < parent.startNano || s.stopNano < s.startNano) {
				t.Errorf("order %s: span %s %s: start %d ns, end %d ns; want end >= start >= start of the parent %s: %d ns",
					id, s.service, s.name, s.startNano, s.stopNano, parent.name, parent.startNano)
			}
			kind := otlp.Span_SPAN_KIND_CLIENT
			if s.name == "reserve" || strings.HasPrefix(s.name, "POST") {
				kind = otlp.Span_SPAN_KIND_SERVER
			}
			if s.kind != kind {
				t.Errorf("span %s %s has the kind %v, want %v", s.service, s.name, s.kind, kind)
			}
			if a := s.attributes["checkout.attempt"]; a != "" {
				attempts[a] = true
			}
		}
		if len(attempts) != 1 {
			t.Errorf("order %s: attempts %v in one trace, want one", id, attempts)
		}
	}
}

// TestTracesOfClientsAreIgnored checks that neither the gateway nor the public port lets a client choose the ID of a
// trace or force its sampling. The system "never" would sample a trace only if the client could force it.
func TestTracesOfClientsAreIgnored(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	s := c.startTraced(1)
	never := c.startTraced(1, "OTEL_TRACES_SAMPLER=parentbased_always_off")
	for i, system := range []*system{s, never} {
		for j, base := range []string{system.Stack.Gateway() + "/orders", system.PublicURLs("order")[0]} {
			request, err := http.NewRequest("POST", base+"/create/client-"+fmt.Sprint(i, j), nil)
			system.must(err)
			request.Header.Set("traceparent", fmt.Sprintf("00-%s-00f067aa0ba902b7-01", traceID(2*i+j)))
			request.Header.Set("tracestate", "a=b")
			request.Header.Set("baggage", "a=b")
			response, err := http.DefaultClient.Do(request)
			system.must(err)
			response.Body.Close()
		}
	}
	s.eventually(check.DecisionTimeout, "both requests to the first system have a trace", func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		roots := 0
		for _, s := range c.spans {
			if s.parent == "" && strings.HasPrefix(s.name, "POST /create") {
				roots++
			}
		}
		if roots != 2 {
			return fmt.Errorf("%d traces, want 2", roots)
		}
		return nil
	})
	for i := range 4 {
		if spans := c.of(traceID(i)); len(spans) > 0 {
			t.Errorf("the trace of client %d has the spans %v, want none", i, spans)
		}
	}
}

// TestRecoveryTraceLinksToCheckout checks that the trace of a recovery links to the trace of the checkout and contains
// the attempt's ID. The test kills the coordinator during a checkout. The checkout bypasses the gateway, because the
// gateway would retry.
func TestRecoveryTraceLinksToCheckout(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	s := c.startTraced(1, "CLIENT_TRACES=1")
	order := s.newOrder(s.newUser(10), s.newItem(1, 10))
	s.must(s.Pause("payment-1"))
	responded := make(chan struct{})
	go func() { defer close(responded); s.checkoutAt(s.PublicURLs("order")[0], order, traceID(0)) }()
	shard := s.shards["order"][0]
	s.eventually(check.DecisionTimeout, "the order is RUNNING", func() error {
		if state := shard.HGet(t.Context(), "{o0}o:"+order, "s").Val(); state != "RUNNING" {
			return fmt.Errorf("the order is %s, want RUNNING", state)
		}
		return nil
	})
	attempt := shard.HGet(t.Context(), "{o0}o:"+order, "a").Val()
	s.must(s.Kill("order-1"))
	s.must(s.Resume("payment-1"))
	s.startAgain("order-1")
	<-responded
	s.settle()
	s.eventually(check.DecisionTimeout, "the trace of the recovery links to the trace of the checkout", func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, s := range c.spans {
			linked := slices.Contains(s.links, traceID(0)) && s.trace != traceID(0)
			if s.name == "recover" && s.attributes["checkout.attempt"] == attempt && linked {
				return nil
			}
		}
		return fmt.Errorf("none of %d spans is \"recover\" with the attempt's ID and the link", len(c.spans))
	})
}
