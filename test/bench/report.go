package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// report contains all measurements.
type report struct {
	command string
	date    time.Time
	plan    plan
	system  []string // lines that describe the host and the versions of the programs
	limits  *limits  // nil: not measured

	closed, carts, sharded []*point
	open                   []*openPoint
	simple                 []*requestPoint
	accepted, rejected     *phase
	batches                []batchInit
	memory                 map[string]uint64 // in bytes, by kind of process
}

// ok reports whether all points are ok (see point.ok), and all reads and simple writes succeeded.
func (r *report) ok() bool {
	return !slices.ContainsFunc(r.points(), func(p *point) bool { return !p.ok() }) &&
		!slices.ContainsFunc(r.simple, func(p *requestPoint) bool { return !p.work.allOK() || !p.baseline.allOK() })
}

func (r *report) points() []*point {
	all := slices.Concat(r.closed, r.carts, r.sharded)
	for _, p := range r.open {
		all = append(all, p.point)
	}
	return all
}

func (r *report) markdown() string {
	w := &strings.Builder{}
	fmt.Fprintf(w, "# Benchmark\n\nMeasured on %s by `%s`.\n\n", r.date.UTC().Format("2006-01-02 15:04 MST"), r.command)
	for _, line := range r.system {
		fmt.Fprintf(w, "- %s\n", line)
	}
	if r.limits != nil {
		fmt.Fprintf(w, "- fsync of one record: p50 %s ms, p99 %s ms\n", ms(r.limits.fsyncP50), ms(r.limits.fsyncP99))
		for _, s := range r.limits.scripts {
			fmt.Fprintf(w, "- durable scripts on one redis-server, %d in each round trip: %.0f/s\n", s.batch, s.second)
		}
	}
	r.closedSection(w)
	if r.plan.high > 0 {
		r.openSection(w)
		r.cartSection(w)
		r.shardSection(w)
		r.simpleSection(w)
		r.otherSections(w)
	}
	r.checkSection(w)
	return w.String()
}

func (r *report) closedSection(w *strings.Builder) {
	fmt.Fprint(w, "\n## Checkouts in a closed loop\n\n"+
		"Each client sends its next checkout when it has a response, through the gateway. Slices of checkouts alternate\n"+
		"with slices of empty requests (`GET /orders/`). The cost of a checkout is the ratio of the two rates. Brackets\n"+
		"show the lowest and the highest ratio of the slices. CPU is the processor time of all servers until the checkout\n"+
		"is confirmed.\n\n")
	table(w, "clients | checkouts/s | p50 ms | p99 ms | max ms | empty requests/s | p50 ms | "+
		"cost in empty requests | CPU µs | responses")
	for _, p := range r.closed {
		cells(w, p.clients, p.work.rate(), p.work.percentile(50), p.work.percentile(99), p.work.percentile(100),
			p.baseline.rate(), p.baseline.percentile(50),
			fmt.Sprintf("%.1f (%.1f–%.1f)", p.ratio(), slices.Min(p.ratios), slices.Max(p.ratios)),
			p.work.cost(), p.work.tally)
	}
	chart(w, "Durable checkouts a second", "clients", "checkouts/s", r.closed, func(p *point) int { return p.clients },
		func(p *point) float64 { return p.work.rate() })
	chart(w, "Latency: p50 and p99", "clients", "ms", r.closed, func(p *point) int { return p.clients },
		func(p *point) float64 { return milliseconds(p.work.percentile(50)) },
		func(p *point) float64 { return milliseconds(p.work.percentile(99)) })
	if r.limits != nil {
		fmt.Fprint(w, "\n### Processor time\n\nµs for each checkout (user + system), and for each empty request:\n\n")
		table(w, "clients | all servers | "+strings.Join(processKinds, " | ")+" | generator | empty request")
		for _, p := range r.closed {
			row := []any{p.clients, split(p.work, p.work.cpu.servers())}
			for _, kind := range append(slices.Clone(processKinds), generator) {
				row = append(row, split(p.work, p.work.cpu[kind]))
			}
			cells(w, append(row, p.baseline.cost())...)
		}
	}
	r.soleClient(w)
}

// split formats a processor time per request, with its user and system parts.
func split(p *phase, c cpu) string {
	return fmt.Sprintf("%.0f (%.0f + %.0f)", p.each(c.total()), p.each(c.user), p.each(c.system))
}

// A checkout runs four scripts in sequence: begin, reserve credit, reserve stock and commit. It needs three requests
// in sequence: from the client to order, from order to payment, and from order to stock.
const scriptsInSequence, requestsInSequence = 4, 3

// soleClient writes the latency of a checkout with one client, and two values for comparison:
//   - the latency of the bare chain; see measureChain
//   - the sum of the times of four scripts and three requests, measured in separate loops. The sum has two errors.
//     The processors hardly become idle in such a loop, which makes the sum too small. All three requests use the
//     gateway, which makes the sum too large: only one request of a checkout uses the gateway
func (r *report) soleClient(w *strings.Builder) {
	for _, p := range r.closed {
		if p.clients != 1 || r.limits == nil {
			continue
		}
		checkout, chain := p.work.percentile(50), r.limits.chain
		script := time.Duration(float64(time.Second) / r.limits.scripts[0].second)
		sum := scriptsInSequence*script + requestsInSequence*p.baseline.percentile(50)
		fmt.Fprintf(w, "\nWith 1 client, a checkout runs %d durable scripts and %d requests in sequence: %s ms. The bare\n"+
			"chain of such scripts and requests takes %s ms (ratio %.1f). If scripts and requests are measured in\n"+
			"separate loops, the sum of their times is %s ms (ratio %.1f).\n", scriptsInSequence, requestsInSequence,
			ms(checkout), ms(chain), checkout.Seconds()/chain.Seconds(), ms(sum), checkout.Seconds()/sum.Seconds())
	}
}

func (r *report) openSection(w *strings.Builder) {
	fmt.Fprintf(w, "\n## Checkouts in an open loop\n\n"+
		"Checkouts come at a fixed rate, a share of the rate that %d clients reach in the closed loop, over at most\n"+
		"%d connections. Latency counts from the time when a request was due.\n\n",
		r.plan.high, 2*r.plan.high)
	table(w, "share | offered/s | completed/s | p50 ms | p99 ms | max ms | responses")
	for _, p := range r.open {
		cells(w, fmt.Sprintf("%.0f %%", 100*p.share), p.offered, p.work.rate(), p.work.percentile(50),
			p.work.percentile(99), p.work.percentile(100), p.work.tally)
	}
}

// perItem returns the processor time of each further item in a cart, in µs: the slope from the smallest to the largest
// cart.
func (r *report) perItem() float64 {
	first, last := r.carts[0], r.carts[len(r.carts)-1]
	return (last.work.cost() - first.work.cost()) / float64(last.items-first.items)
}

func (r *report) cartSection(w *strings.Builder) {
	fmt.Fprintf(w, "\n## Items in the cart\n\n%d clients. Each further item costs %.1f µs of processor time.\n\n",
		r.plan.medium, r.perItem())
	table(w, "items | checkouts/s | p50 ms | CPU µs | order | stock | redis-order | redis-stock")
	for _, p := range r.carts {
		cells(w, p.items, p.work.rate(), p.work.percentile(50), p.work.cost(), p.work.of("order"), p.work.of("stock"),
			p.work.of("redis-order"), p.work.of("redis-stock"))
	}
	chart(w, "Processor time by items in the cart", "items", "µs of all servers", r.carts,
		func(p *point) int { return p.items },
		func(p *point) float64 { return p.work.cost() })
}

func (r *report) shardSection(w *strings.Builder) {
	fmt.Fprintf(w, "\n## Shards\n\n"+
		"All shards of each service run on this one host, under two loads: %d clients in total, and %[1]d per shard.\n"+
		"All systems run at the same time and are measured in turn.\n\n", r.plan.high)
	table(w, "shards | clients | checkouts/s | p50 ms | cost in empty requests | CPU µs | against one shard | "+
		"CPU µs of an empty request | "+strings.Join(processKinds, " | "))
	for _, p := range r.sharded {
		increase := 100 * (p.work.cost()/r.sharded[0].work.cost() - 1)
		row := []any{p.shards, p.clients, p.work.rate(), p.work.percentile(50), fmt.Sprintf("%.1f", p.ratio()),
			p.work.cost(), fmt.Sprintf("%+.0f %%", increase), p.baseline.cost()}
		for _, kind := range processKinds {
			row = append(row, p.work.of(kind))
		}
		cells(w, row...)
	}
}

func (r *report) simpleSection(w *strings.Builder) {
	fmt.Fprintf(w, "\n## Reads and simple writes\n\n%d clients. A write is durable before its response.\n\n", r.plan.high)
	table(w, "request | requests/s | p50 ms | p99 ms | cost in empty requests | CPU µs | responses")
	for _, p := range r.simple {
		cells(w, p.name, p.work.rate(), p.work.percentile(50), p.work.percentile(99), fmt.Sprintf("%.2f", p.ratio()),
			p.work.cost(), p.work.tally)
	}
}

func (r *report) otherSections(w *strings.Builder) {
	fmt.Fprintf(w, "\n## Rejected checkouts\n\n"+
		"Checkouts of a sold-out item alternate with accepted ones, %d clients. A rejected checkout costs %.2f accepted\n"+
		"ones (ratio of the rates), and %.0f µs of processor time, against %.0f µs.\n",
		r.plan.medium, r.accepted.rate()/r.rejected.rate(), r.rejected.cost(), r.accepted.cost())
	fmt.Fprint(w, "\n## batch_init\n\n")
	for _, b := range r.batches {
		fmt.Fprintf(w, "- %d %s: %.2f s\n", r.plan.batch, b.name, b.time.Seconds())
	}
	fmt.Fprint(w, "\n## Memory\n\nPeak resident size of the largest process of each kind, in MB, before batch_init:\n\n")
	table(w, strings.Join(processKinds, " | "))
	var row []any
	for _, kind := range processKinds {
		row = append(row, float64(r.memory[kind])/1e6)
	}
	cells(w, row...)
}

// disturbed is a limit: if other programs use a larger share of the processor time, the report contains a warning.
const disturbed = 0.1

// checkSection writes the results of the checks of all orders, users and items, and the load of the host.
func (r *report) checkSection(w *strings.Builder) {
	fmt.Fprint(w, "\n## Checks\n\n"+
		"Bench reads back every order after its checkout, and all users and items. A violation is an object that does\n"+
		"not add up. Checkouts include the warm-up. The last column is the largest number of undecided or unconfirmed\n"+
		"checkouts after a slice.\n\n")
	table(w, "measurement | checkouts | orders paid | violations | processors busy, % | by other programs, % | "+
		"unconfirmed")
	for _, p := range r.points() {
		busy, others := p.work.share.shares()
		if p.work.cost() == 0 { // the processor time of the servers is unknown
			others = 0
		}
		cells(w, p.name, p.sent, p.paid, len(p.named)+p.more, 100*busy, 100*others, p.backlog)
	}
	fmt.Fprintln(w)
	for _, p := range r.points() {
		p.failures(w)
	}
}

// failures lists violations, failed requests, exited processes and load by other programs.
func (p *point) failures(w *strings.Builder) {
	if _, others := p.work.share.shares(); others > disturbed && p.work.cost() > 0 {
		fmt.Fprintf(w, "- %s: **disturbed by other programs; measure again on an idle host.**\n", p.name)
	}
	for _, process := range distinct(p.work.exited, p.baseline.exited) {
		fmt.Fprintf(w, "- %s: CPU is unknown, because a process exited: %s\n", p.name, process)
	}
	for _, violation := range p.named {
		fmt.Fprintf(w, "- %s: %s\n", p.name, violation)
	}
	for _, phase := range []struct {
		name string
		*phase
	}{{"checkouts", p.work}, {"empty requests", p.baseline}} {
		for _, status := range slices.Sorted(maps.Keys(phase.samples)) {
			fmt.Fprintf(w, "- %s: %d %s returned %s, the first with `%s`\n",
				p.name, phase.statuses[status], phase.name, statusName(status), phase.samples[status])
		}
	}
}

// distinct returns the different strings of two lists, sorted.
func distinct(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}
