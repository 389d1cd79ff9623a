package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"checkout/common/env"
	"checkout/common/logs"
	"checkout/keeper/rule"
)

// Times of a keeper.
const (
	tickInterval = 100 * time.Millisecond
	// askTimeout bounds a request to another keeper, and all commands of one step.
	askTimeout = 400 * time.Millisecond
	// dialTimeout bounds a dial to another keeper, with its name resolution. It may exceed askTimeout: if the
	// request ends first, the dial continues for a later request.
	dialTimeout = 3 * time.Second
	// electTimeout is the time without a beat after which a primary counts as unhealthy. Each keeper adds a random time of
	// up to half of electTimeout before it stands for election. So two keepers seldom stand at the same time.
	electTimeout = time.Second
	// recent is the maximum age of an acknowledgement that the primary takes into account.
	recent = 2 * askTimeout
)

// keeper guards one node. One step of its rule.Member runs at a time. A step includes the commands to the node's own
// Redis, but no request to another keeper.
type keeper struct {
	config env.Keeper
	log    *slog.Logger
	redis  *redisNode
	member *rule.Member
	stored bool // the state file existed at the start
	client *http.Client
	steps  chan struct{} // holds one token while no step runs
	wake   chan struct{} // requests a tick now

	failures logs.Limiter
	founding sync.Mutex // held during keeper init

	mu        sync.Mutex // guards the fields below; never held during a command, a request or a write to disk
	started   bool       // the promise has been checked against the data
	observed  rule.Observation
	problem   error     // why there is no observation
	lastBeat  time.Time // when the keeper received the last beat of a primary
	deadline  time.Time // when to stand for election
	primary   rule.Beat // the last beat
	lag       int64     // number of batches that this node lacked at the last beat
	inSync    bool      // this node was in sync at the last beat
	waits     string    // why this node does not follow the primary
	resigned  int64     // the primary of this epoch has resigned, so this node ignores its beats
	floor     int64     // highest promise of another node
	leads     int64     // the epoch of which this node is the primary, or 0
	acks      [env.Copies]ack
	joining   rule.Joining
	offsets   offsets // replication offsets of this node while it is primary
	isolation isolation
	yields    time.Time // this node does not stand for election before this time; see the method yield
	stopping  bool
	counters  counters
}

// ack is the last acknowledgement of another node.
type ack struct {
	rule.Ack
	at    time.Time
	err   error // result of the last beat
	asked bool  // a beat is in flight
}

// newKeeper reads the state file and returns a keeper that does not run yet.
func newKeeper(c env.Keeper, log *slog.Logger) (*keeper, error) {
	k := &keeper{
		config: c, log: log, redis: newRedis(c),
		client: &http.Client{Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
			MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute,
		}},
		steps: make(chan struct{}, 1), wake: make(chan struct{}, 1), problem: errStarting,
	}
	file := stateFile{c.State, c.ShardName(), c.Node}
	promise, found, err := file.load()
	if err != nil {
		return nil, err
	}
	k.stored = found
	k.member = rule.NewMember(c.Node, c.Nodes[:], promise, k.redis, file)
	k.steps <- struct{}{}
	return k, nil
}

var errStarting = errors.New("the keeper has not reached its Redis yet")

// step runs a step of the member. It fails until the promise has been checked against the data.
func (k *keeper) step(ctx context.Context, f func(context.Context) error) error {
	if !k.hasStarted() {
		return errStarting
	}
	return k.exclusive(ctx, f)
}

// exclusive calls f while no other step runs. It returns an error after askTimeout, or when ctx ends.
func (k *keeper) exclusive(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	select {
	case <-k.steps:
	case <-ctx.Done():
		return errors.New("another step of the keeper is still waiting for its Redis")
	}
	defer func() { k.steps <- struct{}{} }()
	if err := ctx.Err(); err != nil { // for example, the sender of the request has disconnected
		return err
	}
	return f(ctx)
}

// run calls tick regularly, and whenever the keeper is woken, until ctx ends or the promise is lost.
func (k *keeper) run(ctx context.Context) error {
	k.postpone(time.Now())
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		if err := k.tick(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
		case <-ticker.C:
		}
	}
}

func (k *keeper) wakeUp() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// postpone sets the time at which this node stands for election: electTimeout plus a random time from now.
func (k *keeper) postpone(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.deadline = now.Add(electTimeout + rand.N(electTimeout/2))
}

// tick inspects the Redis. Then a primary sends its beats. A node that has received no beat for too long stands for
// election. tick returns only the error ErrLostPromise, which ends the keeper.
func (k *keeper) tick(ctx context.Context) error {
	var o rule.Observation
	primary := false
	err := k.exclusive(ctx, func(ctx context.Context) (err error) {
		if !k.hasStarted() {
			if o, err = k.redis.Observe(ctx); err == nil {
				err = k.start(o)
			}
			if err != nil {
				return err
			}
		}
		o, err = k.member.Inspect(ctx)
		primary = err == nil && k.member.Primary(o)
		return err
	})
	if errors.Is(err, rule.ErrLostPromise) {
		return err
	}
	leads, resigns := k.observe(o, err, primary)
	switch {
	case resigns > 0:
		k.resign(ctx, resigns, k.successor())
	case leads:
		k.lead(ctx, o)
	case k.overdue():
		k.elect(ctx)
	}
	return nil
}

// observe records the result of an inspection, and reports whether this node is the primary. If this node has certainly
// lost the role of the primary, observe also returns the epoch in which the node was the primary. The caller then
// resigns, so that the other nodes need not wait for a timeout.
func (k *keeper) observe(o rule.Observation, err error, primary bool) (leads bool, resigns int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch known := k.problem != nil && k.problem != errStarting; {
	case err != nil && err != errStarting && !known:
		k.log.Warn("cannot use the Redis", "error", err)
	case err == nil && k.problem != nil:
		k.log.Info("the keeper can use its Redis", "position", o.Position.String(), "master", o.Master, "follows", o.Follows)
	}
	k.problem = err
	if err == nil {
		k.observed = o
	}
	leads = primary && o.Position.Epoch > k.resigned
	switch {
	case leads && k.leads != o.Position.Epoch:
		k.log.Info("this node is the primary", "epoch", o.Position.Epoch, "seq", o.Position.Seq)
		k.leads, k.acks, k.joining = o.Position.Epoch, [env.Copies]ack{}, rule.Joining{}
	case !primary && k.leads > 0 && (err == nil || errors.Is(err, syscall.ECONNREFUSED)):
		k.log.Warn("this node is not the primary any more", "epoch", k.leads, "error", err)
		resigns, k.leads = k.leads, 0
	}
	return leads, resigns
}

// overdue reports whether it is time to stand for election. These nodes stand later than the others:
//
//   - a node that has not written its copy of the data to disk yet, because as primary it could not acknowledge writes
//   - a node that has resigned because no replica acknowledged its writes (see the method yield)
func (k *keeper) overdue() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	deadline := k.deadline
	if k.observed.Unwritten {
		deadline = deadline.Add(electTimeout)
	}
	if k.yields.After(deadline) {
		deadline = k.yields
	}
	return k.started && k.problem == nil && k.observed.Complete() && !k.stopping && time.Now().After(deadline)
}

// healthy reports whether this node has recently received a beat of a primary that has not resigned.
func (k *keeper) healthy() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Since(k.lastBeat) < electTimeout
}

func (k *keeper) hasStarted() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.started
}

// start checks the first observation of the Redis against the state file. Before that, the keeper takes part in no
// election, and does not make its Redis follow a primary.
func (k *keeper) start(o rule.Observation) error {
	if o.Loading {
		return errStarting
	}
	if err := k.member.Check(o, k.stored); err != nil {
		return err
	}
	k.log.Info("started", "promised", k.member.Promised(), "position", o.Position.String())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.started = true
	return nil
}
