package check

import (
	"strings"
	"testing"
)

// TestUncertainDepositsExplainDifferences checks that a subset of the uncertain amounts may explain a difference, and
// that any other difference is a violation. After Resolve, every difference is a violation.
func TestUncertainDepositsExplainDifferences(t *testing.T) {
	deposits := NewDeposits()
	deposits.Credit["u"], deposits.UncertainCredit["u"] = 10, []int64{5, -3}
	for has, want := range map[int64]bool{10: true, 15: true, 7: true, 12: true, 13: false, 4: false, 20: false} {
		sn := &Snapshot{Credit: map[string]int64{"u": has}}
		if violations := sn.Violations(deposits); (len(violations) == 0) != want {
			t.Errorf("credit %d: got violations %v, want accepted: %v", has, violations, want)
		}
	}
	sn := &Snapshot{Credit: map[string]int64{"u": 12}, Orders: map[string]Order{}}
	deposits.Resolve(sn)
	sn.Credit["u"] = 7
	if violations := sn.Violations(deposits); len(violations) != 1 || !strings.Contains(violations[0], "off by -5") {
		t.Errorf("after Resolve: got violations %v, want one violation: off by -5", violations)
	}
}

// TestPaymentViolations checks that Violations reports every contradiction between a direct payment and its responses.
func TestPaymentViolations(t *testing.T) {
	for _, c := range []struct {
		name          string
		pays, cancels string // statuses of the responses, comma-separated
		is            int64  // amount in Redis, negative if refunded; 0 without a payment
		want          bool
	}{
		{"paid", "200", "", 5, true},
		{"paid, but not stored", "200", "", 0, false},
		{"wrong amount", "200", "", 4, false},
		{"refused", "402", "", 0, true},
		{"refused, but stored", "402", "", 5, false},
		{"unknown and stored", "503", "", 5, true},
		{"unknown and not stored", "503", "", 0, true},
		{"cancelled", "200", "200", -5, true},
		{"cancelled, but not refunded", "200", "200", 5, false},
		{"refunded without a cancel", "200", "", -5, false},
		{"refunded after a cancel with an unknown outcome", "200", "503", -5, true},
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
		if violations := p.Violations(sn); (len(violations) == 0) != c.want {
			t.Errorf("%s: got violations %v, want accepted: %v", c.name, violations, c.want)
		}
	}
}
