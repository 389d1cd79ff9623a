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

// figures are what was measured, by name ("256 clients: empty requests"). Those that a comparison looks at are ratios, of which
// less is better: absolute figures drift with the machine.
type figures struct {
	Ratios   map[string]float64 `json:"ratios"`
	Absolute map[string]float64 `json:"absolute"`
}

func newFigures() *figures {
	return &figures{Ratios: map[string]float64{}, Absolute: map[string]float64{}}
}

// worseBy is by how much a ratio may be above the kept one.
const worseBy = 0.15

// compare says of each ratio how it was and how it is, and returns those that have become worse by more than worseBy. A figure
// that only one side has is told, and is no failure: sections may be left out.
func (f *figures) compare(kept *figures, out io.Writer) (worse []string) {
	for _, name := range slices.Sorted(maps.Keys(f.Ratios)) {
		now, before := f.Ratios[name], kept.Ratios[name]
		switch {
		case before == 0:
			fmt.Fprintf(out, "%-60s %8.2f  (not measured before)\n", name, now)
		case now > before*(1+worseBy):
			worse = append(worse, name)
			fmt.Fprintf(out, "%-60s %8.2f  was %.2f: WORSE by %.0f %%\n", name, now, before, 100*(now/before-1))
		default:
			fmt.Fprintf(out, "%-60s %8.2f  was %.2f\n", name, now, before)
		}
	}
	return worse
}

func readFigures(file string) (*figures, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	f := newFigures()
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return f, nil
}

func (f *figures) write(file string) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// check compares with the figures that are kept in file.
func (f *figures) check(file string, out io.Writer) error {
	kept, err := readFigures(file)
	if err != nil {
		return err
	}
	if worse := f.compare(kept, out); len(worse) > 0 {
		return fmt.Errorf("worse than what is kept in %s by more than %.0f %%: %s", file, 100*worseBy, strings.Join(worse, "; "))
	}
	return nil
}
