package check

import (
	"strings"
	"testing"
)

// TestUncertainDepositsExplainDifferences checks that uncertain amounts, each used at most once, explain a difference,
// and nothing else does.
func TestUncertainDepositsExplainDifferences(t *testing.T) {
	put := NewDeposits()
	put.Credit["u"], put.UncertainCredit["u"] = 10, []int64{5, -3}
	for has, want := range map[int64]bool{10: true, 15: true, 7: true, 12: true, 13: false, 4: false, 20: false} {
		sn := &Snapshot{Credit: map[string]int64{"u": has}}
		if found := sn.Violations(put); (len(found) == 0) != want {
			t.Errorf("%d: %v", has, found)
		}
	}
	sn := &Snapshot{Credit: map[string]int64{"u": 12}, Orders: map[string]Order{}}
	put.Resolve(sn)
	sn.Credit["u"] = 7
	if found := sn.Violations(put); len(found) != 1 || !strings.Contains(found[0], "off by -5") {
		t.Errorf("after Resolve: %v, want a difference of -5", found)
	}
}

// TestPaymentViolations checks every contradiction between a direct payment and its responses.
func TestPaymentViolations(t *testing.T) {
	for _, c := range []struct {
		name          string
		pays, cancels string // responses, comma-separated
		is            int64  // amount in Redis; 0: none
		want          bool
	}{
		{"paid", "200", "", 5, true},
		{"paid and missing", "200", "", 0, false},
		{"wrong amount", "200", "", 4, false},
		{"refused", "402", "", 0, true},
		{"refused and stored", "402", "", 5, false},
		{"unknown", "503", "", 5, true},
		{"unknown and missing", "503", "", 0, true},
		{"cancelled", "200", "200", -5, true},
		{"cancelled and not refunded", "200", "200", 5, false},
		{"refunded without a cancel", "200", "", -5, false},
		{"perhaps cancelled", "200", "503", -5, true},
	} {
		p := &Payment{User: "u", Purpose: "x", Amount: 5}
		list := func(text string) (all []Response) {
			for what := range strings.SplitSeq(text, ",") {
				if what != "" {
					all = append(all, resp(0, 1, what))
				}
			}
			return all
		}
		p.pays, p.cancels = list(c.pays), list(c.cancels)
		sn := &Snapshot{Payments: map[string]int64{}}
		if c.is != 0 {
			sn.Payments["u x"] = c.is
		}
		if found := p.Violations(sn); (len(found) == 0) != c.want {
			t.Errorf("%s: %v", c.name, found)
		}
	}
}
