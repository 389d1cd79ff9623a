package main

import (
	"errors"
	"io"
	"log"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// measureStub measures a stub and returns the report, and the error of report.finish. It also checks that the file
// report.md contains the same report.
func measureStub(t *testing.T, s *stub, change func(*plan)) (text string, err error) {
	t.Helper()
	o := options{slices: 1, gateway: "http://" + startStub(t, s), out: t.TempDir()}
	p := plan{users: 5, items: 7, slices: 1, closed: []load{{8, 100}}}
	if change != nil {
		change(&p)
	}
	r := &report{}
	if err := r.measure(t.Context(), o, p, log.New(io.Discard, "", 0)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = r.finish(o, &out, io.Discard)
	written, fileErr := os.ReadFile(filepath.Join(o.out, "report.md"))
	if fileErr != nil {
		t.Fatal(fileErr)
	}
	if out.String() != string(written) {
		t.Errorf("report.md differs from the printed report:\n%s\n%s", written, &out)
	}
	return out.String(), err
}

func TestCorrectSystemAddsUp(t *testing.T) {
	t.Parallel()
	text, err := measureStub(t, &stub{}, func(p *plan) { p.closed, p.slices = []load{{1, 50}, {8, 60}}, 2 })
	if err != nil {
		t.Errorf("got error %v, want none\n%s", err, text)
	}
	// The warm-up has one checkout for ten measured checkouts, and at least one checkout per client.
	for _, want := range []string{
		"| 200: 50 |", "| 1 client | 55 | 55 | 0 |", "| 200: 60 |", "| 8 clients | 68 | 68 | 0 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in the report:\n%s", want, text)
		}
	}
}

func TestReportNamesFailuresAndViolations(t *testing.T) {
	for name, test := range map[string]struct {
		stub *stub
		want []string // parts of the report
	}{
		"failed checkouts": {&stub{failEvery: 25}, []string{
			"| 200: 96, 503: 4 |", "| 8 clients | 110 | 106 | 0 |",
			"4 checkouts returned 503, the first with `{\"type\":\"/problems/unavailable\""}},
		"lost connections": {&stub{breakEvery: 25}, []string{
			"| 200: 96, no response: 4 |", "| 8 clients | 110 | 110 | 0 |", "the first with `connection closed`"}},
		"one piece too many": {&stub{leak: true}, []string{
			"| 8 clients | 110 | 110 | 1 |", "pieces, but the paid orders contain"}},
		"charged twice": {&stub{overcharge: true}, []string{
			"| 8 clients | 110 | 110 | 1 |", "spent", "but the paid orders cost"}},
		"paid order reports unpaid": {&stub{deny: true}, []string{
			"| 8 clients | 110 | 109 | 3 |", "checkout returned 200, but paid is false"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := measureStub(t, test.stub, nil)
			if !errors.Is(err, errViolations) {
				t.Errorf("got error %v, want %v", err, errViolations)
			}
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("want %q in the report:\n%s", want, text)
				}
			}
		})
	}
}

func TestInvalidOptions(t *testing.T) {
	for args, want := range map[string]string{
		"-clients 0":                       "positive number",
		"-clients 1,x":                     "positive number",
		"-slices 0":                        "must be positive",
		"-shards 2":                        "need -clients",
		"-gateway http://127.0.0.1:1":      "need -clients",
		"-clients 1 -gateway https://x:1":  "not of the form http://host:port",
		"-clients 1 -gateway http://x:1/y": "not of the form http://host:port",
		"more":                             "unexpected argument",
	} {
		t.Run(args, func(t *testing.T) {
			if err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard); err == nil ||
				!strings.Contains(err.Error(), want) {
				t.Errorf("got error %v, want an error with %q", err, want)
			}
		})
	}
}

// TestFullReport checks that all measurements work with real systems. The test does little work in each measurement.
func TestFullReport(t *testing.T) {
	o := options{slices: 1, shards: 1, out: t.TempDir()}
	p := plan{
		users: 20, items: 20, slices: 1, slice: 50 * time.Millisecond,
		closed: []load{{1, 10}, {8, 80}}, medium: 4, high: 8,
		openShares: []float64{0.5}, openCount: 100,
		carts:  []cart{{1, 100}, {5, 100}},
		shards: []int{1, 2}, shardCount: 80,
		rejectedCount: 40, batch: 1000,
	}
	r := &report{}
	if err := r.measure(t.Context(), o, p, log.New(t.Output(), "", log.Lmicroseconds)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := r.finish(o, &out, io.Discard); err != nil {
		t.Fatalf("finish the report: %v\n%s", err, &out)
	}
	if text, err := os.ReadFile(filepath.Join(o.out, "report.md")); err != nil || string(text) != out.String() {
		t.Errorf("read report.md: error %v, or the text differs from the printed report", err)
	}
	f := r.figures()
	for _, name := range []string{
		"8 clients: empty requests per checkout", "find an order: empty requests per request",
		"accepted checkouts per rejected checkout",
	} {
		if v := f.Ratios[name]; !(v > 0) || math.IsInf(v, 0) {
			t.Errorf("%s is %v, want a positive number", name, v)
		}
	}
	for _, name := range []string{
		"8 clients: CPU of a checkout / of an empty request", "5 items: CPU / with 1 item",
		"2 shards, 8 clients: CPU / with 1 shard", "2 shards, 16 clients: CPU / with 1 shard",
	} {
		if _, found := f.Ratios[name]; !found {
			t.Errorf("want the ratio %q among %q", name, slices.Sorted(maps.Keys(f.Ratios)))
		}
	}
}

func TestCheckComparesWithKeptFigures(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "figures.json")
	now := &figures{Ratios: map[string]float64{"same": 4, "better": 1, "noise": 4.59, "new": 9}}
	if err := now.check(file, io.Discard); err == nil {
		t.Error("check with a missing file: got no error, want one")
	}
	kept := &figures{Ratios: map[string]float64{"same": 4, "better": 4, "noise": 4, "worse": 4, "gone": 4}}
	if err := kept.write(file); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := now.check(file, &out); err != nil || !strings.Contains(out.String(), "no earlier figure") {
		t.Errorf("got error %v, want none; want \"no earlier figure\" in the output:\n%s", err, &out)
	}
	now.Ratios["worse"] = 4.61
	out.Reset()
	if err := now.check(file, &out); err == nil || !strings.Contains(err.Error(), "15 %: worse") ||
		!strings.Contains(out.String(), "WORSE by 15 %") {
		t.Errorf("got error %v, want an error for \"worse\" only; want \"WORSE by 15 %%\" in:\n%s", err, &out)
	}
}
