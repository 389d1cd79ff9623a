package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// availability is the scenario of one part that is away.
var availability = scenario{
	name: "availability", about: "one Redis is dead, or hangs: what needs it is told so within a second, the rest does not notice; one machine is killed, or stopped for a new one: nobody notices",
	run: runAvailability, sizes: []stack.Size{{Instances: 2, Shards: 2}},
}

const (
	availableCallers = 16
	preparedCarts    = 100
	beforeFault      = time.Second
	whileFault       = 2 * time.Second
	toldWithin       = time.Second // who asks for what is on a Redis that is away
)

// asked is one request and how it was answered.
type asked struct {
	what   string
	shards map[string]int // that it needs, by service
	check.Response
}

func (a asked) took() time.Duration { return a.Ended.Sub(a.Began) }

// needs tells whether it needs a shard.
func (a asked) needs(service string, shard int) bool {
	on, ok := a.shards[service]
	return ok && on == shard
}

// passers are callers who ask for things of which it is known on which shards they are.
type passers struct {
	*system
	orders, items, users [2]string   // one on each shard
	carts                chan string // orders with the item and the user on shard 0, filled before that died

	mu   sync.Mutex
	said []asked
}

func runAvailability(ctx context.Context, tr *trial) (err error) {
	s, err := tr.start(ctx, stack.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	p := &passers{system: s, carts: make(chan string, preparedCarts)}
	if err := p.fill(); err != nil {
		return err
	}
	lines := row("Redis", "how", "others, p99 before", "while", "ratio", "told 503 after, p50 / p99 / longest", "back after", "answers to who needs it") +
		row("---", "---", "---:", "---:", "---:", "---:", "---:", "---")
	for _, service := range stack.Services() {
		for _, how := range []string{"SIGKILL", "SIGSTOP"} {
			line, err := p.withoutShard(ctx, service, how)
			if err != nil {
				return err
			}
			lines += line
		}
	}
	tr.note("Two machines and two shards of each service, %d callers.\n\n%s", availableCallers, lines)
	lines = row("machine", "how", "p99 before", "while", "ratio", "requests", "answers") + row("---", "---", "---:", "---:", "---:", "---:", "---")
	for _, fault := range []struct{ machine, how string }{
		{"order-1", "SIGKILL"}, {"stock-1", "SIGKILL"}, {"payment-1", "SIGKILL"}, {"order-2", "restart"}, {"payment-2", "restart"},
	} {
		line, err := p.withoutMachine(ctx, fault.machine, fault.how)
		if err != nil {
			return err
		}
		lines += line
	}
	tr.note("%s", lines)
	s.settle(ctx)
	return nil
}

// fill makes an order, an item and a user on each shard.
func (p *passers) fill() error {
	make := func(into *[2]string, path, field string) error {
		for range 100 {
			id := p.Call("POST", path).Field(field)
			if id == "" {
				return fmt.Errorf("%s has made nothing", path)
			}
			into[shardOf(id)] = id
			if into[0] != "" && into[1] != "" {
				return nil
			}
		}
		return fmt.Errorf("%s makes everything on one shard", path)
	}
	if err := errors.Join(make(&p.items, "/stock/item/create/1", "item_id"), make(&p.users, "/payment/create_user", "user_id")); err != nil {
		return err
	}
	for i := range 2 {
		for _, path := range []string{"/stock/add/" + p.items[i], "/payment/add_funds/" + p.users[i]} {
			if a := p.Call("POST", path+"/1000000000"); !a.OK() {
				return fmt.Errorf("%s: %v", path, a)
			}
		}
	}
	return make(&p.orders, "/orders/create/"+p.users[1], "order_id")
}

// pass lets callers ask, for a time, and returns all that they were told.
func (p *passers) pass(ctx context.Context, lasts time.Duration) []asked {
	p.said = nil
	until := time.Now().Add(lasts)
	var passing sync.WaitGroup
	for i := range availableCallers {
		passing.Go(func() {
			for dice := rand.New(rand.NewPCG(p.trial.options.seed, uint64(i))); ctx.Err() == nil && time.Now().Before(until); {
				p.visit(dice.IntN(2))
			}
		})
	}
	passing.Wait()
	return p.said
}

func (p *passers) ask(what, method, path string, shards map[string]int) check.Response {
	a := p.Call(method, path)
	p.note(asked{what, shards, a})
	return a
}

// addItem tells whether it could. It has needed stock only where it could not: who adds may remember the price.
func (p *passers) addItem(order, item string) bool {
	a, shards := p.Call("POST", "/orders/addItem/"+order+"/"+item), map[string]int{"order": shardOf(order)}
	if !a.OK() {
		shards["stock"] = shardOf(item)
	}
	p.note(asked{"add an item", shards, a})
	return a.OK()
}

func (p *passers) note(a asked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, a)
}

// visit is what a caller does, with things on one shard.
func (p *passers) visit(shard int) {
	item, user := p.items[shard], p.users[shard]
	p.ask("find an order", "GET", "/orders/find/"+p.orders[shard], map[string]int{"order": shard})
	p.ask("find an item", "GET", "/stock/find/"+item, map[string]int{"stock": shard})
	p.ask("find a user", "GET", "/payment/find_user/"+user, map[string]int{"payment": shard})
	p.ask("add stock", "POST", "/stock/add/"+item+"/1", map[string]int{"stock": shard})
	order := p.ask("create", "POST", "/orders/create/"+user, nil).Field("order_id")
	if order == "" {
		return
	}
	if p.addItem(order, item) {
		p.checkout(order, shard)
	}
	select {
	case order := <-p.carts:
		p.checkout(order, 0)
	default:
	}
}

func (p *passers) checkout(order string, shard int) {
	a := p.ask("checkout", "POST", "/orders/checkout/"+order, map[string]int{"order": shardOf(order), "stock": shard, "payment": shard})
	p.trial.told(fmt.Sprint(a.Status))
}

// shardOf is the shard that an id names, of two.
func shardOf(id string) int { return int(id[len(id)-1] - '0') }

// prepare fills carts for the time when shard 0 is dead.
func (p *passers) prepare() error {
	for len(p.carts) < cap(p.carts) {
		order := p.Call("POST", "/orders/create/"+p.users[0]).Field("order_id")
		if a := p.Call("POST", "/orders/addItem/"+order+"/"+p.items[0]); !a.OK() {
			return fmt.Errorf("filling a cart: %v", a)
		}
		p.carts <- order
	}
	return nil
}

// withoutShard kills shard 0 of a service for a while, or stops it where it is, so that it hangs.
func (p *passers) withoutShard(ctx context.Context, service, how string) (string, error) {
	name := "redis-" + service + "-0"
	others := func(a asked) bool { return !a.needs(service, 0) && (a.what != "create" || a.OK()) }
	before := p.pass(ctx, beforeFault)
	if err := p.prepare(); err != nil {
		return "", err
	}
	end, bring := p.Kill, func(name string) error { return p.Start(ctx, name) }
	if how == "SIGSTOP" {
		end, bring = p.Pause, p.Resume
	}
	over := p.trial.inject(how, name)
	if err := end(name); err != nil {
		return "", err
	}
	died := time.Now()
	during := p.pass(ctx, whileFault)
	if err := bring(name); err != nil {
		return "", err
	}
	over()
	began := time.Now()
	back, err := p.back(ctx, service)
	if err != nil {
		return "", err
	}
	var told []time.Duration
	answers := map[string]int{}
	for _, a := range during {
		switch {
		case a.needs(service, 0):
			answers[fmt.Sprint(a.Status)]++
			if a.Began.After(died) && a.took() > toldWithin {
				p.trial.violate("%s, %s: %s, which needs it, took %v: %v", name, how, a.what, a.took(), a.Response)
			}
			if told = append(told, a.took()); a.Status != http.StatusServiceUnavailable && !a.Refused() && a.Began.After(died) || a.FormatViolation() != "" {
				p.trial.violate("%s, %s: %s, which needs it: %v %s", name, how, a.what, a.Response, a.FormatViolation())
			}
		case a.what == "create" && service == "order" && a.Status == http.StatusServiceUnavailable && a.Began.Sub(died) < time.Second:
			// on the way to the shard before anybody knew that it was away
		case !a.OK():
			p.trial.violate("%s, %s: %s, which does not need it: %v", name, how, a.what, a.Response)
		}
	}
	a, b := p99(before, others), p99(during, others)
	slices.Sort(told)
	if len(told) == 0 {
		return "", fmt.Errorf("nobody has needed %s", name)
	}
	return row(name, how, ms(a), ms(b), fmt.Sprintf("%.1f", float64(b)/float64(a)),
		fmt.Sprintf("%s / %s / %s", ms(told[len(told)/2]), ms(told[len(told)*99/100]), ms(told[len(told)-1])), ms(back.Sub(began)), listed(answers)), nil
}

// back waits until what needs a shard is done again, a checkout included.
func (p *passers) back(ctx context.Context, service string) (time.Time, error) {
	err := check.Poll(ctx, check.DecisionTimeout, func(context.Context) error {
		p.said = nil
		p.visit(0)
		for _, a := range p.said {
			if !a.OK() {
				return fmt.Errorf("%s: %v", a.what, a.Response)
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		p.trial.violate("shard 0 of %s is back, and: %v", service, err)
		err = nil
	}
	return time.Now(), err
}

// withoutMachine kills a machine, or stops it gracefully, and starts it again. No checkout may notice, and of a restart nobody.
func (p *passers) withoutMachine(ctx context.Context, name, how string) (string, error) {
	before := p.pass(ctx, beforeFault)
	over := p.trial.inject(how, name)
	gone := make(chan error, 1)
	go func() {
		time.Sleep(whileFault / 10)
		end := p.Kill
		if how == "restart" {
			end = func(name string) error { return p.Stop(ctx, name) }
		}
		gone <- errors.Join(end(name), p.Start(ctx, name))
	}()
	during := p.pass(ctx, 2*whileFault)
	over()
	if err := <-gone; err != nil {
		return "", err
	}
	answers := map[string]int{}
	for _, a := range during {
		answers[fmt.Sprint(a.Status)]++
		// The attempt of a coordinator that was killed may have been given up by another: that is an answer, and a true one.
		givenUp := how == "SIGKILL" && a.Problem() == "attempt-closed"
		if !a.OK() && !givenUp && (how == "restart" || a.what == "checkout") || a.FormatViolation() != "" {
			p.trial.violate("%s of %s: %s: %v %s", how, name, a.what, a.Response, a.FormatViolation())
		}
	}
	all := func(asked) bool { return true }
	a, b := p99(before, all), p99(during, all)
	return row(name, how, ms(a), ms(b), fmt.Sprintf("%.1f", float64(b)/float64(a)), fmt.Sprint(len(during)), listed(answers)), nil
}

func p99(said []asked, which func(asked) bool) time.Duration {
	var took []time.Duration
	for _, a := range said {
		if which(a) {
			took = append(took, a.took())
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

func ms(d time.Duration) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(d)/1e6), ".0") + " ms"
}
