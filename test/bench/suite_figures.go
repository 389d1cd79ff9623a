package main

import (
	"fmt"
	"math"
	"time"
)

// cpuCost is the processor time of all servers for a checkout, in µs.
func (p *phase) cpuCost() float64 {
	return float64(p.each(p.servers.total().total())) / float64(time.Microsecond)
}

// perItem is what each further item of a cart costs, in µs of all servers: the slope from the smallest cart to the largest.
func (s *suite) perItem() float64 {
	first, last := s.items[0], s.items[len(s.items)-1]
	return (last.work.cpuCost() - first.work.cpuCost()) / float64(last.lines-first.lines)
}

// figures are all ratios and the most telling absolute figures.
func (s *suite) figures() *figures {
	f := newFigures()
	for _, p := range s.closed {
		name := fmt.Sprintf("%d clients: ", p.clients)
		f.Ratios[name+"a checkout in empty requests"] = p.floor.rate() / p.work.rate()
		f.Ratios[name+"its processor time in empty requests"] = p.work.cpuCost() / p.floor.cpuCost()
		f.Absolute[name+"checkouts/s"] = p.work.rate()
		f.Absolute[name+"CPU µs"] = p.work.cpuCost()
		f.Absolute[name+"empty requests/s"] = p.floor.rate()
	}
	for _, p := range s.items[1:] {
		f.Ratios[fmt.Sprintf("%d items: processor time in checkouts of one", p.lines)] = p.work.cpuCost() / s.items[0].work.cpuCost()
	}
	f.Absolute["CPU µs of each further item"] = s.perItem()
	for _, p := range s.shards[1:] {
		f.Ratios[fmt.Sprintf("%d shards, %d clients: processor time in checkouts with one", p.shards, p.clients)] = p.work.cpuCost() / s.shards[0].work.cpuCost()
	}
	for _, p := range s.simples {
		f.Ratios[p.name+": in empty requests"] = p.cost()
	}
	f.Ratios["a refusal in checkouts"] = s.paid.rate() / s.refused.rate()
	for _, b := range s.bulks {
		f.Absolute[fmt.Sprintf("batch_init of %d %s, s", s.bulkOf, b.what)] = b.took.Seconds()
	}
	return f
}

// charts are the pictures, by the names of their files.
func (s *suite) charts() map[string]chart {
	labels := func(points []*point, of func(*point) int) (texts []string, at []float64) {
		for _, p := range points {
			texts, at = append(texts, fmt.Sprint(of(p))), append(at, float64(of(p)))
		}
		return texts, at
	}
	values := func(points []*point, of func(*point) float64) (all []float64) {
		for _, p := range points {
			all = append(all, of(p))
		}
		return all
	}
	clients, at := labels(s.closed, func(p *point) int { return p.clients })
	for i := range at {
		at[i] = math.Log2(at[i])
	}
	items, itemsAt := labels(s.items, func(p *point) int { return p.lines })
	sharded := chart{title: "Processor time of a checkout by shards", x: "shards of each service, on one machine", y: "µs of all servers"}
	for _, each := range []bool{false, true} {
		costs := series{name: fmt.Sprintf("%d clients", busyClients)}
		if each {
			costs.name += " a shard"
		}
		sharded.labels, sharded.at = nil, nil
		for _, p := range s.sharded(each) {
			sharded.labels, sharded.at = append(sharded.labels, fmt.Sprint(p.shards)), append(sharded.at, float64(p.shards))
			costs.values = append(costs.values, p.work.cpuCost())
		}
		sharded.series = append(sharded.series, costs)
	}
	milliseconds := func(q float64) func(*point) float64 {
		return func(p *point) float64 { return float64(p.work.percentile(q)) / float64(time.Millisecond) }
	}
	several := s.closed[1:] // one client alone shares nothing with others: its bar would hide theirs
	cpu := chart{title: "Processor time of a checkout by process", x: "clients", y: "µs (user + system)", labels: clients[1:], stacked: true}
	for _, kind := range kinds {
		cpu.series = append(cpu.series, series{kind, values(several, func(p *point) float64 {
			return float64(p.work.each(p.work.servers[kind].total())) / float64(time.Microsecond)
		})})
	}
	return map[string]chart{
		"throughput": {title: "Durable checkouts a second", x: "clients", y: "checkouts/s", labels: clients, at: at,
			series: []series{{"checkouts", values(s.closed, func(p *point) float64 { return p.work.rate() })}}},
		"latency": {title: "Time to an answer", x: "clients", y: "ms", labels: clients, at: at,
			series: []series{{"p50", values(s.closed, milliseconds(50))}, {"p99", values(s.closed, milliseconds(99))}}},
		"cpu": cpu,
		"items": {title: "Processor time of a checkout by items in the cart", x: "different items", y: "µs of all servers", labels: items, at: itemsAt,
			series: []series{{"64 clients", values(s.items, func(p *point) float64 { return p.work.cpuCost() })}}},
		"shards": sharded,
	}
}
