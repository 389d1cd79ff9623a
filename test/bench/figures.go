package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// figures are the results by name. The method check compares only the ratios, because absolute figures vary between
// hosts and runs. A lower ratio is better.
type figures struct {
	Ratios   map[string]float64 `json:"ratios"`
	Absolute map[string]float64 `json:"absolute"`
}

func (r *report) figures() *figures {
	f := &figures{Ratios: map[string]float64{}, Absolute: map[string]float64{}}
	for _, p := range r.closed {
		name := fmt.Sprintf("%d clients: ", p.clients)
		f.Ratios[name+"empty requests per checkout"] = p.ratio()
		f.costRatio(name+"CPU of a checkout / of an empty request", p.work, p.baseline)
		if cost := p.work.cost(); cost > 0 {
			f.Absolute[name+"CPU µs"] = cost
		}
		f.Absolute[name+"checkouts/s"] = p.work.rate()
		f.Absolute[name+"empty requests/s"] = p.baseline.rate()
	}
	for i, p := range r.carts {
		if i > 0 {
			f.costRatio(fmt.Sprintf("%d items: CPU / with 1 item", p.items), p.work, r.carts[0].work)
		}
	}
	for i, p := range r.sharded {
		if i > 0 {
			name := fmt.Sprintf("%d shards, %d clients: CPU / with 1 shard", p.shards, p.clients)
			f.costRatio(name, p.work, r.sharded[0].work)
		}
	}
	for _, p := range r.simple {
		f.Ratios[p.name+": empty requests per request"] = p.ratio()
	}
	if r.plan.high > 0 {
		f.Ratios["accepted checkouts per rejected checkout"] = r.accepted.rate() / r.rejected.rate()
		f.Absolute["CPU µs of each further item"] = r.perItem()
	}
	for _, b := range r.batches {
		f.Absolute[fmt.Sprintf("batch_init of %d %s, s", r.plan.batch, b.name)] = b.time.Seconds()
	}
	return f
}

// costRatio adds the ratio a / b of the processor times per request, if both are known.
func (f *figures) costRatio(name string, a, b *phase) {
	if a.cost() > 0 && b.cost() > 0 {
		f.Ratios[name] = a.cost() / b.cost()
	}
}

func (f *figures) write(file string) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// tolerance is how much a ratio may increase, as a fraction.
const tolerance = 0.15

// check prints each ratio and compares it with the ratio of the same name in a file. It returns an error if a ratio
// has increased by more than the tolerance. It accepts ratios that the file lacks.
func (f *figures) check(file string, out io.Writer) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var kept figures
	if err := json.Unmarshal(text, &kept); err != nil {
		return fmt.Errorf("decode %s: %w", file, err)
	}
	var worse []string
	for _, name := range slices.Sorted(maps.Keys(f.Ratios)) {
		now, before := f.Ratios[name], kept.Ratios[name]
		remark := ""
		switch {
		case before == 0:
			remark = "no earlier figure"
		case now > before*(1+tolerance):
			worse = append(worse, name)
			remark = fmt.Sprintf("before %.2f: WORSE by %.0f %%", before, 100*(now/before-1))
		default:
			remark = fmt.Sprintf("before %.2f", before)
		}
		fmt.Fprintf(out, "%-60s %8.2f  %s\n", name, now, remark)
	}
	if len(worse) > 0 {
		return fmt.Errorf("compare with %s: worse by more than %.0f %%: %s", file, 100*tolerance, strings.Join(worse, "; "))
	}
	return nil
}
