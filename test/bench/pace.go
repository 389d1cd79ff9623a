package main

import "time"

// pace makes an open loop of the driver: a request is due every so often, however long the answers take, as from customers who
// know nothing of each other. The time of an answer counts from when its request was due. So one that had to wait, because the
// answers to others were late, has waited (a closed loop leaves just these out: "coordinated omission").
type pace struct {
	every time.Duration
	total int // requests

	start time.Time
	taken int   // of them
	idle  []int // clients without a request
}

func (p *pace) begin() {
	if p != nil {
		p.start, p.taken, p.idle = time.Now(), 0, nil
	}
}

// left tells whether there are requests that have not been sent.
func (p *pace) left() bool { return p != nil && p.taken < p.total }

// take returns when the next request was due, if it is.
func (p *pace) take(now time.Time) (time.Time, bool) {
	due := p.start.Add(time.Duration(p.taken) * p.every)
	if p.taken == p.total || due.After(now) {
		return now, false
	}
	p.taken++
	return due, true
}

// sendDue has idle clients send what is due, and returns how long nothing more will be.
func (d *driver) sendDue(w work) time.Duration {
	p := d.pace
	for len(p.idle) > 0 && p.left() {
		if wait := time.Until(p.start.Add(time.Duration(p.taken) * p.every)); wait > 0 {
			return wait
		}
		last := len(p.idle) - 1
		i := p.idle[last]
		p.idle = p.idle[:last]
		d.send(i, w)
	}
	return lookEvery
}
