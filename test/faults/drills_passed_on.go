package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// A checkout that the gateway passes on: the machine that had it at first is stopped, another one refuses it, and the first wakes up
// when there is credit. The gateway's part is played by the drill, so that nobody has to wait for its 15 s.
var (
	// wakesUnaware: the end of the gateway's connection has not reached the first machine.
	wakesUnaware = &drill{"a machine that wakes up with a checkout that another has refused, and does not hear that its caller has left",
		func(ctx context.Context, s *stage) error { return s.wake(ctx, false, 'a', 'a') }}

	// wakesLate: it has; and the client has asked once more meanwhile, so that the request is not the last that was refused.
	wakesLate = &drill{"a machine that wakes up with a checkout that another has refused, and the client's next as well",
		func(ctx context.Context, s *stage) error { return s.wake(ctx, true, 'a', 'a', 'b') }}
)

// wake has the first machine of order sleep with a request of the first name, the second one refuse requests of the others, and the
// first wake up. left: it then hears that its caller has left.
func (s *stage) wake(ctx context.Context, left bool, first rune, others ...rune) error {
	const header = "X-Checkout-Id"
	name := func(letter rune) string { return strings.Repeat(string(letter), 32) }
	b, err := s.baskets.lay(ctx, noCredit)
	if err != nil {
		return err
	}
	doors := s.PublicURLs("order")
	if err := s.Pause("order-1"); err != nil {
		return err
	}
	sleeping, err := net.Dial("tcp", strings.TrimPrefix(doors[0], "http://"))
	if err != nil {
		return errors.Join(err, s.Resume("order-1"))
	}
	defer sleeping.Close()
	if _, err := fmt.Fprintf(sleeping, "POST /checkout/%s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: 0\r\n\r\n", b.Order, header, name(first)); err != nil {
		return errors.Join(err, s.Resume("order-1"))
	}
	if left {
		sleeping.Close()
	}
	for _, letter := range others {
		a := s.Call("POST", doors[1]+"/checkout/"+b.Order, header, name(letter))
		if a.Status != http.StatusPaymentRequired {
			return errors.Join(fmt.Errorf("not refused: %v", a), s.Resume("order-1"))
		}
		b.Checkouts = append(b.Checkouts, a)
	}
	if a := s.Call("POST", "/payment/add_funds/"+b.User+"/100"); !a.OK() {
		return errors.Join(fmt.Errorf("adding funds: %v", a), s.Resume("order-1"))
	}
	s.baskets.put.Credit[b.User] += 100
	if err := s.Resume("order-1"); err != nil {
		return err
	}
	if left {
		sleep(ctx, time.Second)
		return nil
	}
	sleeping.SetReadDeadline(time.Now().Add(drillWithin))
	_, err = io.ReadFull(sleeping, make([]byte, 1)) // then it is decided
	return err
}
