package shop

import (
	"fmt"
	"slices"

	"checkout/test/check"
)

// Histories returns the histories of all orders since the last Forget, and of all orders paid by Buy.
func (s *Shop) Histories() []*check.History { return s.histories }

// Violations lists contradictions between the recorded responses and a snapshot. The clients must have stopped.
func (s *Shop) Violations(sn *check.Snapshot) []string {
	var violations []string
	for _, h := range s.histories {
		violations = append(violations, h.Violations(sn)...)
	}
	for _, p := range s.payments {
		violations = append(violations, p.Violations(sn)...)
	}
	for _, k := range s.keyedRequests {
		violations = append(violations, k.Violations()...)
	}
	for _, r := range s.responses {
		if violation := r.FormatViolation(); violation != "" {
			violations = append(violations, violation)
		}
	}
	return violations
}

// Forget drops the recorded responses, except those for orders paid by Buy, and calculates uncertain deposits from the
// snapshot. Call Violations first.
func (s *Shop) Forget(sn *check.Snapshot) {
	s.Deposits.Resolve(sn)
	s.histories = slices.Clone(s.kept)
	s.payments, s.keyedRequests, s.responses, s.maxOrders = nil, nil, nil, 0
}

// Summary formats the number of responses to checkouts, to cancels and to other requests, by status and problem.
func (s *Shop) Summary() string {
	var checkouts, cancels []check.Response
	other := slices.Clone(s.responses)
	for _, h := range s.histories {
		checkouts, cancels = append(checkouts, h.Checkouts...), append(cancels, h.Cancels...)
		for _, t := range h.Requests {
			other = append(other, t.Response)
		}
	}
	return fmt.Sprintf("checkouts %s\ncancels %s\nothers %s", check.Tally(checkouts), check.Tally(cancels),
		check.Tally(other))
}

// Responses returns the recorded responses that Forget has not dropped.
func (s *Shop) Responses() []check.Response {
	all := slices.Clone(s.responses)
	for _, h := range s.histories {
		all = append(append(all, h.Checkouts...), h.Cancels...)
		for _, t := range h.Requests {
			all = append(all, t.Response)
		}
	}
	return all
}
