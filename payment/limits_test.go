package main

import (
	"errors"
	"slices"
	"testing"

	"checkout/common/api"
	"checkout/common/participant"
	"checkout/common/participant/participanttest"
	"checkout/common/service/servicetest"
	"checkout/common/shard"
)

// The type directPayments makes and cancels direct payments in a random walk at the limits of the credit.
type directPayments struct {
	*users
	reservations *participant.Reservations
	made         []directPayment
}

type directPayment struct {
	user, order string
	amount      int64
}

// pay makes a direct payment for a new order, and checks that no checkout can reserve credit for the order after that.
func (d *directPayments) pay(l *participanttest.Limits) string {
	i, user := l.Pick()
	p := directPayment{user: user, order: shard.Mint(0), amount: l.Amount(i)}
	pay := func() error {
		token, err := d.startPayment(l.Context(), user, p.order)
		if err != nil {
			l.Fatal(err)
		}
		return d.payOrder(l.Context(), nil, user, p.order, p.amount, token)
	}
	err := pay()
	if !l.Has(i, p.amount) {
		if !errors.Is(err, api.InsufficientCredit) {
			l.Fatalf("pay %d with too little credit: got %v, want insufficient-credit", p.amount, err)
		}
		return "pay too much"
	}
	if err := errors.Join(err, pay()); err != nil { // the retry changes nothing
		l.Fatalf("pay %d twice: got %v, want success", p.amount, err)
	}
	l.Change(i, -p.amount)
	d.made = append(d.made, p)
	checkout := api.Attempt{ID: shard.Mint(0), Order: p.order, Until: 4102444800000,
		Lines: []api.Line{{ID: user, Quantity: 1}}}
	if o := d.reservations.Reserve(l.Context(), []api.Attempt{checkout})[0]; o.Reason != api.DirectlyPaid {
		l.Fatalf("reserve for an order that is paid directly: got %+v, want DirectlyPaid", o)
	}
	return "pay"
}

// cancel refunds a direct payment of a random user.
func (d *directPayments) cancel(l *participanttest.Limits) string {
	i, user := l.Pick()
	at := slices.IndexFunc(d.made, func(p directPayment) bool { return p.user == user })
	if at < 0 {
		return ""
	}
	p := d.made[at]
	done, err := d.returnPayment(l.Context(), p.user, p.order)
	if !l.Fits(i, p.amount) {
		if !errors.Is(err, api.BalanceLimit) {
			l.Fatalf("refund %d beyond the limit: got done %v, error %v; want balance-limit", p.amount, done, err)
		}
		return "cancel beyond the limit"
	}
	if done, again := d.returnPayment(l.Context(), p.user, p.order); !done || errors.Join(err, again) != nil {
		l.Fatalf("refund %d twice: got done %v, errors %v and %v; want true, no errors", p.amount, done, err, again)
	}
	l.Change(i, p.amount)
	d.made = slices.Delete(d.made, at, at+1)
	return "cancel"
}

// All arithmetic on credit is exact, also for direct payments. At the limits, no credit is lost.
func TestCreditIsExactAtTheLimits(t *testing.T) {
	t.Parallel()
	s := servicetest.New(t, definition, 1)
	d := &directPayments{users: newUsers(s.Service), reservations: participant.NewReservations(s.Cluster, creditPrefix)}
	d.reservations.RefusePaidOrders(directPrefix)
	limits := participanttest.Limits{
		T: t, Counters: d.Counters, Reservations: d.reservations,
		Server: s.Shards[0], Key: func(id string) string { return "{p0}" + creditPrefix + id },
		Insufficient: api.InsufficientCredit, Lines: 1,
		More:    []func(*participanttest.Limits) string{d.pay, d.cancel},
		Results: []string{"pay <nil>", "pay too much <nil>", "cancel <nil>", "cancel beyond the limit <nil>"},
	}
	limits.Run()
}
