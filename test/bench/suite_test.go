package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	kept := &figures{Ratios: map[string]float64{"same": 4, "better": 4, "noise": 4, "worse": 4, "gone": 4}}
	now := &figures{Ratios: map[string]float64{"same": 4, "better": 1, "noise": 4.59, "worse": 4.61, "new": 9}}
	var out strings.Builder
	if worse := now.compare(kept, &out); len(worse) != 1 || worse[0] != "worse" {
		t.Errorf("worse are %v\n%s", worse, &out)
	}
	if !strings.Contains(out.String(), "WORSE by 15 %") || !strings.Contains(out.String(), "not measured before") {
		t.Errorf("said:\n%s", &out)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "figures.json")
	f := newFigures()
	f.Ratios["a checkout"] = 4
	if err := f.check(file, io.Discard); err == nil {
		t.Error("compared with nothing")
	}
	if err := f.write(file); err != nil {
		t.Fatal(err)
	}
	if err := f.check(file, io.Discard); err != nil {
		t.Error(err)
	}
	f.Ratios["a checkout"] = 5
	if err := f.check(file, io.Discard); err == nil || !strings.Contains(err.Error(), "a checkout") {
		t.Errorf("got %v", err)
	}
}

// A chart is well-formed, and draws each value where it belongs: within its frame, the larger the higher.
func TestChart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]chart{
		"lines":  {title: "a < b & c", labels: []string{"1", "2", "8"}, at: []float64{0, 1, 3}, series: []series{{"s", []float64{5, 70, math.NaN()}}}},
		"bars":   {labels: []string{"1", "2"}, stacked: true, series: []series{{"below", []float64{5, 0}}, {"above", []float64{65, 1}}}},
		"point":  {labels: []string{"1"}, at: []float64{3}, series: []series{{"s", []float64{0.02}}}},
		"zeroes": {labels: []string{"1"}, series: []series{{"s", []float64{0}}}},
	} {
		decoder := xml.NewDecoder(strings.NewReader(c.svg()))
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			element, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			for _, a := range element.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s: %s %s=%q", name, element.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
		if most, step := c.most(), niceStep(c.most()); most/step < 4 || most/step > 10.01 {
			t.Errorf("%s: steps of %v for %v", name, step, most)
		}
	}
}

// The suite, small, on a system of its own: everything is measured, written and found to be in order.
func TestSuite(t *testing.T) {
	dir := t.TempDir()
	live := &live{w: io.Discard}
	readme := filepath.Join(dir, "README.md")
	if err := os.WriteFile(readme, []byte("before\n"+headlineStart+"\nold\n"+headlineEnd+"\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"-suite", "-quick", "-slices", "1", "-users", "50", "-stock", "60", "-o", dir, "-readme", readme}
	if err := run(t.Context(), args, io.Discard, live); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(readme); err != nil || strings.Contains(string(text), "old") || !strings.Contains(string(text), "| 256 | ") ||
		!strings.HasPrefix(string(text), "before\n") || !strings.HasSuffix(string(text), "after\n") {
		t.Errorf("the README says, %v:\n%s", err, text)
	}
	f, err := readFigures(filepath.Join(dir, "figures.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"256 clients: a checkout in empty requests", "20 items: processor time in checkouts of one", "2 shards, 256 clients: processor time in checkouts with one", "2 shards, 512 clients: processor time in checkouts with one",
		"find an order: in empty requests", "a refusal in checkouts"} {
		if v := f.Ratios[name]; !(v > 0) || math.IsInf(v, 0) {
			t.Errorf("%s: %v", name, v)
		}
	}
	for _, file := range []string{"REPORT.md", "throughput.svg", "latency.svg", "cpu.svg", "items.svg", "shards.svg"} {
		if found, err := filepath.Glob(filepath.Join(dir, file)); err != nil || len(found) != 1 {
			t.Errorf("no %s: %v", file, err)
		}
	}
}
