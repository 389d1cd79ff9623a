package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// measureStub runs the whole program against a stub.
func measureStub(t *testing.T, s *stub, args ...string) (report string, err error) {
	t.Helper()
	var out bytes.Buffer
	file := filepath.Join(t.TempDir(), "report.md")
	args = append([]string{"-gateway", "http://" + startStub(t, s), "-o", file,
		"-clients", "8", "-n", "100", "-slices", "1", "-users", "5", "-stock", "7"}, args...)
	err = run(t.Context(), args, &out, &live{w: io.Discard, terminal: true})
	if err != nil && !errors.Is(err, errWrong) {
		t.Fatal(err)
	}
	written, fileErr := os.ReadFile(file)
	if fileErr != nil {
		t.Fatal(fileErr)
	}
	if got := out.String(); got != string(written) {
		t.Errorf("the file holds %q, and %q was printed", written, got)
	}
	return out.String(), err
}

func TestEverythingAddsUp(t *testing.T) {
	for name, args := range map[string][]string{
		"one by one":      {"-ids", "uuid"},
		"several items":   {"-ids", "uuid", "-items", "3"},
		"users and items": {"-ids", "batch"},
		"orders in bulk":  {"-ids", "bulk", "-items", "2"},
		"several points":  {"-clients", "1,8", "-n", "50,60", "-slices", "2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := measureStub(t, &stub{}, args...)
			if err != nil {
				t.Errorf("got %v\n%s", err, report)
			}
			// 110 checkouts are 100 and a tenth to warm up.
			for _, want := range []string{"| 200: 100 |", "110 checkouts, those to warm up included, 110 orders paid; every order, user and item adds up."} {
				if name == "several points" {
					want = strings.NewReplacer("200: 100", "200: 60", "110", "68").Replace(want)
				}
				if !strings.Contains(report, want) {
					t.Errorf("no %q in\n%s", want, report)
				}
			}
		})
	}
}

func TestWhatIsWrongIsFound(t *testing.T) {
	for name, test := range map[string]struct {
		stub *stub
		want []string // in the report
	}{
		"refused": {&stub{refuseEvery: 25}, []string{
			"| 200: 96, 503: 4 |", "every order, user and item adds up", "4 checkouts were answered with 503, the first with `{\"type\":\"/problems/unavailable\""}},
		"connections lost": {&stub{breakEvery: 25}, []string{
			"| 200: 96, no answer: 4 |", "every order, user and item adds up", "the first with `the connection was closed`"}},
		"a piece too many":     {&stub{leak: true}, []string{"**things that do not add up: 1.**", "pieces are gone, and the paid orders hold"}},
		"charged twice":        {&stub{overcharge: true}, []string{"**things that do not add up: 1.**", "spent", "and the paid orders cost"}},
		"a paid order forgets": {&stub{deny: true}, []string{"**things that do not add up: 3.**", "was answered with 200, and paid is false"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := measureStub(t, test.stub)
			if !errors.Is(err, errWrong) {
				t.Errorf("got error %v, want %v", err, errWrong)
			}
			for _, want := range test.want {
				if !strings.Contains(report, want) {
					t.Errorf("no %q in\n%s", want, report)
				}
			}
		})
	}
}

func TestOptionsRefused(t *testing.T) {
	for args, want := range map[string]string{
		"-clients 0":        "positive number",
		"-clients 1,x":      "positive number",
		"-clients=":         "positive number",
		"-n 5,6":            "2 numbers for 3 points",
		"-n 3":              "less than the slices",
		"-slices 0":         "must be positive",
		"-items 8 -stock 7": "8 different items of 7",
		"-ids serial":       "none of uuid, batch, bulk",
		"-ids bulk":         "say -items 2",
		"-gateway http://127.0.0.1:1 -pprof /tmp/x": "internal doors",
		"-gateway https://127.0.0.1:1":              "want http://host:port",
		"-gateway http://127.0.0.1:1/orders":        "want http://host:port",
		"more":                                      "no arguments but flags",
	} {
		t.Run(args, func(t *testing.T) {
			o, err := parseOptions(strings.Fields(args), io.Discard)
			if err == nil && o.gateway != "" {
				_, err = findSystem(o.gateway)
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}
