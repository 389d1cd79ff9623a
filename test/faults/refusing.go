package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"checkout/test/stack"
)

// refusingScenario makes one Redis at a time refuse commands. The Redis still replies.
var refusingScenario = scenario{
	name: "refusing", run: runRefusing, sizes: []stack.Size{{Instances: 2, Shards: 2}},
	about: "One Redis is a replica, is full, denies writes or has a wrong setting: requests that need a refused command " +
		"get 503 within a second, and all others succeed",
}

// refusal is a reason why a Redis refuses commands.
type refusal struct {
	name          string
	begin, repair string // commands that begin and end the refusal; they are split at spaces
	refusesReads  bool
	// completes is true if the Redis still runs the scripts that complete or undo work.
	completes bool
}

var refusals = []refusal{
	{name: "replica", begin: "REPLICAOF 127.0.0.1 1", repair: "REPLICAOF NO ONE"},
	{name: "memory full", begin: "CONFIG SET maxmemory 1", repair: "CONFIG SET maxmemory 1gb", completes: true},
	{name: "writes denied", begin: "ACL SETUSER default -@write", repair: "ACL SETUSER default +@all"},
	{name: "appendfsync everysec", begin: "CONFIG SET appendfsync everysec", repair: "CONFIG SET appendfsync always",
		refusesReads: true},
}

const (
	duringRefusal = time.Second
	// slower is the maximum slowdown of requests that do not need the Redis: the ratio of their p99 during the refusal to
	// their p99 before the refusal.
	slower = 2
	// A p99 of at most slowAnyway never counts as a slowdown, because the p99 varies on a busy host.
	slowAnyway = 250 * time.Millisecond

	// noticedWithin is the maximum time until every instance refuses a Redis with a wrong setting.
	noticedWithin = 1500 * time.Millisecond
)

func runRefusing(ctx context.Context, tr *trial) (err error) {
	r, err := tr.startAvailability(ctx, stack.Config{})
	if err != nil {
		return err
	}
	defer r.end(&err)
	r.paid = make(chan string, preparedCarts)
	lines := row("Redis", "cause", "p99 of others before", "during", "ratio", "refused after, p50 / p99 / longest",
		"recovered after", "responses that need it") + row("---", "---", "---:", "---:", "---:", "---:", "---:", "---")
	for _, service := range stack.Services() {
		for _, cause := range refusals {
			line, err := r.undisturbed(service, func() (string, []string, error) {
				return r.whileRefusing(ctx, service, cause)
			})
			if err != nil {
				return err
			}
			lines += line
		}
	}
	tr.note("Two instances and two shards of each service, %d clients.\n\n%s", availabilityClients, lines)
	r.settle(ctx)
	return nil
}

// whileRefusing makes shard 0 of a service refuse commands for a while, and checks the responses to clients. It returns
// a row of the report and the violations.
func (r *availabilityRun) whileRefusing(ctx context.Context, service string, cause refusal) (
	line string, violations []string, err error,
) {
	before := r.runClients(ctx, beforeFault)
	if err := r.preparePaid(20); err != nil {
		return "", nil, err
	}
	name := "redis-" + service + "-0"
	done := r.trial.inject(cause.name, name)
	if err := r.command(ctx, service, cause.begin); err != nil {
		return "", nil, err
	}
	down := time.Now()
	reported, known := r.awaitReports(ctx, service), time.Time{}
	if cause.refusesReads {
		known = <-reported // wait for a health check, because nothing else detects the wrong setting
		if took := known.Sub(down); took > noticedWithin {
			violations = append(violations, fmt.Sprintf("%s, %s: %severy instance refuses the Redis after %v, want at most %v",
				name, cause.name, tooSlow, took, noticedWithin))
		}
	}
	during := r.runClients(ctx, duringRefusal)
	if !cause.refusesReads {
		known = <-reported
	}
	if known.IsZero() {
		return "", nil, fmt.Errorf("%s, %s: not every instance reports the shard in /readyz", name, cause.name)
	}
	if err := r.command(ctx, service, cause.repair); err != nil {
		return "", nil, err
	}
	done()
	repaired := time.Now()
	recovered, err := r.waitRecovered(ctx, service)
	if err != nil {
		return "", nil, err
	}
	var took []time.Duration
	responses := map[string]int{}
	needs := func(op operation) bool { return op.needs(service, 0) && (cause.refusesReads || !op.reads) }
	for _, op := range during {
		if needs(op) {
			responses[fmt.Sprint(op.Status)]++
			took = append(took, op.took())
		}
		if wrong := op.checkRefusing(service, cause, needs(op), down, known); wrong != "" {
			violations = append(violations, fmt.Sprintf("%s, %s: %s: %s: %v %s",
				name, cause.name, op.name, wrong, op.Response, op.FormatViolation()))
		}
	}
	if len(took) == 0 {
		return "", nil, fmt.Errorf("no request needed the faulty %s", name)
	}
	others := func(op operation) bool { return !needs(op) && (op.name != "create" || op.OK()) }
	a, b := p99(before, others), p99(during, others)
	if b > slower*a && b > slowAnyway {
		violations = append(violations, fmt.Sprintf("%s, %s: %sp99 of requests that do not need this Redis: %v, before %v",
			name, cause.name, tooSlow, b, a))
	}
	latency := fmt.Sprintf("%s / %s / %s", ms(percentile(took, 50)), ms(percentile(took, 99)), ms(percentile(took, 100)))
	return row(name, cause.name, ms(a), ms(b), fmt.Sprintf("%.1f", float64(b)/float64(a)), latency,
		ms(recovered.Sub(repaired)), formatCounts(responses)), violations, nil
}

// checkRefusing describes the defect of a response that arrived while shard 0 of a service refused commands. It returns
// "" for a correct response. The refusal began at the time down. At the time known, every instance had reported
// the refusal.
func (op operation) checkRefusing(service string, cause refusal, needs bool, down, known time.Time) string {
	switch {
	case op.FormatViolation() != "" || op.Status == http.StatusTooManyRequests:
		return "want no 429 and no malformed response"
	case needs && op.took() > unavailableWithin:
		return fmt.Sprint(tooSlow, "needs the refusing shard, took ", op.took(), ", want at most ", unavailableWithin)
	case needs && (op.Status == http.StatusServiceUnavailable || op.Refused()):
	case needs && op.OK() && op.name == "cancel" && cause.completes:
	case needs:
		return "needs the refusing shard, want 503"
	case op.name == "create" && service == "order" && op.Status == 503 && op.Began.Before(known):
		// A 503 is correct here for at most unavailableWithin. Until an instance detects the refusal, it may
		// choose this shard for a new order.
		if op.Began.Sub(down) >= unavailableWithin {
			return tooSlow + "the instance has not detected the refusal yet"
		}
	case !op.OK():
		return "needs no command that the shard refuses, want 200"
	}
	return ""
}

// command runs a command on shard 0 of a service.
func (r *availabilityRun) command(ctx context.Context, service, command string) error {
	var args []any
	for _, word := range strings.Fields(command) {
		args = append(args, word)
	}
	if err := r.shards[service][0].Do(ctx, args...).Err(); err != nil {
		return fmt.Errorf("run %q on redis-%s-0: %w", command, service, err)
	}
	return nil
}

// preparePaid fills carts and checks out some, so that clients can cancel n orders.
func (r *availabilityRun) preparePaid(n int) error {
	if err := r.fillCarts(); err != nil {
		return err
	}
	for len(r.paid) < n {
		order := <-r.carts
		if resp := r.Call("POST", "/orders/checkout/"+order); !resp.OK() {
			return fmt.Errorf("pay an order: %v", resp)
		}
		r.paid <- order
	}
	return nil
}
