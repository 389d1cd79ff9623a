package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// openPoint is what customers waited who came at a rate, however long the others waited.
type openPoint struct {
	share   float64 // of the rate of the closed loop
	offered float64 // checkouts a second
	work    *phase
}

// open checks n orders out at a rate, from so many connections at most.
func (b *bench) open(ctx context.Context, clients, n int, share, rate float64) (*openPoint, error) {
	b.live.say("open loop: preparing %d orders", n)
	orders, err := b.fix.orders(ctx, n)
	if err != nil {
		return nil, err
	}
	d, err := newDriver(ctx, b.sys.gateway, clients)
	if err != nil {
		return nil, err
	}
	defer d.close()
	d.pace = &pace{every: time.Duration(float64(time.Second) / rate), total: n}
	at := &point{clients: clients, lines: b.fix.lines, work: newPhase(n), floor: newPhase(0)}
	if err := b.checkOut(ctx, d, orders, at.work, at, fmt.Sprintf("open loop at %.0f/s", rate)); err != nil {
		return nil, err
	}
	if err := b.verify(ctx, at, orders); err != nil {
		return nil, err
	}
	if len(at.findings.named) > 0 {
		return nil, fmt.Errorf("open loop: %s", strings.Join(at.findings.named, "; "))
	}
	return &openPoint{share, rate, at.work}, nil
}

// refusals measures checkouts that are refused, of an item that is sold out, and such that are not, in turn: what one of the
// former costs in the latter.
func (b *bench) refusals(ctx context.Context, clients, n, slices int) (refused, paid *phase, err error) {
	refused, paid = newPhase(n), newPhase(n)
	soldOut, err := b.soldOut(ctx)
	if err != nil {
		return nil, nil, err
	}
	d, err := newDriver(ctx, b.sys.gateway, clients)
	if err != nil {
		return nil, nil, err
	}
	defer d.close()
	for range slices {
		for _, kind := range []struct {
			fix  *fixture
			into *phase
			want int
		}{{b.fix, paid, 200}, {soldOut, refused, 409}} {
			orders, err := kind.fix.orders(ctx, n/slices)
			if err != nil {
				return nil, nil, err
			}
			part := newPhase(len(orders))
			if _, err := b.slice(ctx, d, part, &checkouts{host: d.addr, orders: orders, tally: part.tally}, "refusals in turn with successes"); err != nil {
				return nil, nil, err
			}
			if part.statuses[kind.want] != part.count() {
				return nil, nil, fmt.Errorf("of checkouts that were to be answered with %d: %s", kind.want, part.tally)
			}
			kind.into.join(part)
		}
	}
	return refused, paid, nil
}

// soldOut is a fixture with the same users, and one item of which there is none.
func (b *bench) soldOut(ctx context.Context) (*fixture, error) {
	var item created
	err := callAll(ctx, b.fix.d, 1, func(int) (string, string) { return "POST", fmt.Sprintf("/stock/item/create/%d", price) },
		into(func(int) *created { return &item }))
	return &fixture{d: b.fix.d, ids: idsUUID, users: b.fix.users, items: []holder{{id: item.ItemID}}, lines: 1}, err
}

// bulk is how long a batch_init took.
type bulk struct {
	what string
	took time.Duration
}

// bulks makes n of each by batch_init.
func (b *bench) bulks(ctx context.Context, n int) ([]bulk, error) {
	var all []bulk
	for _, step := range []struct{ what, path string }{
		{"users", fmt.Sprintf("/payment/batch_init/%d/%d", n, startCredit)},
		{"items", fmt.Sprintf("/stock/batch_init/%d/%d/%d", n, startStock, price)},
		{"orders", fmt.Sprintf("/orders/batch_init/%d/%d/%d/%d", n, n, n, price)},
	} {
		b.live.say("batch_init of %d %s", n, step.what)
		start := time.Now()
		if err := call(ctx, b.fix.d, "POST", step.path); err != nil {
			return nil, err
		}
		all = append(all, bulk{step.what, time.Since(start)})
	}
	return all, nil
}

// memory is the most that each process of the services has held so far, in bytes, by its name.
func (s *system) memory() (map[string]int64, error) {
	most := map[string]int64{}
	if s.stack == nil {
		return most, nil
	}
	for _, p := range s.stack.Processes() {
		file, err := os.Open("/proc/" + strconv.Itoa(p.PID) + "/status")
		if err != nil {
			continue // it has ended
		}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			if text, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
				kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(text, "kB")), 10, 64)
				if err != nil {
					file.Close()
					return nil, fmt.Errorf("memory of %s: %w", p.Name, err)
				}
				most[kindOf(p.Name)] = max(most[kindOf(p.Name)], kb<<10)
			}
		}
		file.Close()
	}
	return most, nil
}
