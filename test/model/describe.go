package model

import (
	"fmt"
	"strings"
)

var (
	orderNames  = [...]string{"no order", "OPEN", "RUNNING", "ABORTING", "PAID", "REFUNDING", "CANCELLED"}
	recordNames = [...]string{"no record", "RESERVED", "RESERVED with expiry", "REFUSED", "RELEASED", "expired"}
	refundNames = [...]string{"", "+refunded", "+refunded with expiry", "+refund expired"}
	shardNames  = [...]string{"payment", "stock 1", "stock 2"}
)

func shardName(p int) string { return shardNames[p] }

func attemptName(i uint8) string {
	switch i {
	case noAttempt:
		return "none"
	case freshAttempt:
		return "from batch_init"
	}
	return fmt.Sprint(i)
}

// describe formats a state as one line.
func (m *Model) describe(s *state) string {
	parts := []string{orderNames[s.order]}
	if s.order != gone {
		parts[0] += ", attempt " + attemptName(s.current)
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
	if !a.is(began) && !a.is(got4xx) {
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
	}{
		{unconfirmed, "unconfirmed"}, {refundUnconfirmed, "refund unconfirmed"},
		{got200, "client got 200"}, {got4xx, "client got 4xx"},
	} {
		if a.is(f.flag) {
			parts = append(parts, f.name)
		}
	}
	return strings.Join(parts, ", ")
}
