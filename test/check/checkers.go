package check

import (
	"fmt"
	"strings"
)

// Violations lists the invariants that the snapshot violates, given the clients' deposits. No request may have been in
// flight during the snapshot.
func (sn *Snapshot) Violations(deposits Deposits) []string {
	var violations []string
	report := func(format string, args ...any) { violations = append(violations, fmt.Sprintf(format, args...)) }
	for _, what := range sn.unexpected {
		report("Redis contains %s, which is unexpected", what)
	}
	for _, id := range sn.Undecided {
		report("order %s is undecided", id)
	}
	sn.checkOrders(report)
	sn.checkConservation(deposits, report)
	sn.checkRecords(report)
	return violations
}

func (sn *Snapshot) checkOrders(report func(string, ...any)) {
	for id, o := range sn.Orders {
		var pieces int64
		for _, quantity := range o.Lines {
			pieces += quantity
		}
		if o.Total != o.LinesTotal || o.Pieces != pieces || o.Kinds != int64(len(o.Lines)) {
			report("order %s: total %d, %d pieces, %d items; sums of its lines: total %d, %d pieces, %d items",
				id, o.Total, o.Pieces, o.Kinds, o.LinesTotal, pieces, len(o.Lines))
		}
		switch o.State {
		case "OPEN", "PAID", "CANCELLED":
		default:
			report("order %s is %q, which is not a final state", id, o.State)
		}
	}
}

// checkConservation checks the counters:
//   - A user's credit is the user's deposits minus the cost of paid orders and the direct payments.
//   - An item's stock is the item's deposits minus the pieces in paid orders.
//   - Any subset of the uncertain deposits may have changed a counter as well.
//   - No user or item with a deposit may be missing.
func (sn *Snapshot) checkConservation(deposits Deposits, report func(string, ...any)) {
	spent, sold := sn.paidTotals()
	for user, left := range sn.Credit {
		if _, own := deposits.Credit[user]; !own && deposits.Partial {
			continue
		}
		want := deposits.Credit[user] - spent[user] - sn.DirectPayments[user]
		if !deposits.explains(deposits.UncertainCredit[user], left-want) {
			report("user %s: credit %d; deposited %d, paid orders cost %d, paid directly %d: off by %+d, uncertain amounts %v",
				user, left, deposits.Credit[user], spent[user], sn.DirectPayments[user], left-want, deposits.UncertainCredit[user])
		}
	}
	for item, left := range sn.Stock {
		if _, own := deposits.Stock[item]; !own && deposits.Partial {
			continue
		}
		if want := deposits.Stock[item] - sold[item]; !deposits.explains(deposits.UncertainStock[item], left-want) {
			report("item %s: stock %d; deposited %d, paid orders contain %d: off by %+d, uncertain amounts %v",
				item, left, deposits.Stock[item], sold[item], left-want, deposits.UncertainStock[item])
		}
	}
	for user := range deposits.Credit {
		if _, ok := sn.Credit[user]; !ok {
			report("user %s is lost", user)
		}
	}
	for item := range deposits.Stock {
		if _, ok := sn.Stock[item]; !ok {
			report("item %s is lost", item)
		}
	}
}

// paidTotals returns the total cost of paid orders by user, and the pieces in paid orders by item.
func (sn *Snapshot) paidTotals() (spent, sold map[string]int64) {
	spent, sold = map[string]int64{}, map[string]int64{}
	for _, o := range sn.Orders {
		if o.State != "PAID" {
			continue
		}
		spent[o.User] += o.Total
		for item, quantity := range o.Lines {
			sold[item] += quantity
		}
	}
	return spent, sold
}

// checkRecords checks the records of attempts and refunds:
//   - A RESERVED record belongs to a PAID order, or to a CANCELLED order with a refund record.
//   - A refund record belongs to a CANCELLED order.
//   - The records of a PAID order have its amounts, unless they may have expired.
//   - Every record has a TTL of at most maxRecordTTL. A RESERVED or refund record may have no TTL while its
//     confirmation is pending.
func (sn *Snapshot) checkRecords(report func(string, ...any)) {
	owners := map[string]string{}
	for id, o := range sn.Orders {
		if o.Attempt != "" {
			owners[o.Attempt] = id
		}
	}
	held := map[string]map[string]int64{} // reserved amounts, by attempt and then by user or item
	refunds := map[string]bool{}          // refunded attempts
	for _, r := range sn.Records {
		if r.Refund && r.Code == Refunded {
			refunds[r.Attempt] = true
		}
	}
	for key, r := range sn.Records {
		if r.TTL > maxRecordTTL {
			report("%s: the record expires in %v, want at most %v", key, r.TTL, maxRecordTTL)
		}
		switch {
		case r.Refund:
			if o := sn.Orders[owners[r.Attempt]]; o.State != "CANCELLED" {
				report("%s: refund of order %q, whose state is %q", key, owners[r.Attempt], o.State)
			}
			if r.Persistent && !sn.awaitsConfirmation(r.Attempt+":refund") {
				report("%s: refund without expiry, and no confirmation is pending", key)
			}
			continue
		case r.Code != Reserved:
			if r.Persistent {
				report("%s: record with code %d without expiry", key, r.Code)
			}
			continue
		}
		id, ok := owners[r.Attempt]
		o := sn.Orders[id]
		if !ok || o.State != "PAID" && !(o.State == "CANCELLED" && refunds[r.Attempt]) {
			report("%s: RESERVED %v belongs to no paid order (order %q, state %q)", key, r.Amounts, id, o.State)
			continue
		}
		if r.Persistent && !sn.awaitsConfirmation(r.Attempt) {
			report("%s: RESERVED by order %s without expiry, and no confirmation is pending", key, id)
		}
		if held[r.Attempt] == nil {
			held[r.Attempt] = map[string]int64{}
		}
		for counter, amount := range r.Amounts {
			held[r.Attempt][counter] += amount
		}
	}
	for id, o := range sn.Orders {
		if o.State != "PAID" || len(o.Lines) == 0 || sn.taken.After(o.Deadline.Add(sn.RecordRetention)) {
			continue
		}
		want := map[string]int64{o.User: o.Total}
		for item, quantity := range o.Lines {
			want[item] += quantity
		}
		if got := held[o.Attempt]; fmt.Sprint(got) != fmt.Sprint(want) {
			report("order %s is PAID for %v, but its attempt reserved %v", id, want, got)
		}
	}
}

// awaitsConfirmation reports whether the sorted set `unconfirmed` has an entry for the record "<attempt>" or
// "<attempt>:refund".
func (sn *Snapshot) awaitsConfirmation(record string) bool {
	for _, entry := range sn.Unconfirmed {
		if strings.HasPrefix(entry, record+" ") {
			return true
		}
	}
	return false
}

// AllViolations returns the violations of the snapshot and of the histories.
func (sn *Snapshot) AllViolations(deposits Deposits, histories []*History) []string {
	violations := sn.Violations(deposits)
	for _, h := range histories {
		violations = append(violations, h.Violations(sn)...)
	}
	return violations
}
