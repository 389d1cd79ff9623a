package check

import (
	"fmt"
	"strings"
)

// Violations lists the broken invariants of a system without requests in flight, given what clients deposited.
func (sn *Snapshot) Violations(put Deposits) []string {
	var found []string
	report := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for _, what := range sn.unexpected {
		report("Redis contains %s, which is unexpected", what)
	}
	for _, id := range sn.Undecided {
		report("order %s is undecided", id)
	}
	sn.checkOrders(report)
	sn.checkConservation(put, report)
	sn.checkRecords(report)
	return found
}

func (sn *Snapshot) checkOrders(report func(string, ...any)) {
	for id, o := range sn.Orders {
		var pieces int64
		for _, quantity := range o.Lines {
			pieces += quantity
		}
		if o.Total != o.LinesTotal || o.Pieces != pieces || o.Kinds != int64(len(o.Lines)) {
			report("order %s has total %d, %d pieces, %d items; its lines add up to %d, %d, %d",
				id, o.Total, o.Pieces, o.Kinds, o.LinesTotal, pieces, len(o.Lines))
		}
		switch o.State {
		case "OPEN", "PAID", "CANCELLED":
		default:
			report("order %s is %q, which is not a final state", id, o.State)
		}
	}
}

// checkConservation compares what each user and item has left with the deposits and the paid orders.
func (sn *Snapshot) checkConservation(put Deposits, report func(string, ...any)) {
	spent, gone := sn.paidTotals()
	for user, has := range sn.Credit {
		if _, ours := put.Credit[user]; !ours && put.Partial {
			continue
		}
		if want := put.Credit[user] - spent[user] - sn.DirectPayments[user]; !put.explains(put.UncertainCredit[user],
			has-want) {
			report("user %s has %d of %d; paid orders cost %d, direct payments %d: off by %+d, uncertain amounts %v",
				user, has, put.Credit[user], spent[user], sn.DirectPayments[user], has-want, put.UncertainCredit[user])
		}
	}
	for item, has := range sn.Stock {
		if _, ours := put.Stock[item]; !ours && put.Partial {
			continue
		}
		if want := put.Stock[item] - gone[item]; !put.explains(put.UncertainStock[item], has-want) {
			report("item %s has %d of %d; paid orders contain %d: off by %+d, uncertain amounts %v",
				item, has, put.Stock[item], gone[item], has-want, put.UncertainStock[item])
		}
	}
	for user := range put.Credit {
		if _, ok := sn.Credit[user]; !ok {
			report("user %s is lost", user)
		}
	}
	for item := range put.Stock {
		if _, ok := sn.Stock[item]; !ok {
			report("item %s is lost", item)
		}
	}
}

// paidTotals returns what paid orders cost, by user, and how many pieces they contain, by item.
func (sn *Snapshot) paidTotals() (spent, gone map[string]int64) {
	spent, gone = map[string]int64{}, map[string]int64{}
	for _, o := range sn.Orders {
		if o.State != "PAID" {
			continue
		}
		spent[o.User] += o.Total
		for item, quantity := range o.Lines {
			gone[item] += quantity
		}
	}
	return spent, gone
}

// checkRecords looks for the order of each RESERVED record: an order that this attempt PAID, or a CANCELLED order whose
// refund has a record too. Conversely, a PAID order must have its records, with the same amounts, until they expire.
func (sn *Snapshot) checkRecords(report func(string, ...any)) {
	owners := map[string]string{}
	for id, o := range sn.Orders {
		if o.Attempt != "" {
			owners[o.Attempt] = id
		}
	}
	held := map[string]map[string]int64{} // by attempt, by user or item
	refunds := map[string]bool{}          // attempts that were refunded
	for _, r := range sn.Records {
		if r.Refund && r.Code == Refunded {
			refunds[r.Attempt] = true
		}
	}
	for key, r := range sn.Records {
		if r.TTL > maxRecordTTL {
			report("%s: the record expires in %v, at most %v expected", key, r.TTL, maxRecordTTL)
		}
		switch {
		case r.Refund:
			if o := sn.Orders[owners[r.Attempt]]; o.State != "CANCELLED" {
				report("%s: refund of order %q, which is %q", key, owners[r.Attempt], o.State)
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
			report("%s: RESERVED %v belongs to no paid order (order %q is %q)", key, r.Amounts, id, o.State)
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

func (sn *Snapshot) awaitsConfirmation(record string) bool {
	for _, entry := range sn.Unconfirmed {
		if strings.HasPrefix(entry, record+" ") {
			return true
		}
	}
	return false
}

// AllViolations returns the violations of the snapshot and of the histories.
func (sn *Snapshot) AllViolations(put Deposits, histories []*History) []string {
	found := sn.Violations(put)
	for _, h := range histories {
		found = append(found, h.Violations(sn)...)
	}
	return found
}
