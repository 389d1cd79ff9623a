package check

import (
	"fmt"
	"strings"
)

// Violations tells what does not hold of a quiet system into which these goods were put, one sentence each.
func (sn *Snapshot) Violations(put Deposits) []string {
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for _, odd := range sn.unexpected {
		say("%s is nothing that should lie in Redis", odd)
	}
	for _, id := range sn.Undecided {
		say("order %s is undecided", id)
	}
	sn.checkOrders(say)
	sn.checkConservation(put, say)
	sn.checkRecords(say)
	return found
}

func (sn *Snapshot) checkOrders(say func(string, ...any)) {
	for id, o := range sn.Orders {
		var pieces int64
		for _, quantity := range o.Lines {
			pieces += quantity
		}
		if o.Total != o.LinesTotal || o.Pieces != pieces || o.Kinds != int64(len(o.Lines)) {
			say("order %s says %d for %d pieces of %d items, its lines say %d for %d of %d", id, o.Total, o.Pieces, o.Kinds, o.LinesTotal, pieces, len(o.Lines))
		}
		switch o.State {
		case "OPEN", "PAID", "CANCELLED":
		default:
			say("order %s is %q, which is no state to stay in", id, o.State)
		}
	}
}

// checkConservation compares, for each user and each item, what is left with what was put in and what is paid.
func (sn *Snapshot) checkConservation(put Deposits, say func(string, ...any)) {
	spent, gone := sn.paidTotals()
	for user, has := range sn.Credit {
		if _, ours := put.Credit[user]; !ours && put.Partial {
			continue
		}
		if want := put.Credit[user] - spent[user] - sn.DirectPayments[user]; !put.explains(put.UncertainCredit[user], has-want) {
			say("user %s has %d of %d, paid orders are worth %d, direct payments %d: %+d is wrong, and not explained by %v",
				user, has, put.Credit[user], spent[user], sn.DirectPayments[user], has-want, put.UncertainCredit[user])
		}
	}
	for item, has := range sn.Stock {
		if _, ours := put.Stock[item]; !ours && put.Partial {
			continue
		}
		if want := put.Stock[item] - gone[item]; !put.explains(put.UncertainStock[item], has-want) {
			say("item %s has %d of %d, paid orders hold %d: %+d is wrong, and not explained by %v",
				item, has, put.Stock[item], gone[item], has-want, put.UncertainStock[item])
		}
	}
	for user := range put.Credit {
		if _, ok := sn.Credit[user]; !ok {
			say("user %s is lost", user)
		}
	}
	for item := range put.Stock {
		if _, ok := sn.Stock[item]; !ok {
			say("item %s is lost", item)
		}
	}
}

// sold is what paid orders are worth, by user, and what they hold, by item.
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

// checkRecords looks for the owner of each RESERVED record: an order that is PAID by just this attempt, whose lines say the same,
// or a CANCELLED one that has its refund's record as well. The other way round, a paid order has its records as long as they live.
func (sn *Snapshot) checkRecords(say func(string, ...any)) {
	owners := map[string]string{}
	for id, o := range sn.Orders {
		if o.Attempt != "" {
			owners[o.Attempt] = id
		}
	}
	held := map[string]map[string]int64{} // by attempt, by counter
	back := map[string]bool{}             // attempts with a refund's record
	for _, r := range sn.Records {
		if r.Refund && r.Code == Refunded {
			back[r.Attempt] = true
		}
	}
	for key, r := range sn.Records {
		if r.TTL > maxRecordTTL {
			say("%s: a record that is kept for another %v", key, r.TTL)
		}
		switch {
		case r.Refund:
			if o := sn.Orders[owners[r.Attempt]]; o.State != "CANCELLED" {
				say("%s: a refund of order %q, which is %q", key, owners[r.Attempt], o.State)
			}
			if r.Persistent && !sn.awaitsConfirmation(r.Attempt+":refund") {
				say("%s: a refund that never ends, and nobody will confirm it", key)
			}
			continue
		case r.Code != Reserved:
			if r.Persistent {
				say("%s: a record of code %d that never ends", key, r.Code)
			}
			continue
		}
		id, ok := owners[r.Attempt]
		o := sn.Orders[id]
		if !ok || o.State != "PAID" && !(o.State == "CANCELLED" && back[r.Attempt]) {
			say("%s: RESERVED %v is owned by no paid order (%q is %q)", key, r.Amounts, id, o.State)
			continue
		}
		if r.Persistent && !sn.awaitsConfirmation(r.Attempt) {
			say("%s: RESERVED by order %s never ends, and nobody will confirm it", key, id)
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
			say("order %s is PAID for %v, and its attempt has reserved %v", id, want, got)
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

// All is every violation and every lie.
func (sn *Snapshot) AllViolations(put Deposits, told []*History) []string {
	found := sn.Violations(put)
	for _, h := range told {
		found = append(found, h.Violations(sn)...)
	}
	return found
}
