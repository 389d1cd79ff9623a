package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// report is everything that was measured.
type report struct {
	command string
	date    time.Time
	fixed   []string // machine and versions
	floors  *floors  // nil: not measured
	points  []*point
}

func (r *report) ok() bool {
	return !slices.ContainsFunc(r.points, func(p *point) bool { return !p.ok() })
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Checkouts, measured\n\n%s, by `%s`\n\n", r.date.UTC().Format("2006-01-02 15:04 MST"), r.command)
	for _, line := range r.fixed {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	if r.floors != nil {
		r.floors.markdown(&b)
	}
	b.WriteString("\nEvery figure is of a closed loop through the gateway. A checkout costs as many empty requests as that many clients" +
		"\ngot answered in the time of one checkout, in the same run; in brackets the lowest and the highest of the slices.\n\n")
	b.WriteString(row("clients", "items", "checkouts/s", "p50 ms", "p99 ms", "max ms", "empty requests/s", "p50 ms", "a checkout costs", "CPU µs", "answers"))
	b.WriteString(row("---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---"))
	for _, p := range r.points {
		b.WriteString(p.row())
	}
	if r.floors != nil {
		b.WriteString("\nProcessor time of a checkout in µs (user + system), until it is confirmed:\n\n")
		r.cpuTable(&b)
	}
	b.WriteByte('\n')
	for _, p := range r.points {
		p.remarks(&b)
		if p.clients == 1 && r.floors != nil {
			fmt.Fprintf(&b, "- One client: a checkout of one item is %d scripts, each on disk before the next, and %d requests, one after the other. With nothing else to do\n"+
				"  these are %s ms; it took %s.\n", scriptsInTurn, requestsInTurn, ms(r.floors.alone(p)), ms(p.work.percentile(50)))
		}
	}
	return b.String()
}

func row(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |\n" }

func (f *floors) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "- fsync of one record: p50 %s ms, p99 %s ms\n- scripts a second on one redis-server, each synced before its answer:",
		ms(f.fsyncP50), ms(f.fsyncP99))
	for i, e := range f.evals {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, " %.0f in round trips of %d", e.second, e.batch)
	}
	b.WriteByte('\n')
}

// What a checkout does one after the other (protocol: begin, reserve credit, reserve stock, commit; the client's request, payment's and stock's).
const (
	scriptsInTurn  = 4
	requestsInTurn = 3
)

// alone is how long the parts of a checkout take that is the only one, each measured by itself. An empty request goes through the gateway,
// which two of its three do not; so it is a little too long.
func (f *floors) alone(p *point) time.Duration {
	script := time.Duration(float64(time.Second) / f.evals[0].second)
	return scriptsInTurn*script + requestsInTurn*p.floor.percentile(50)
}

func (p *point) row() string {
	work, floor := slices.Sorted(slices.Values(p.work.took)), slices.Sorted(slices.Values(p.floor.took))
	ratios := "-"
	if p.work.rate() > 0 {
		ratios = fmt.Sprintf("%.1f (%.1f–%.1f)", p.floor.rate()/p.work.rate(), slices.Min(p.ratios), slices.Max(p.ratios))
	}
	used := "-"
	if total := p.work.servers.total().total(); total > 0 {
		used = us(p.work.each(total))
	}
	return row(fmt.Sprint(p.clients), fmt.Sprint(p.lines),
		fmt.Sprintf("%.0f", p.work.rate()), ms(percentile(work, 50)), ms(percentile(work, 99)), ms(percentile(work, 100)),
		fmt.Sprintf("%.0f", p.floor.rate()), ms(percentile(floor, 50)), ratios, used, p.work.String())
}

// kinds is the order in which kinds of processes are listed.
var kinds = []string{"nginx", "order", "stock", "payment", "redis-order", "redis-stock", "redis-payment"}

func (r *report) cpuTable(b *strings.Builder) {
	head := append(append([]string{"clients", "all"}, kinds...), "generator", "an empty request")
	b.WriteString(row(head...))
	b.WriteString(row(slices.Repeat([]string{"---:"}, len(head))...))
	for _, p := range r.points {
		split := func(c cpu) string {
			return fmt.Sprintf("%s (%s + %s)", us(p.work.each(c.total())), us(p.work.each(c.user)), us(p.work.each(c.system)))
		}
		cells := []string{fmt.Sprint(p.clients), split(p.work.servers.total())}
		for _, kind := range kinds {
			cells = append(cells, split(p.work.servers[kind]))
		}
		b.WriteString(row(append(cells, split(p.work.generator), us(p.floor.each(p.floor.servers.total().total())))...))
	}
}

// disturbed is the share of the processors that something else may take: beyond it the figures say little.
const disturbed = 0.1

// remarks says what was found afterwards, and what went wrong.
func (p *point) remarks(b *strings.Builder) {
	fmt.Fprintf(b, "- %d clients: %d checkouts, those to warm up included, %d orders paid; ", p.clients, p.sent, p.paid)
	if len(p.findings.named) == 0 {
		b.WriteString("every order, user and item adds up.")
	} else {
		fmt.Fprintf(b, "**things that do not add up: %d.**", len(p.findings.named)+p.findings.more)
	}
	busy, others := p.work.shares()
	fmt.Fprintf(b, " The processors were busy for %.0f %% of the time", 100*busy)
	if p.work.servers.total().total() > 0 {
		fmt.Fprintf(b, ", %.0f %% with what is no part of this; at most %d checkouts were unconfirmed at the end of a slice", 100*others, p.backlog)
	}
	b.WriteString(".")
	if p.work.servers.total().total() > 0 && others > disturbed {
		b.WriteString(" **Disturbed: measure again when the machine does nothing else.**")
	}
	b.WriteByte('\n')
	for _, found := range p.findings.named {
		fmt.Fprintf(b, "  - %s\n", found)
	}
	p.work.remarks(b, "checkouts")
	p.floor.remarks(b, "empty requests")
}

func (t *tally) remarks(b *strings.Builder, what string) {
	for _, status := range slices.Sorted(maps.Keys(t.samples)) {
		fmt.Fprintf(b, "  - %d %s were answered with %s, the first with `%s`\n", t.statuses[status], what, statusName(status), t.samples[status])
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }
func us(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d)/float64(time.Microsecond)) }
