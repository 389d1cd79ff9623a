package main

import "time"

// pace turns a driver into an open loop: requests are due at a fixed interval, however long the responses take.
// Latency counts from the time at which a request was due, so it includes the wait for late responses to earlier
// requests. A closed loop leaves that wait out ("coordinated omission").
type pace struct {
	interval time.Duration
	total    int // requests

	start time.Time
	taken int   // requests
	idle  []int // clients without a request
}

func (p *pace) begin() {
	if p != nil {
		p.start, p.taken, p.idle = time.Now(), 0, nil
	}
}

// left reports whether requests are left to send.
func (p *pace) left() bool { return p != nil && p.taken < p.total }

// due is the time of the next request.
func (p *pace) due() time.Time { return p.start.Add(time.Duration(p.taken) * p.interval) }

// take takes the next request if it is due, and returns when it was due.
func (p *pace) take(now time.Time) (time.Time, bool) {
	due := p.due()
	if !p.left() || due.After(now) {
		return now, false
	}
	p.taken++
	return due, true
}

// sendDue sends the requests that are due from idle clients, and returns how long to wait for the next.
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
