package main

import "time"

// pace turns a driver into an open loop, in which a request is due at a fixed interval. The latency of a request counts
// from its due time, so the latency includes the delay that earlier slow responses cause. A closed loop omits this
// delay ("coordinated omission").
type pace struct {
	interval time.Duration
	total    int // number of requests

	start time.Time
	taken int   // number of requests taken
	idle  []int // indexes of clients without a request in flight
}

func (p *pace) begin() {
	if p != nil {
		p.start, p.taken, p.idle = time.Now(), 0, nil
	}
}

// left reports whether an open loop has requests left to send. In a closed loop, it returns false.
func (p *pace) left() bool { return p != nil && p.taken < p.total }

// due returns the time when the next request is due.
func (p *pace) due() time.Time { return p.start.Add(time.Duration(p.taken) * p.interval) }

// take takes the next request if it is due. It returns the time when the request was due, and whether a request was
// taken.
func (p *pace) take(now time.Time) (time.Time, bool) {
	due := p.due()
	if !p.left() || due.After(now) {
		return now, false
	}
	p.taken++
	return due, true
}

// sendDue sends due requests from idle clients. It returns how long the driver may wait before the next call.
func (d *driver) sendDue(w work) time.Duration {
	p := d.pace
	for len(p.idle) > 0 && p.left() {
		if wait := time.Until(p.due()); wait > 0 {
			return wait
		}
		last := len(p.idle) - 1
		i := p.idle[last]
		p.idle = p.idle[:last]
		d.send(i, w)
	}
	return checkEvery
}
