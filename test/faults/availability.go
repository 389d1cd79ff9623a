package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// availabilityScenario makes one process at a time unavailable. At the end, it kills both order instances together.
var availabilityScenario = scenario{
	name: "availability", run: runAvailability, sizes: []stack.Size{{Instances: 2, Shards: 2}},
	about: "One Redis is killed or paused: requests that need this Redis get 503 within a second, all others succeed. " +
		"One instance is killed or restarted: no checkout fails. A coordinator dies: its orders are decided within a second",
}

const (
	availabilityClients = 16
	preparedCarts       = 100
	beforeFault         = time.Second
	duringFault         = 2 * time.Second
	unavailableWithin   = time.Second      // maximum response time of a request that needs an unavailable Redis
	reportedWithin      = 30 * time.Second // maximum time until every instance reports an unavailable or refusing Redis

	// decidedWithin limits the time until the orders of a dead coordinator are decided. On a busy host, the decisions may
	// take busySlack longer. The test extends the leases, so recovery can decide the orders in time only if it detects the
	// death of the coordinator.
	decidedWithin = time.Second
	busySlack     = 2 * time.Second

	tooSlow = "too slow: " // prefix of the description of a correct but slow response
)

func runAvailability(ctx context.Context, tr *trial) (err error) {
	r, err := tr.startAvailability(ctx, stack.Config{})
	if err != nil {
		return err
	}
	defer r.end(&err)
	lines := row("Redis", "fault", "p99 of others before", "during", "ratio", "503 after, p50 / p99 / longest",
		"recovered after", "responses that need it") + row("---", "---", "---:", "---:", "---:", "---:", "---:", "---")
	for _, service := range stack.Services() {
		for _, fault := range []string{"SIGKILL", "SIGSTOP"} {
			line, err := r.undisturbed(service, func() (string, []string, error) {
				return r.withoutRedis(ctx, service, fault)
			})
			if err != nil {
				return err
			}
			lines += line
		}
	}
	tr.note("Two instances and two shards of each service, %d clients.\n\n%s", availabilityClients, lines)
	lines = row("instance", "fault", "p99 before", "during", "ratio", "requests", "responses") +
		row("---", "---", "---:", "---:", "---:", "---:", "---")
	for _, f := range []struct{ instance, fault string }{
		{"order-1", "SIGKILL"}, {"stock-1", "SIGKILL"}, {"payment-1", "SIGKILL"},
		{"order-2", "restart"}, {"payment-2", "restart"},
	} {
		line, err := r.withoutInstance(ctx, f.instance, f.fault)
		if err != nil {
			return err
		}
		lines += line
	}
	tr.note("%s", lines)
	lines = row("killed", "death is known when", "undecided orders", "decided after") + row("---", "---", "---:", "---:")
	for _, killed := range [][]string{{"order-1"}, {"order-1", "order-2"}} {
		line, err := r.withoutCoordinator(ctx, killed...)
		if err != nil {
			return err
		}
		lines += line
	}
	tr.note("%s", lines)
	r.settle(ctx)
	return nil
}

// withoutRedis kills or pauses shard 0 of a service, and checks the responses to clients until the shard is restarted
// or resumed. It returns a row of the report and the violations.
func (r *availabilityRun) withoutRedis(ctx context.Context, service, fault string) (
	line string, violations []string, err error,
) {
	name := "redis-" + service + "-0"
	before := r.runClients(ctx, beforeFault)
	if err := r.fillCarts(); err != nil {
		return "", nil, err
	}
	end, restart := r.Kill, func(name string) error { return r.Start(ctx, name) }
	if fault == "SIGSTOP" {
		end, restart = r.Pause, r.Resume
	}
	done := r.trial.inject(fault, name)
	if err := end(name); err != nil {
		return "", nil, err
	}
	down := time.Now()
	reported := r.awaitReports(ctx, service)
	during := r.runClients(ctx, duringFault)
	known := <-reported
	if known.IsZero() {
		return "", nil, fmt.Errorf("%s, %s: within %v, not every instance reports the shard in /readyz",
			name, fault, reportedWithin)
	}
	if err := restart(name); err != nil {
		return "", nil, err
	}
	done()
	restarted := time.Now()
	recovered, err := r.waitRecovered(ctx, service)
	if err != nil {
		return "", nil, err
	}
	var took []time.Duration
	responses := map[string]int{}
	for _, op := range during {
		if op.needs(service, 0) {
			responses[fmt.Sprint(op.Status)]++
			took = append(took, op.took())
		}
		if wrong := op.checkWithout(service, down, known); wrong != "" {
			violations = append(violations, fmt.Sprintf("%s, %s: %s: %s: %v %s",
				name, fault, op.name, wrong, op.Response, op.FormatViolation()))
		}
	}
	if len(took) == 0 {
		return "", nil, fmt.Errorf("no request needed the faulty %s", name)
	}
	others := func(op operation) bool { return !op.needs(service, 0) && (op.name != "create" || op.OK()) }
	a, b := p99(before, others), p99(during, others)
	latency := fmt.Sprintf("%s / %s / %s", ms(percentile(took, 50)), ms(percentile(took, 99)), ms(percentile(took, 100)))
	return row(name, fault, ms(a), ms(b), fmt.Sprintf("%.1f", float64(b)/float64(a)), latency,
		ms(recovered.Sub(restarted)), formatCounts(responses)), violations, nil
}

// awaitReports polls /readyz of every instance of a service. The returned channel gets the time when all instances list
// shard 0 as a problem, or the zero time after a timeout.
func (r *availabilityRun) awaitReports(ctx context.Context, service string) <-chan time.Time {
	reported := make(chan time.Time, 1)
	go func() {
		err := check.Poll(ctx, reportedWithin, func(context.Context) error {
			for _, url := range r.InternalURLs(service) {
				if resp := r.Call("GET", url+"/readyz"); !strings.Contains(resp.Body, `"shard 0`) {
					return fmt.Errorf("/readyz: %v", resp)
				}
			}
			return nil
		})
		now := time.Now()
		if err != nil {
			now = time.Time{}
		}
		reported <- now
	}()
	return reported
}

// checkWithout returns the defect of a response, or "" if the response is correct. Shard 0 of the service became
// unavailable at the time "down". By the time "known", every instance had reported this fault in /readyz.
func (op operation) checkWithout(service string, down, known time.Time) string {
	switch {
	case op.needs(service, 0):
		after := op.Began.After(down)
		if after && op.Status != http.StatusServiceUnavailable && !op.Refused() || op.FormatViolation() != "" {
			return "needs the unavailable shard, want 503 or 4xx"
		}
		if after && op.took() > unavailableWithin {
			return fmt.Sprint(tooSlow, "needs the unavailable shard, took ", op.took(), ", want at most ", unavailableWithin)
		}
	case op.name == "create" && service == "order" && op.Status == 503 && op.Began.Before(known):
		// Before an instance detects the fault, it may choose this shard for a new order, so a 503 is correct.
		if op.Began.Sub(down) >= unavailableWithin {
			return tooSlow + "the instance has not detected the fault yet"
		}
	case !op.OK():
		return "does not need the unavailable shard, want 200"
	}
	return ""
}

// waitRecovered waits until requests that need shard 0 succeed again, and returns the time of the first success. Each
// instance has its own health checks, so waitRecovered first waits until every instance is ready.
func (r *availabilityRun) waitRecovered(ctx context.Context, service string) (time.Time, error) {
	limited, cancel := context.WithTimeout(ctx, check.DecisionTimeout)
	defer cancel()
	err := r.WaitReady(limited)
	if err == nil {
		err = check.Poll(limited, check.DecisionTimeout, func(context.Context) error {
			r.operations = nil
			r.runClient(0)
			for _, op := range r.operations {
				if !op.OK() {
					return fmt.Errorf("%s: %v", op.name, op.Response)
				}
			}
			return nil
		})
	}
	if err != nil && ctx.Err() == nil {
		r.trial.violate("shard 0 of %s runs again, but an instance is not ready or a request fails: %v", service, err)
		err = nil
	}
	return time.Now(), err
}

// withoutInstance kills or restarts an instance while clients send requests. After a kill, each checkout must succeed
// or fail with attempt-closed. During a restart, each request must succeed. withoutInstance returns a row of the
// report.
func (r *availabilityRun) withoutInstance(ctx context.Context, name, fault string) (string, error) {
	before := r.runClients(ctx, beforeFault)
	done := r.trial.inject(fault, name)
	restarted := make(chan error, 1)
	go func() {
		time.Sleep(duringFault / 10)
		end := r.Kill
		if fault == "restart" {
			end = func(name string) error { return r.Stop(ctx, name) }
		}
		restarted <- errors.Join(end(name), r.Start(ctx, name))
	}()
	during := r.runClients(ctx, 2*duringFault)
	done()
	if err := <-restarted; err != nil {
		return "", err
	}
	responses := map[string]int{}
	for _, op := range during {
		responses[fmt.Sprint(op.Status)]++
		// Allow attempt-closed after a kill: recovery closed the attempt of the killed coordinator.
		closed := fault == "SIGKILL" && op.Problem() == "attempt-closed"
		if !op.OK() && !closed && (fault == "restart" || op.name == "checkout") || op.FormatViolation() != "" {
			r.trial.violate("%s of %s: %s: %v %s", fault, name, op.name, op.Response, op.FormatViolation())
		}
	}
	all := func(operation) bool { return true }
	a, b := p99(before, all), p99(during, all)
	return row(name, fault, ms(a), ms(b), fmt.Sprintf("%.1f", float64(b)/float64(a)), fmt.Sprint(len(during)),
		formatCounts(responses)), nil
}
