package model

import (
	"fmt"
	"strings"
)

var (
	orderNames  = [...]string{"no order", "OPEN", "RUNNING", "ABORTING", "PAID", "REFUNDING", "CANCELLED"}
	recordNames = [...]string{"untouched", "RESERVED", "RESERVED with an end", "REFUSED", "RELEASED", "ended"}
	refundNames = [...]string{"", "+refunded", "+refunded with an end", "+refund ended"}
	shardNames  = [...]string{"payment", "stock 1", "stock 2"}
)

func shardName(p int) string { return shardNames[p] }

func attemptName(i uint8) string {
	switch i {
	case noAttempt:
		return "none"
	case freshAttempt:
		return "batch_init's"
	}
	return fmt.Sprint(i)
}

// describe prints a state on one line.
func (m *Model) describe(s *state) string {
	parts := []string{orderNames[s.order]}
	if s.order != gone {
		parts[0] += " by " + attemptName(s.current)
	}
	free := "free:"
	for p := range 1 + m.StockShards {
		free += fmt.Sprintf(" %s %d", shardName(p), s.free[p])
	}
	parts = append(parts, free)
	for i := uint8(1); int(i) <= m.Attempts; i++ {
		if s.at(i).flags != 0 {
			parts = append(parts, fmt.Sprintf("attempt %d: %s", i, s.at(i)))
		}
	}
	return strings.Join(parts, "; ")
}

func (a *attempt) String() string {
	if !a.is(began) && !a.is(told4xx) {
		return "minted"
	}
	var parts []string
	for p := range maxShards {
		if a.lines.has(p) {
			parts = append(parts, shardName(p)+" "+recordNames[a.records[p]]+refundNames[a.refunds[p]])
		}
	}
	for _, f := range []struct {
		flag flags
		name string
	}{{unconfirmed, "unconfirmed"}, {refundUnconfirmed, "refund unconfirmed"}, {told200, "200 answered"}, {told4xx, "4xx answered"}} {
		if a.is(f.flag) {
			parts = append(parts, f.name)
		}
	}
	return strings.Join(parts, ", ")
}
