package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"checkout/test/stack"
)

// other is an implementation of the course's API that is already running.
type other struct {
	name, url string
	processes []stack.Process // may be empty
}

// parseOthers parses the lists of -compare, -names and -pids.
func parseOthers(urls, names, pids string) ([]other, error) {
	var all []other
	for _, u := range strings.Fields(urls) {
		if err := checkURL(u); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(o other) bool { return sameGateway(o.url, u) }) {
			return nil, fmt.Errorf("compare: %s is listed twice", u)
		}
		all = append(all, other{name: strings.TrimPrefix(u, "http://"), url: u})
	}
	nameList := strings.Fields(names)
	if len(all) == 0 || len(nameList) != 0 && len(nameList) != len(all) {
		return nil, fmt.Errorf("-compare has %d URLs, -names has %d names: want the same number, at least 1",
			len(all), len(nameList))
	}
	for i, name := range nameList {
		all[i].name = name
	}
	for i, list := range strings.Split(pids, ";") {
		for text := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' }) {
			process, err := findProcess(text)
			if err != nil {
				return nil, fmt.Errorf("-pids: process %s: %w", text, err)
			}
			if i >= len(all) {
				return nil, fmt.Errorf("-pids: more lists than URLs in -compare (%d)", len(all))
			}
			if slices.ContainsFunc(all[i].processes, func(p stack.Process) bool { return p.PID == process.PID }) {
				return nil, fmt.Errorf("-pids: process %s is listed twice for %s", text, all[i].name)
			}
			all[i].processes = append(all[i].processes, process)
		}
	}
	return all, nil
}

// checkURL returns an error if a URL is not of the form http://host:port, or if the host may be another machine.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	if host := u.Hostname(); host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("compare: %s is not on this host: load goes only to localhost, 127.0.0.0/8 and [::1]", text)
	}
	if _, err := parseGateway(text); err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	return nil
}

// sameGateway reports whether two valid URLs have the same host and port.
func sameGateway(a, b string) bool {
	first, _ := parseGateway(a)
	second, _ := parseGateway(b)
	return first == second
}

func findProcess(text string) (stack.Process, error) {
	pid, err := strconv.Atoi(text)
	if err != nil {
		return stack.Process{}, errors.New("not a number")
	}
	p, err := procfs.NewProc(pid)
	if err != nil {
		return stack.Process{}, err
	}
	name, err := p.Comm()
	return stack.Process{Name: name, PID: pid}, err
}

// contestant is one of the compared systems, with its results.
type contestant struct {
	name string
	*bench
	orders []order          // all orders that were checked out
	rounds map[int][]*phase // by number of clients
	failed error            // why the last round failed; no round followed

	audit     audit
	unaudited error // why the audit was not possible
}

const addsUp = "adds up"

// verdict returns "adds up" or the problem.
func (s *contestant) verdict() string {
	switch {
	case s.unaudited != nil:
		return fmt.Sprintf("audit not possible: %v", s.unaudited)
	case !s.audit.addsUp():
		return "does not add up"
	case s.audit.paid == 0:
		return "no checkout got 2xx"
	case s.failed != nil:
		return "adds up, but a round failed"
	}
	return addsUp
}

// comparison is a measurement of several systems in turn. The first system is this project.
type comparison struct {
	others []other
	slice  time.Duration // time for each system in each round
	settle time.Duration // timeout of the audit of each system

	clients []int
	systems []*contestant
	host    []string // description of the host
}

// runComparison measures all systems and writes the report.
func runComparison(ctx context.Context, o options, stdout, progress io.Writer) error {
	others, err := parseOthers(o.compare, o.names, o.pids)
	if err != nil {
		return err
	}
	if o.gateway != "" {
		if err := checkURL(o.gateway); err != nil {
			return err
		}
		if slices.ContainsFunc(others, func(other other) bool { return sameGateway(other.url, o.gateway) }) {
			return fmt.Errorf("compare: %s is both in -compare and the URL of -gateway", o.gateway)
		}
	}
	c := &comparison{others: others, slice: 2 * time.Second, settle: auditTimeout, clients: o.clients}
	if len(c.clients) == 0 {
		c.clients = []int{1, 64, 256}
	}
	if err := c.measure(ctx, o, newPlan(o), log.New(progress, "", 0)); err != nil {
		return err
	}
	text := c.markdown(time.Now())
	fmt.Fprint(stdout, text)
	if o.out != "" {
		err := errors.Join(os.MkdirAll(o.out, 0o755),
			os.WriteFile(filepath.Join(o.out, "compare.md"), []byte(text), 0o644))
		if err != nil {
			return err
		}
	}
	return c.violations()
}

// violations returns an error that names the systems whose verdict is not addsUp, or nil if there are none.
func (c *comparison) violations() error {
	var names []string
	for _, s := range c.systems {
		if s.verdict() != addsUp {
			names = append(names, s.name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf(`the verdict of %s is not "adds up", see the report`, strings.Join(names, ", "))
}

// thisProject is the name of this project in the report.
const thisProject = "this project"

// measure starts this project, unless -gateway is set. In each round, it measures all systems in turn, in an order that
// changes from round to round. It does not measure a system again after a failed round. The report names the failure.
func (c *comparison) measure(ctx context.Context, o options, p plan, log *log.Logger) (err error) {
	defer func() {
		for _, s := range c.systems {
			err = errors.Join(err, s.close())
		}
	}()
	p.tolerant = true
	for _, next := range slices.Concat([]other{{thisProject, o.gateway, nil}}, c.others) {
		o.gateway = next.url
		b, err := newBench(ctx, o, p, o.shards, log)
		if err != nil {
			return fmt.Errorf("%s: %w", next.name, err)
		}
		c.systems = append(c.systems, &contestant{name: next.name, bench: b, rounds: map[int][]*phase{}})
		if next.processes != nil {
			b.sys.processes = next.processes
		}
		if err := b.fix.detectAddItem(ctx); err != nil {
			return fmt.Errorf("%s: %w", next.name, err)
		}
	}
	c.host = c.systems[0].sys.describe(ctx)
	for _, clients := range c.clients {
		for round := range p.slices {
			for i := range c.systems {
				s := c.systems[(i+round)%len(c.systems)]
				if s.failed != nil {
					continue
				}
				err := s.round(ctx, clients, c.slice)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err != nil {
					s.failed = fmt.Errorf("%s: %w", plural(clients, "client"), err)
					log.Printf("%s, %v", s.name, s.failed)
				}
			}
		}
	}
	for _, s := range c.systems {
		if s.audit, s.unaudited = auditSystem(ctx, s.fix, s.orders, c.settle); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// round checks out orders for about the given duration. It computes the number of orders from the rate of the
// previous round with as many clients. The first round uses the rate of a warm-up.
func (s *contestant) round(ctx context.Context, clients int, duration time.Duration) error {
	d, err := newDriver(ctx, s.sys.gateway, clients)
	if err != nil {
		return err
	}
	defer d.close()
	rounds := s.rounds[clients]
	if len(rounds) == 0 {
		warmUp, err := s.checkOutNew(ctx, d, max(4*clients, 50))
		if err != nil {
			return err
		}
		rounds = []*phase{warmUp}
	} else {
		rounds = rounds[len(rounds)-1:]
	}
	n := int(rounds[0].rate() * duration.Seconds())
	p, err := s.checkOutNew(ctx, d, min(max(n, 2*clients), 50_000))
	if err != nil {
		return err
	}
	s.rounds[clients] = append(s.rounds[clients], p)
	s.log.Printf("%s, %s: %.0f checkouts/s, p50 %s ms, %s",
		s.name, plural(clients, "client"), p.paidRate(), ms(p.percentile(50)), p.tally)
	return nil
}

// checkOutNew creates n orders and checks them out.
func (s *contestant) checkOutNew(ctx context.Context, d *driver, n int) (*phase, error) {
	orders, err := s.fix.orders(ctx, n)
	if err != nil {
		return nil, err
	}
	p, err := s.checkOut(ctx, d, orders, &point{})
	s.orders = append(s.orders, orders...)
	return p, err
}

// paidRate returns the number of requests per second that got 2xx.
func (p *phase) paidRate() float64 { return float64(p.successes()) / p.elapsed.Seconds() }

// paidCost returns the processor time of all servers for each request that got 2xx, in µs. The result 0 means unknown.
func (p *phase) paidCost() float64 {
	if p.successes() == 0 {
		return 0
	}
	return p.cost() * float64(p.count()) / float64(p.successes())
}

func (p *phase) successes() (n int) {
	for status, requests := range p.statuses {
		if status/100 == 2 {
			n += requests
		}
	}
	return n
}
