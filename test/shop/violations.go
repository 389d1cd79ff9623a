package shop

import (
	"fmt"
	"slices"

	"checkout/test/check"
)

// Histories returns the histories of all orders since the last Forget.
func (s *Shop) Histories() []*check.History { return s.histories }

// Violations compares all recorded responses with a snapshot. The clients must be stopped.
func (s *Shop) Violations(sn *check.Snapshot) []string {
	var found []string
	for _, h := range s.histories {
		found = append(found, h.Violations(sn)...)
	}
	for _, p := range s.payments {
		found = append(found, p.Violations(sn)...)
	}
	for _, o := range s.keyedRequests {
		found = append(found, o.Violations()...)
	}
	for _, r := range s.responses {
		if violation := r.FormatViolation(); violation != "" {
			found = append(found, violation)
		}
	}
	return found
}

// Forget drops the recorded responses after a check, and takes uncertain deposits from the snapshot. It keeps the
// orders of Buy.
func (s *Shop) Forget(sn *check.Snapshot) {
	s.Deposits.Resolve(sn)
	s.histories = slices.Clone(s.kept)
	s.payments, s.keyedRequests, s.responses, s.maxOrders = nil, nil, nil, 0
}

// Summary counts the responses by status and problem.
func (s *Shop) Summary() string {
	var checkouts, cancels []check.Response
	other := s.responses
	for _, h := range s.histories {
		checkouts, cancels = slices.Concat(checkouts, h.Checkouts), slices.Concat(cancels, h.Cancels)
		for _, t := range h.Requests {
			other = append(other, t.Response)
		}
	}
	return fmt.Sprintf("checkouts %s\ncancels %s\nothers %s", check.Tally(checkouts), check.Tally(cancels),
		check.Tally(other))
}

// Responses returns every response since the last Forget.
func (s *Shop) Responses() []check.Response {
	all := slices.Clone(s.responses)
	for _, h := range s.histories {
		all = slices.Concat(all, h.Checkouts, h.Cancels)
		for _, t := range h.Requests {
			all = append(all, t.Response)
		}
	}
	return all
}
