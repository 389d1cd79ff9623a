package main

import (
	"context"
	"fmt"
	"time"
)

// simple is a request that is no checkout, measured against empty ones.
type simple struct {
	name   string
	method string
	path   func(i int) string
}

// reads and writes of one thing each, as many as wanted.
func (f *fixture) simples(orders []order) []simple {
	return []simple{
		{"find an order", "GET", func(i int) string { return "/orders/find/" + orders[i%len(orders)].id }},
		{"find an item", "GET", func(i int) string { return "/stock/find/" + f.items[i%len(f.items)].id }},
		{"find a user", "GET", func(i int) string { return "/payment/find_user/" + f.users[i%len(f.users)].id }},
		{"create an order", "POST", func(i int) string { return "/orders/create/" + f.users[i%len(f.users)].id }},
		{"add an item to an order", "POST", func(i int) string {
			return "/orders/addItem/" + orders[i%len(orders)].id + "/" + f.items[i%len(f.items)].id + "/1"
		}},
		{"create an item", "POST", func(int) string { return fmt.Sprintf("/stock/item/create/%d", price) }},
		{"create a user", "POST", func(int) string { return "/payment/create_user" }},
		{"add stock and take it back", "POST", func(i int) string {
			return fmt.Sprintf("/stock/%s/%s/1", [2]string{"add", "subtract"}[i%2], f.items[i/2%len(f.items)].id)
		}},
	}
}

// repeated is work that sends one kind of request for some time from its first request on.
type repeated struct {
	simple
	host  string
	last  time.Duration
	until time.Time
	sent  int
	*tally
}

func (r *repeated) next(buf []byte) ([]byte, int, bool) {
	now := time.Now()
	if r.until.IsZero() {
		r.until = now.Add(r.last)
	}
	if !now.Before(r.until) {
		return buf, 0, false
	}
	i := r.sent
	r.sent++
	return appendRequest(buf, r.method, r.host, r.path(i)), i, true
}

func (r *repeated) done(_ int, a answer) { r.add(a) }

// simplePoint is what was measured of one kind of request.
type simplePoint struct {
	name        string
	work, floor *phase
}

// cost is how many empty requests it costs.
func (p *simplePoint) cost() float64 { return p.floor.rate() / p.work.rate() }

const (
	simpleFor  = 700 * time.Millisecond // of a slice
	simplePace = 140 * time.Microsecond // between orders that are made for it
)

// simples measures simple requests and empty ones in turn.
func (b *bench) simples(ctx context.Context, clients, slices int) ([]*simplePoint, error) {
	orders, err := b.fix.orders(ctx, int(b.lasting(simpleFor)/simplePace))
	if err != nil {
		return nil, err
	}
	d, err := newDriver(ctx, b.sys.gateway, clients)
	if err != nil {
		return nil, err
	}
	defer d.close()
	var all []*simplePoint
	last := b.lasting(simpleFor)
	for _, s := range b.fix.simples(orders) {
		p := &simplePoint{name: s.name, work: newPhase(0), floor: newPhase(0)}
		for range slices {
			work, floor := newPhase(0), newPhase(0)
			if _, err := b.slice(ctx, d, work, &repeated{simple: s, host: d.addr, last: last, tally: work.tally}, s.name); err != nil {
				return nil, err
			}
			if _, err := b.slice(ctx, d, floor, &empties{host: d.addr, last: last, tally: floor.tally}, "empty requests"); err != nil {
				return nil, err
			}
			p.work.join(work)
			p.floor.join(floor)
		}
		b.live.say("%s: %.0f/s, %.2f empty requests", p.name, p.work.rate(), p.cost())
		all = append(all, p)
	}
	return all, nil
}
