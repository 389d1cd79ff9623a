package main

import (
	"fmt"
	"strings"
)

// measurement is a closed loop that was measured with one instance of each service on one host with two processors.
type measurement struct {
	shards, clients int
	rate            float64 // checkouts per second
	cpu             float64 // of all servers per checkout, µs
	slower          float64 // factor for the processor times in costs, see below
	perPeer         bool    // messages for all shards of a peer share HTTP requests
}

// Values of measurement.slower: CPU µs per checkout with one shard and 256 clients, divided by the 241 µs of the fourth
// measurement below.
const (
	besideOthers = 321.0 / 241 // while three systems ran on the host: docs/results/bench/report.md, "Shards"
	december     = 269.0 / 241 // on 1 December 2026: docs/performance.md
)

var measurements = []measurement{
	{1, 1, 251, 2840, 1, false},
	{1, 16, 2120, 622, 1, false},
	{1, 64, 4296, 327, 1, false},
	{1, 256, 6144, 241, 1, false},
	{1, 512, 6668, 248, 1, false},
	{1, 256, 4605, 321, besideOthers, false},
	{2, 256, 4282, 351, besideOthers, false},
	{2, 512, 4813, 327, besideOthers, false},
	{4, 256, 3069, 524, besideOthers, false},
	{4, 1024, 4518, 367, besideOthers, false},
	{4, 64, 2081, 787, december, false},
	{4, 256, 3869, 431, december, false},
	{4, 64, 2314, 667, december, true},
	{4, 256, 3979, 409, december, true},
}

// tolerance is the largest accepted error of a rate, as a fraction.
const tolerance = 0.15

// simulate simulates a measurement with the given costs.
func (m measurement) simulate(c costs) result {
	return run(setup{instances: 1, shards: m.shards, clients: m.clients, workers: 2, processors: 2,
		perPeer: m.perPeer, costs: c.slower(m.slower)}, max(1500, 6*m.clients))
}

// check simulates all measurements. It returns a table, and an error if a simulated rate differs from the measured rate
// by more than tolerance.
func check(c costs) (table string, err error) {
	var b, wrong strings.Builder
	b.WriteString("| Shards | Clients | HTTP requests | Measured/s | Simulated/s | Error | Measured CPU µs | " +
		"Simulated CPU µs |\n|---:|---:|---|---:|---:|---:|---:|---:|\n")
	for _, m := range measurements {
		r := m.simulate(c)
		off := r.rate/m.rate - 1
		requests := "for each shard"
		if m.perPeer {
			requests = "for all shards"
		}
		fmt.Fprintf(&b, "| %d | %d | %s | %.0f | %.0f | %+.0f %% | %.0f | %.0f |\n",
			m.shards, m.clients, requests, m.rate, r.rate, 100*off, m.cpu, r.servers())
		if off > tolerance || off < -tolerance {
			fmt.Fprintf(&wrong, "; %d shards, %d clients: simulated %.0f/s, measured %.0f/s",
				m.shards, m.clients, r.rate, m.rate)
		}
	}
	if wrong.Len() > 0 {
		err = fmt.Errorf("the simulation is wrong by more than %.0f %%%s", 100*tolerance, &wrong)
	}
	return b.String(), err
}
