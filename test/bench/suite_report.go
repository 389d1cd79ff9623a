package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// markdown is the whole report.
func (s *suite) markdown() string {
	r := s.report
	r.points = s.closed
	var b strings.Builder
	b.WriteString(r.markdown())
	b.WriteString("\n![throughput](throughput.svg)\n\n![latency](latency.svg)\n\n![processor time](cpu.svg)\n")
	s.openTable(&b)
	s.itemsTable(&b)
	s.shardsTable(&b)
	s.simplesTable(&b)
	s.otherTables(&b)
	return b.String()
}

// percentile is that of the times of all answers.
func (p *phase) percentile(q float64) time.Duration {
	return percentile(slices.Sorted(slices.Values(p.took)), q)
}

func (s *suite) openTable(b *strings.Builder) {
	fmt.Fprintf(b, "\n## Open loop\n\nCheckouts come at a steady rate, a share of what %d clients got in the closed loop, over at most %d connections. The time of each\n"+
		"counts from when it was due, so that one that had to wait for others has waited.\n\n", busyClients, s.openClients)
	b.WriteString(row("share", "offered/s", "answered/s", "p50 ms", "p99 ms", "max ms", "answers"))
	b.WriteString(row(slices.Repeat([]string{"---:"}, 7)...))
	for _, p := range s.open {
		b.WriteString(row(fmt.Sprintf("%.0f %%", 100*p.share), fmt.Sprintf("%.0f", p.offered), fmt.Sprintf("%.0f", p.work.rate()),
			ms(p.work.percentile(50)), ms(p.work.percentile(99)), ms(p.work.percentile(100)), p.work.String()))
	}
}

func (s *suite) itemsTable(b *strings.Builder) {
	fmt.Fprintf(b, "\n## Items\n\nOne shard, 64 clients. Each further item costs %.1f µs of all servers' processor time.\n\n", s.perItem())
	b.WriteString(row("items", "checkouts/s", "p50 ms", "CPU µs", "order", "stock", "redis-order", "redis-stock"))
	b.WriteString(row(slices.Repeat([]string{"---:"}, 8)...))
	for _, p := range s.items {
		of := func(kind string) string { return us(p.work.each(p.work.servers[kind].total())) }
		b.WriteString(row(fmt.Sprint(p.lines), fmt.Sprintf("%.0f", p.work.rate()), ms(p.work.percentile(50)), fmt.Sprintf("%.0f", p.work.cpuCost()),
			of("order"), of("stock"), of("redis-order"), of("redis-stock")))
	}
	b.WriteString("\n![items](items.svg)\n")
}

func (s *suite) shardsTable(b *strings.Builder) {
	fmt.Fprintf(b, "\n## Shards\n\nOne item an order, all shards on this one machine: %d clients in all, and %[1]d for each shard. All systems are up and measured in turn.\n\n", busyClients)
	b.WriteString(row(append([]string{"shards", "clients", "checkouts/s", "p50 ms", "a checkout costs", "CPU µs", "against one", "CPU µs of an empty request"}, kinds...)...))
	b.WriteString(row(slices.Repeat([]string{"---:"}, 8+len(kinds))...))
	for _, p := range s.shards {
		cells := []string{fmt.Sprint(p.shards), fmt.Sprint(p.clients), fmt.Sprintf("%.0f", p.work.rate()), ms(p.work.percentile(50)), fmt.Sprintf("%.1f", p.floor.rate()/p.work.rate()),
			fmt.Sprintf("%.0f", p.work.cpuCost()), fmt.Sprintf("%+.0f %%", 100*(p.work.cpuCost()/s.shards[0].work.cpuCost()-1)), fmt.Sprintf("%.0f", p.floor.cpuCost())}
		for _, kind := range kinds {
			cells = append(cells, us(p.work.each(p.work.servers[kind].total())))
		}
		b.WriteString(row(cells...))
	}
	b.WriteString("\n![shards](shards.svg)\n")
}

func (s *suite) simplesTable(b *strings.Builder) {
	fmt.Fprintf(b, "\n## Reads and simple writes\n\n%d clients; writes are on disk when they are answered.\n\n", busyClients)
	b.WriteString(row("request", "a second", "p50 ms", "p99 ms", "costs empty requests", "CPU µs", "answers"))
	b.WriteString(row("---", "---:", "---:", "---:", "---:", "---:", "---"))
	for _, p := range s.simples {
		b.WriteString(row(p.name, fmt.Sprintf("%.0f", p.work.rate()), ms(p.work.percentile(50)), ms(p.work.percentile(99)),
			fmt.Sprintf("%.2f", p.cost()), fmt.Sprintf("%.0f", p.work.cpuCost()), p.work.String()))
	}
}

func (s *suite) otherTables(b *strings.Builder) {
	fmt.Fprintf(b, "\n## Refusals\n\nCheckouts of an item that is sold out, in turn with such that are paid, 64 clients: a refusal costs %.2f checkouts (%.0f µs of\nprocessor time, and %.0f).\n",
		s.paid.rate()/s.refused.rate(), s.refused.cpuCost(), s.paid.cpuCost())
	b.WriteString("\n## batch_init\n\n")
	for _, bulk := range s.bulks {
		fmt.Fprintf(b, "- %d %s: %.2f s\n", s.bulkOf, bulk.what, bulk.took.Seconds())
	}
	b.WriteString("\n## Memory\n\nThe most that a process held while all but batch_init was measured, MB:")
	for i, kind := range slices.Sorted(maps.Keys(s.memory)) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, " %s %.0f", kind, float64(s.memory[kind])/1e6)
	}
	b.WriteString(".\n")
}
