package main

import (
	"fmt"
	"os"
	"strings"
)

// Between these lines a README has the headline of the report that is kept.
const (
	headlineStart = "<!-- written by make bench -->"
	headlineEnd   = "<!-- end of what make bench writes -->"
)

// headline writes the most telling figures into a README.
func (s *suite) headline(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), headlineStart)
	_, after, ends := strings.Cut(rest, headlineEnd)
	if !found || !ends {
		return fmt.Errorf("%s has no lines %q and %q", file, headlineStart, headlineEnd)
	}
	var b strings.Builder
	b.WriteString(before + headlineStart + "\n\n")
	b.WriteString(row("clients", "checkouts/s", "p50 ms", "p99 ms", "CPU µs of all servers", "empty requests/s", "a checkout costs empty requests"))
	b.WriteString(row("---:", "---:", "---:", "---:", "---:", "---:", "---:"))
	for _, p := range s.closed {
		b.WriteString(row(fmt.Sprint(p.clients), fmt.Sprintf("%.0f", p.work.rate()), ms(p.work.percentile(50)), ms(p.work.percentile(99)),
			fmt.Sprintf("%.0f", p.work.cpuCost()), fmt.Sprintf("%.0f", p.floor.rate()), fmt.Sprintf("%.1f", p.floor.rate()/p.work.rate())))
	}
	b.WriteString("\n![durable checkouts a second, by clients](test/bench/throughput.svg)\n\n" + headlineEnd + after)
	return os.WriteFile(file, []byte(b.String()), 0o644)
}
