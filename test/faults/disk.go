package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"checkout/test/check"
	"checkout/test/shop"
	"checkout/test/stack"
)

// diskScenario fills the disk of one Redis of each service.
var diskScenario = scenario{
	name: "disk", run: runDisk, sizes: []stack.Size{{Instances: 2, Shards: 2}},
	about: "One Redis exits because its disk is full: requests that need this Redis get 503 within a second, all others " +
		"succeed. When the disk has free space again, the Redis starts, has lost nothing, and every order is decided",
}

const (
	smallDisk  = "48m"
	ballast    = "ballast"       // name of the file that fills a disk
	exitWithin = 5 * time.Second // maximum time until a Redis with a full disk exits, while clients write
	diskShops  = 6               // number of clients; the test compares their responses with the data at the end
	diskRate   = 60              // requests per second of all these clients
)

func runDisk(ctx context.Context, tr *trial) (err error) {
	dir, err := os.MkdirTemp("", "checkout-disk-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, service := range stack.Services() {
		disk := filepath.Join(dir, "redis-"+service+"-0")
		if err := os.Mkdir(disk, 0o755); err != nil {
			return err
		}
		unmount, mountErr := stack.MountDisk(disk, smallDisk)
		if mountErr != nil && os.Geteuid() == 0 {
			return mountErr
		} else if mountErr != nil {
			tr.note("Skipped: %v. Run as root.", mountErr)
			return nil
		}
		defer func() { err = errors.Join(err, unmount()) }()
	}
	exits := make(chan string, 10)
	r, err := tr.startAvailability(ctx, stack.Config{Dir: dir, OnExit: func(name string, err error) { exits <- name }})
	if err != nil {
		return err
	}
	defer r.end(&err)
	sh, err := shop.Fill(r.Client, shop.Behavior{
		Clients: diskShops, CancelRate: 0.3, Rate: diskRate,
		OnCheckout: func(r check.Response) { tr.countCheckout(describeResponse(r)) },
	})
	if err != nil {
		return err
	}
	sh.Start(func(client uint64) *rand.Rand { return tr.random("client", client) })
	lines := row("Redis", "responses that need it", "503 after, p50 / p99 / longest", "started after", "recovered after") +
		row("---", "---", "---:", "---:", "---:")
	for _, service := range stack.Services() {
		line, err := r.withFullDisk(ctx, service, filepath.Join(dir, "redis-"+service+"-0"), exits)
		if err != nil {
			sh.Stop()
			return err
		}
		lines += line
	}
	sh.Stop()
	tr.note("Two instances and two shards of each service, %d clients.\n\n%s", availabilityClients+diskShops, lines)
	audit, err := sh.Audit(ctx, r.shards)
	if err != nil {
		tr.violate("%v", err)
		return nil
	}
	tr.recordLongest("until all orders were decided", audit.Decided)
	for _, violation := range audit.Violations {
		tr.violate("%s", violation)
	}
	return nil
}

// withFullDisk fills the disk of shard 0 of a service, waits until the Redis exits, and checks the responses to clients
// until the disk has free space again. It returns a row of the report.
func (r *availabilityRun) withFullDisk(ctx context.Context, service, disk string, exits <-chan string) (string, error) {
	name := "redis-" + service + "-0"
	if err := r.fillCarts(); err != nil {
		return "", err
	}
	done := r.trial.inject("full disk", name)
	defer done()
	if err := fillDisk(filepath.Join(disk, ballast)); err != nil {
		return "", err
	}
	down := make(chan time.Time, 1)
	started := make(chan error, 1)
	go func() {
		select {
		case exited := <-exits:
			down <- time.Now()
			if exited != name {
				started <- fmt.Errorf("the disk of %s is full, but %s exited", name, exited)
				return
			}
			started <- r.Start(ctx, name) // redis-start waits for free space
		case <-time.After(exitWithin):
			down <- time.Time{}
			started <- fmt.Errorf("the disk of %s is full, but the Redis has not exited after %v", name, exitWithin)
		}
	}()
	var during []operation
	var at time.Time
	for waiting := true; waiting && ctx.Err() == nil; { // clients must write: the Redis exits only at a write
		during = append(during, r.runClients(ctx, duringFault/8)...)
		select {
		case at = <-down:
			waiting = false
		default:
		}
	}
	reported := r.awaitReports(ctx, service)
	during = append(during, r.runClients(ctx, duringFault)...)
	known := <-reported
	if err := r.shards[service][0].Ping(ctx).Err(); err == nil {
		r.trial.violate("%s runs although its disk is full", name)
	}
	freed := time.Now()
	if err := os.Remove(filepath.Join(disk, ballast)); err != nil {
		return "", err
	}
	if err := <-started; err != nil {
		return "", err
	}
	running := time.Now()
	recovered, err := r.waitRecovered(ctx, service)
	if err != nil {
		return "", err
	}
	var took []time.Duration
	responses := map[string]int{}
	for _, op := range during {
		if op.needs(service, 0) && op.Began.After(at) {
			responses[fmt.Sprint(op.Status)]++
			took = append(took, op.took())
		}
		if wrong := op.checkWithout(service, at, known); wrong != "" {
			r.trial.violate("%s, full disk: %s: %s: %v %s", name, op.name, wrong, op.Response, op.FormatViolation())
		}
	}
	if len(took) == 0 {
		return "", fmt.Errorf("no request needed the faulty %s", name)
	}
	latency := fmt.Sprintf("%s / %s / %s", ms(percentile(took, 50)), ms(percentile(took, 99)), ms(percentile(took, 100)))
	return row(name, formatCounts(responses), latency, ms(running.Sub(freed)), ms(recovered.Sub(running))), nil
}

// fillDisk writes a file until the disk is full.
func fillDisk(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for size := len(block); size > 0; {
		if _, err := f.Write(block[:size]); err != nil {
			size /= 2 // a smaller block may still fit
		}
	}
	return nil
}
