package main

import (
	"context"
	"time"

	"checkout/common/api"
)

const (
	// sagasAtOnce is how many checkouts one machine decides at the same time. More would not be decided faster, but each of them
	// slower, and where all are too slow for their time to decide, all their work is for nothing.
	sagasAtOnce = 1024
	// queueWithin is how long a checkout may wait for its turn: there must be time left to decide it.
	queueWithin = 4 * time.Second
)

// queue lets checkouts begin, in the order in which they have come.
type queue struct {
	places chan struct{}
	within time.Duration
}

func newQueue() queue { return queue{make(chan struct{}, sagasAtOnce), queueWithin} }

// enter waits for a place; leave must follow. Its error is api.Overloaded: nothing has begun, and nothing will.
func (q *queue) enter(ctx context.Context) error {
	select {
	case q.places <- struct{}{}:
		return nil
	default:
	}
	patience := time.NewTimer(q.within)
	defer patience.Stop()
	select {
	case q.places <- struct{}{}:
		return nil
	case <-patience.C:
	case <-ctx.Done():
	}
	return api.Overloaded
}

func (q *queue) leave() { <-q.places }
