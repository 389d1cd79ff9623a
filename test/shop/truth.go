package shop

import (
	"fmt"
	"slices"

	"checkout/test/check"
)

// Tales are what the customers of a closed shop were told of each order, since the shop was last told to Forget.
func (s *Shop) Tales() []*check.History { return s.tales }

// Lies is what the customers of a closed shop were told and is not true of a quiet system, and what broke the form of an answer.
func (s *Shop) Lies(sn *check.Snapshot) []string {
	var found []string
	for _, h := range s.tales {
		found = append(found, h.Lies(sn)...)
	}
	for _, p := range s.payments {
		found = append(found, p.Lies(sn)...)
	}
	for _, o := range s.onces {
		found = append(found, o.Lies()...)
	}
	for _, a := range s.other {
		if flaw := a.Flaw(); flaw != "" {
			found = append(found, flaw)
		}
	}
	return found
}

// Forget forgets what was told so far, all of it checked: what was not known of stock and credit is taken from a quiet system.
func (s *Shop) Forget(sn *check.Snapshot) {
	s.Put.Settle(sn)
	s.tales, s.payments, s.onces, s.other, s.made = nil, nil, nil, nil, 0
}

// Answers tells how often the customers of a closed shop were told what.
func (s *Shop) Answers() string {
	var checkouts, cancels []check.Answer
	other := s.other
	for _, h := range s.tales {
		checkouts, cancels = slices.Concat(checkouts, h.Checkouts), slices.Concat(cancels, h.Cancels)
		for _, t := range h.Others {
			other = append(other, t.Answer)
		}
	}
	return fmt.Sprintf("checkouts %s\ncancels %s\nothers %s", check.Tally(checkouts), check.Tally(cancels), check.Tally(other))
}

// All is every answer that the customers of a closed shop got.
func (s *Shop) All() []check.Answer {
	all := slices.Clone(s.other)
	for _, h := range s.tales {
		all = slices.Concat(all, h.Checkouts, h.Cancels)
		for _, t := range h.Others {
			all = append(all, t.Answer)
		}
	}
	return all
}
