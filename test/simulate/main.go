// Command simulate predicts the throughput and the latency of systems with many shards and instances. `make simulate`
// runs it.
//
// The simulation (model.go) follows each checkout through nginx, the instances and the Redis servers, with their queues
// and batches. Its inputs are costs per step (costs.go). The command first simulates the measured systems with 1, 2
// and 4 shards (validate.go). It exits with status 1 if a simulated rate is wrong by more than 15 %. The measurements
// are from docs/results/bench/report.md and docs/adr/0007-http-batching.md. docs/performance.md explains the results.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"checkout/common/version"
)

func main() {
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	largest := flags.Int("n", 256, "largest `number` of shards and instances")
	if err := version.ParseFlags(flags, os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	table, err := check(measured)
	fmt.Print(table)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println()
	predict(os.Stdout, *largest)
}

// network is the assumed delay of a message between two hosts of one data center. It is not measured.
const network = 100 * time.Microsecond

// clientsPerInstance is the load of each prediction.
const clientsPerInstance = 256

// prediction returns the system with n shards and n instances of each service, and n nginx workers.
func prediction(n int) setup {
	return setup{
		instances: n, shards: n, clients: clientsPerInstance * n, workers: n, network: network, perPeer: true,
		costs: measured,
	}
}

// predict writes a table of predictions. The argument largest is the largest number of shards.
func predict(w io.Writer, largest int) {
	fmt.Fprint(w, "| Shards and instances | Variant | Checkouts/s | Latency ms | Messages per request | "+
		"Cores per 1,000/s | nginx cores in total | Bottleneck |\n|---:|---|---:|---:|---:|---:|---:|---|\n")
	for n := 1; n <= largest; n *= 4 {
		for _, variant := range []struct {
			name   string
			change func(*setup)
		}{
			{"as it is", func(*setup) {}},
			{"a request for each shard", func(s *setup) { s.perPeer = false }},
			{"one hot item", func(s *setup) { s.hot = true }},
		} {
			s := prediction(n)
			variant.change(&s)
			r := run(s, max(4*s.clients, 10_000))
			fmt.Fprintf(w, "| %d | %s | %.0f | %.0f | %.1f | %.1f | %.1f | %s, %.0f %% |\n",
				n, variant.name, r.rate, float64(r.latency)/float64(time.Millisecond), r.messages,
				r.servers()/1000, r.rate*r.used["nginx"]/1e6, r.busiest, 100*min(r.share, 1))
		}
	}
}
