package e2e

import (
	"fmt"
	"strings"
	"time"
)

// goods is what was put into the system by hand: credit by user, stock by item. What is not named started with nothing.
type goods struct{ credit, stock map[string]int64 }

func newGoods() goods { return goods{credit: map[string]int64{}, stock: map[string]int64{}} }

// violations tells what does not hold of a quiet system into which these goods were put, one sentence each.
func (sn *snapshot) violations(put goods) []string {
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for _, odd := range sn.odd {
		say("%s is nothing that should lie in Redis", odd)
	}
	for _, id := range sn.undecided {
		say("order %s is undecided", id)
	}
	sn.checkOrders(say)
	sn.checkConservation(put, say)
	sn.checkRecords(say)
	return found
}

func (sn *snapshot) checkOrders(say func(string, ...any)) {
	for id, o := range sn.orders {
		var pieces int64
		for _, quantity := range o.lines {
			pieces += quantity
		}
		if o.total != o.worth || o.pieces != pieces || o.kinds != int64(len(o.lines)) {
			say("order %s says %d for %d pieces of %d items, its lines say %d for %d of %d", id, o.total, o.pieces, o.kinds, o.worth, pieces, len(o.lines))
		}
		switch o.state {
		case "OPEN", "PAID", "CANCELLED":
		default:
			say("order %s is %q, which is no state to stay in", id, o.state)
		}
	}
}

// checkConservation compares, for each user and each item, what is left with what was put in and what is paid.
func (sn *snapshot) checkConservation(put goods, say func(string, ...any)) {
	spent, gone := map[string]int64{}, map[string]int64{}
	for _, o := range sn.orders {
		if o.state != "PAID" {
			continue
		}
		spent[o.user] += o.total
		for item, quantity := range o.lines {
			gone[item] += quantity
		}
	}
	for user, has := range sn.credit {
		if want := put.credit[user] - spent[user] - sn.direct[user]; has != want {
			say("user %s has %d of %d, paid orders are worth %d, direct payments %d: %+d is wrong", user, has, put.credit[user], spent[user], sn.direct[user], has-want)
		}
	}
	for item, has := range sn.stock {
		if want := put.stock[item] - gone[item]; has != want {
			say("item %s has %d of %d, paid orders hold %d: %+d is wrong", item, has, put.stock[item], gone[item], has-want)
		}
	}
	for user := range put.credit {
		if _, ok := sn.credit[user]; !ok {
			say("user %s is lost", user)
		}
	}
	for item := range put.stock {
		if _, ok := sn.stock[item]; !ok {
			say("item %s is lost", item)
		}
	}
}

// checkRecords looks for the owner of each RESERVED record: an order that is PAID by just this attempt, whose lines say the same,
// or a CANCELLED one that has its refund's record as well. The other way round, a paid order has its records as long as they live.
func (sn *snapshot) checkRecords(say func(string, ...any)) {
	owners := map[string]string{}
	for id, o := range sn.orders {
		if o.attempt != "" {
			owners[o.attempt] = id
		}
	}
	held := map[string]map[string]int64{} // by attempt, by counter
	back := map[string]bool{}             // attempts with a refund's record
	for _, r := range sn.records {
		if r.refund && r.code == refunded {
			back[r.attempt] = true
		}
	}
	for key, r := range sn.records {
		switch {
		case r.refund:
			if o := sn.orders[owners[r.attempt]]; o.state != "CANCELLED" {
				say("%s: a refund of order %q, which is %q", key, owners[r.attempt], o.state)
			}
			if r.forever && !sn.awaitsConfirmation(r.attempt+":refund") {
				say("%s: a refund that never ends, and nobody will confirm it", key)
			}
			continue
		case r.code != reserved:
			if r.forever {
				say("%s: a record of code %d that never ends", key, r.code)
			}
			continue
		}
		id, ok := owners[r.attempt]
		o := sn.orders[id]
		if !ok || o.state != "PAID" && !(o.state == "CANCELLED" && back[r.attempt]) {
			say("%s: RESERVED %v is owned by no paid order (%q is %q)", key, r.taken, id, o.state)
			continue
		}
		if r.forever && !sn.awaitsConfirmation(r.attempt) {
			say("%s: RESERVED by order %s never ends, and nobody will confirm it", key, id)
		}
		if held[r.attempt] == nil {
			held[r.attempt] = map[string]int64{}
		}
		for counter, amount := range r.taken {
			held[r.attempt][counter] += amount
		}
	}
	for id, o := range sn.orders {
		// Confirmed records end 60 s after the attempt's deadline; not so long after, clocks and reading may blur that.
		if o.state != "PAID" || len(o.lines) == 0 || sn.now.After(o.deadline.Add(50*time.Second)) {
			continue
		}
		want := map[string]int64{o.user: o.total}
		for item, quantity := range o.lines {
			want[item] += quantity
		}
		if got := held[o.attempt]; fmt.Sprint(got) != fmt.Sprint(want) {
			say("order %s is PAID for %v, and its attempt has reserved %v", id, want, got)
		}
	}
}

func (sn *snapshot) awaitsConfirmation(record string) bool {
	for _, entry := range sn.unconfirmed {
		if strings.HasPrefix(entry, record+" ") {
			return true
		}
	}
	return false
}

// check reports every violation at this quiet moment, and every lie.
func (s *system) check(put goods, told ...*history) *snapshot {
	s.t.Helper()
	sn := s.snapshot()
	const most = 20 // more say nothing new
	found := sn.all(put, told)
	for i, violation := range found {
		if i == most {
			s.t.Errorf("… and %d more", len(found)-most)
			break
		}
		s.t.Error(violation)
	}
	return sn
}

// all is every violation and every lie.
func (sn *snapshot) all(put goods, told []*history) []string {
	found := sn.violations(put)
	for _, h := range told {
		found = append(found, h.lies(sn)...)
	}
	return found
}
