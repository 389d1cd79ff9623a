package main

import "time"

// costs are the inputs of the simulation, in µs: processor times, and durations without processor time, such as that of
// an fsync.
type costs struct {
	wake float64 // per wake-up of an idle process

	generator float64 // of the load generator, per checkout
	nginx     float64 // per request or response
	order     float64 // of the order service, per step of a checkout; there are five steps
	request   float64 // of the order service, per HTTP request to a peer, for any number of messages
	command   float64 // of any service, per batch of commands for a shard

	handle  float64 // of stock and payment, per HTTP request
	message float64 // of stock and payment, per message

	batch   float64 // of Redis, per batch of commands of one connection
	flush   float64 // of Redis, per fsync, for all batches that have arrived
	script  float64 // of the order Redis, per script; the two scripts of a checkout also cover the confirmation
	reserve float64 // of the stock and payment Redis, per reservation, including its confirmation

	// The method slower does not change the costs below.
	fsync float64
	delay float64 // from the wake-up of a process until it may run
	slice float64 // time for which a process keeps a processor while others wait
}

// measured contains the costs in the closed loop of docs/results/bench/report.md (28 November 2026, one shard, 1 to 512
// clients). The report has only the processor time of each component. The division of this time into costs per
// checkout, per batch and per wake-up is chosen so that the simulation fits the report.
var measured = costs{
	wake:      78,
	generator: 20,
	nginx:     18,
	order:     18,
	request:   100,
	command:   50,
	handle:    150,
	message:   5,
	batch:     15,
	flush:     175,
	script:    19,
	reserve:   20,
	fsync:     250,
	delay:     25,
	slice:     450,
}

// processorTimes returns all costs that are processor time.
func (c *costs) processorTimes() []*float64 {
	return []*float64{&c.wake, &c.generator, &c.nginx, &c.order, &c.request, &c.command, &c.handle, &c.message, &c.batch,
		&c.flush, &c.script, &c.reserve}
}

// slower returns the costs on a host whose processors are slower by a factor.
func (c costs) slower(factor float64) costs {
	for _, cost := range c.processorTimes() {
		*cost *= factor
	}
	return c
}

func micros(us float64) time.Duration { return time.Duration(us * float64(time.Microsecond)) }
