package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// markdown returns the report.
func (c *comparison) markdown(date time.Time) string {
	w := &strings.Builder{}
	fmt.Fprintf(w, "# Comparison\n\nMeasured on %s by `make bench-compare`.\n\n",
		date.UTC().Format("2006-01-02 15:04 MST"))
	for _, line := range c.host {
		fmt.Fprintf(w, "- %s\n", line)
	}
	for _, o := range c.others {
		fmt.Fprintf(w, "- %s: a running system at %s\n", o.name, o.url)
	}
	fmt.Fprint(w, "\n## Checkouts in a closed loop\n\n"+
		"Each client sends its next checkout when it has a response. The systems are measured in turn. Figures are medians\n"+
		"of the rounds; brackets show the slowest and the fastest round. Ratios compare this project with the other\n"+
		"system in the same round. CPU is the processor time of all processes of the system until they are idle again,\n"+
		"divided by the number of checkouts that got 2xx. Rates and latencies count only these checkouts. -: unknown.\n\n")
	table(w, "system | clients | checkouts/s | p50 ms | p99 ms | CPU µs | checkouts/s of this project / of the system | "+
		"CPU of the system / of this project | CPU µs by process | responses")
	ours, notes := c.systems[0], &strings.Builder{}
	for _, clients := range c.clients {
		for _, s := range c.systems {
			rounds, all := s.rounds[clients], newPhase()
			for _, p := range rounds {
				all.join(p)
			}
			for _, process := range distinct(all.exited, nil) {
				fmt.Fprintf(notes, "- %s, %s: CPU is unknown, because a process exited: %s\n", s.name, plural(clients, "client"),
					process)
			}
			if len(rounds) == 0 {
				continue // a round failed; a note below names the error
			}
			rates := each(rounds, (*phase).paidRate)
			row := []any{s.name, clients,
				fmt.Sprintf("%.0f (%.0f–%.0f)", median(rates), slices.Min(rates), slices.Max(rates)),
				medianLatency(rounds, 50), medianLatency(rounds, 99), median(each(withCPU(rounds), (*phase).paidCost))}
			for _, ratio := range []float64{
				medianRatio(ours.rounds[clients], rounds, (*phase).paidRate),
				medianRatio(withCPU(rounds), withCPU(ours.rounds[clients]), (*phase).paidCost),
			} {
				cell := "-"
				if ratio > 0 && s != ours {
					cell = fmt.Sprintf("%.1f", ratio)
				}
				row = append(row, cell)
			}
			var processes []string
			for _, kind := range slices.Sorted(maps.Keys(all.cpu)) {
				if kind != generator && all.successes() > 0 {
					used := float64(all.cpu[kind].total().Microseconds()) / float64(all.successes())
					processes = append(processes, fmt.Sprintf("%s %.0f", kind, used))
				}
			}
			cells(w, append(row, strings.Join(processes, ", "), all.tally)...)
		}
	}
	for _, s := range c.systems {
		if s.failed != nil {
			fmt.Fprintf(notes, "- %s: no further rounds after an error: %s\n", s.name, oneLine(s.failed.Error()))
		}
		if s.fix.leftOut > 0 {
			fmt.Fprintf(notes, "- %s: %d users, items and orders were left out, because a request to prepare them failed\n",
				s.name, s.fix.leftOut)
		}
	}
	if notes.Len() > 0 {
		fmt.Fprintf(w, "\n%s", notes)
	}
	c.auditSection(w)
	return w.String()
}

func (c *comparison) auditSection(w *strings.Builder) {
	fmt.Fprint(w, "\n## Checks\n\n"+
		"After all checkouts, every order, user and item is read back. A checkout that got 2xx must have used credit and\n"+
		"stock. A checkout that got 4xx must have used nothing. After any other response, the order itself decides. A\n"+
		"response is wrong if the order contradicts it. Lost means: users have less credit, or items less stock, than the\n"+
		"checkouts explain. Minted means: more.\n\n")
	table(w, "system | checkouts | 2xx | 4xx | unknown | wrong responses | credit lost | credit minted | "+
		"stock lost | stock minted | verdict")
	for _, s := range c.systems {
		a, verdict := s.audit, oneLine(s.verdict())
		if verdict != addsUp {
			verdict = "**" + verdict + "**"
		}
		cells(w, s.name, a.checkouts, a.paid, a.refused, a.unknown, a.wrong, a.credit.lost, a.credit.minted,
			a.stock.lost, a.stock.minted, verdict)
	}
}

// oneLine makes a text fit into a cell of a table.
func oneLine(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// withCPU returns the rounds if the processor time of each round is known. If a process exited during a round, it
// returns nil.
func withCPU(rounds []*phase) []*phase {
	if slices.ContainsFunc(rounds, func(p *phase) bool { return len(p.exited) > 0 }) {
		return nil
	}
	return rounds
}

// medianLatency returns the median of percentile p over all rounds that have a successful checkout.
func medianLatency(rounds []*phase, p float64) time.Duration {
	all := each(rounds, func(round *phase) float64 { return float64(round.percentile(p)) })
	return time.Duration(median(slices.DeleteFunc(all, func(latency float64) bool { return latency == 0 })))
}

func each(rounds []*phase, of func(*phase) float64) []float64 {
	var all []float64
	for _, p := range rounds {
		all = append(all, of(p))
	}
	return all
}

// medianRatio divides a figure of each round in the first list by the figure of the same round in the second list,
// and returns the median of the quotients. It ignores rounds with an unknown figure. If no round is left, the result
// is 0.
func medianRatio(a, b []*phase, of func(*phase) float64) float64 {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if of(a[i]) > 0 && of(b[i]) > 0 {
			ratios = append(ratios, of(a[i])/of(b[i]))
		}
	}
	if len(ratios) == 0 {
		return 0
	}
	return median(ratios)
}

// median returns the median, or 0 if there are no values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
